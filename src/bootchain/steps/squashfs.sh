#!/bin/sh -efu
# squashfs, iso9660: mounts what the parameter of that name says, as this type and no other; without one, the device that is
# the result before, or the only file in it.

# shellcheck disable=SC2034,SC2154 # the API reads PROG, and the daemon sets the rest
PROG="$name"
. bootchain-sh-functions
. image-sh-functions

own_parameter
if [ -n "$parameter" ]; then
	target="$(find_target "$parameter")" || fatal "cannot mount $parameter: it is not there"
else
	target="$(resolve_devname)"
	if [ -z "$target" ] && [ -n "$prevdir" ]; then
		set +f
		for path in "$prevdir"/*; do
			[ ! -f "$path" ] || { [ -z "$target" ] || fatal "several files are there: say which, $name=..." && target="$path"; }
		done
		set -f
	fi
	[ -n "$target" ] || fatal "nothing to mount: say what, $name=..."
fi
if wants_signature; then
	[ -f "$target" ] || fatal "signatures are asked for, and $target has none"
	check_signature "$target"
fi
load_drivers "$name" || :
options="ro"
[ ! -f "$target" ] || options="ro,loop"
run mount -t "$name" -o "$options" "$target" "$destdir" || fatal "cannot mount $target as $name"
message "$target is mounted"
