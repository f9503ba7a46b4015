#!/bin/sh -efu
# mountfs: mounts the file or device that mountfs= names.

. bootchain-sh-functions

check_parameter MOUNTFS
target="$(resolve_target "$(get_parameter MOUNTFS)")"

if [ -b "$target" ]; then
	run mount -o ro "$target" "$destdir"
elif [ -f "$target" ]; then
	run mount -o ro,loop "$target" "$destdir"
elif [ -d "$target" ]; then
	run mount --bind "$target" "$destdir"
else
	fatal "neither a file nor a device nor a directory: $target"
fi
