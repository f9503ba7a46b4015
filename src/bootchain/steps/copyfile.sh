#!/bin/sh -efu
# copyfile, toram: copies the file or device that copyfile= names to memory; the result holds it under its name.

# shellcheck disable=SC2034,SC2154 # the API reads PROG, and the daemon sets the rest
PROG="$name"
. bootchain-sh-functions
. image-sh-functions

own_parameter
[ -n "$parameter" ] || fatal "required parameter is empty: $name= names what to copy"
target="$(find_target "$parameter")" || fatal "cannot copy $parameter: it is not there"
[ -f "$target" ] || [ -b "$target" ] || fatal "neither a file nor a block device: $target"
if wants_signature; then
	[ -f "$target" ] || fatal "signatures are asked for, and the device $target has none"
	check_signature "$target"
fi
run cp "$target" "$destdir/${target##*/}" 2>/dev/null || run dd if="$target" of="$destdir/${target##*/}" bs=1048576 2>/dev/null || {
	rm -f "$destdir/${target##*/}"
	fatal "cannot copy $target to memory: does it fit?"
}
message "$target is in memory"
