#!/bin/sh
# Hook of update-initramfs: puts bootchain into the image. Written by `python3 -m bootchain install`.

case "${1-}" in
prereqs)
	echo busybox klibc-utils
	exit 0
	;;
esac
. /usr/share/initramfs-tools/hook-functions

here="$(dirname "$0")/../bootchain"
tab="$(printf '\t')"
list="$(python3 -I "$here/bootchain/install/closure.py")" || exit 1
# The small mount of klibc knows no loop devices.
rm -f "$DESTDIR/bin/mount" "$DESTDIR/bin/umount"
printf '%s\n' "$list" | while IFS="$tab" read -r kind source target mode; do
	case "$kind" in
	file)
		mkdir -p "$DESTDIR${target%/*}"
		cp "$source" "$DESTDIR$target"
		chmod "$mode" "$DESTDIR$target"
		;;
	link)
		mkdir -p "$DESTDIR${target%/*}"
		ln -sf "$source" "$DESTDIR$target"
		;;
	exec) copy_exec "$source" "$target" || exit 1 ;;
	tool)
		path="$(command -v "$source")" || continue
		copy_exec "$path" "$path" || [ $? -eq 1 ]
		;;
	module) manual_add_modules "$source" ;;
	esac
done
mkdir -p "$DESTDIR/etc/initrd" "$DESTDIR/.initrd" "$DESTDIR/bc-root" "$DESTDIR/var/log"
