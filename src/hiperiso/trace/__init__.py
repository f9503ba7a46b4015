"""QEMU trace events per tier."""
