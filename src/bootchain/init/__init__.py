"""PID 1 of an initramfs: from the first mount to stage 2. See :mod:`bootchain.init.main`."""
