"""Bootable inputs: an ISO, a disk image, an EFI program, a kernel, a directory; compressed or not."""
