#!/bin/sh
# bootchained: the daemon. The package lies where initramfs.py puts it, or where BOOTCHAIN_LIB says.

exec "${BOOTCHAIN_PYTHON:-python3}" -I -S "${BOOTCHAIN_LIB:-/usr/lib/bootchain}/bootchain/daemon/__main__.py" "$@"
