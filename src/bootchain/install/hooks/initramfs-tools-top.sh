#!/bin/sh
# init-top of initramfs-tools: with root=bootchain or root=pipeline, the chain mounts the root.

case "${1-}" in
prereqs)
	echo
	exit 0
	;;
esac
case "${ROOT-}" in
bootchain | pipeline) echo BOOT=bootchain >>/conf/param.conf ;;
esac
