"""Builds QEMU once from the distribution's source, with the binary trace backend and the features that boots need."""
