#!/bin/sh -efu
# mountfs: mounts the file, device or directory that mountfs= names: files read-only unless mountfs-opts= says "rw".

# shellcheck disable=SC2034,SC2154 # the API reads PROG, and the daemon sets the rest
PROG=mountfs
. bootchain-sh-functions
. image-sh-functions

need_parameter MOUNTFS
wanted="$parameter"
options="$(get_parameter MOUNTFS_OPTS)"
case "$wanted" in
nfs://?*/* | cifs://?*/*)
	! wants_signature || fatal "signatures are asked for, and $wanted has none"
	mount_share "$wanted" "$destdir" "$options" || fatal "cannot mount $wanted"
	message "$wanted is mounted"
	exit 0
	;;
esac
target="$(find_target "$wanted")" || fatal "cannot mount $wanted: it is not there"

signed=
if wants_signature; then
	signed=1
	if [ -f "$target" ]; then
		check_signature "$target"
	else
		message "$target is not a file and has no signature: only signed files on it may become the root"
		mark_unsigned
	fi
fi

if [ -b "$target" ]; then
	mount_image "$target" "$destdir" "$options" || fatal "cannot mount the device $target"
elif [ -f "$target" ]; then
	mount_image "$target" "$destdir" "$options" || fatal "cannot mount the file $target"
elif [ -d "$target" ]; then
	run mount --bind "$target" "$destdir" || fatal "cannot bind the directory $target"
	# Options count only when the bind is there.
	if [ -n "$options" ] && ! run mount -o "remount,bind,$options" "$destdir"; then
		umount "$destdir" || :
		fatal "cannot mount the directory $target with the options $options"
	fi
else
	fatal "neither a file nor a block device nor a directory: $target"
fi
message "$target is mounted${options:+ ($options)}${signed:+, signatures are checked}"
