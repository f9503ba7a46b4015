"""A QEMU of our own: built once from the distribution's source, with the binary trace backend and what boots need."""
