"""``python -m bootchain install``: puts bootchain where the initramfs of a distribution is made."""
