"""The payload of a stick: host kernel, and an initramfs with bootchain, the recorder, Python and QEMU."""
