#!/bin/sh -efu
# rootfs: the result of the previous step is the root of stage 2. The daemon moves it to the root mount.

# shellcheck disable=SC2034,SC2154 # the API reads PROG, and the daemon sets the rest
PROG=rootfs
. bootchain-sh-functions
. image-sh-functions

[ -n "$prevdir" ] || fatal "there is no previous result to take as root"
[ -d "$prevdir" ] || fatal "the previous result is not there: $prevdir"

set +f
content=
for path in "$prevdir"/* "$prevdir"/.[!.]*; do
	case "${path##*/}" in
	DEVNAME | dev) [ -d "$path" ] || continue ;;
	esac
	if [ -e "$path" ] || [ -L "$path" ]; then
		content="$path"
		break
	fi
done
set -f
if [ -z "$content" ]; then
	[ ! -e "$prevdir/DEVNAME" ] && [ ! -e "$prevdir/dev" ] || fatal "the previous result is a device: mount it first (mountfs=DEVNAME)"
	fatal "the previous result is empty: $prevdir"
fi
if is_unsigned "$prevdir"; then
	fatal "signatures are asked for, and $prevdir has none"
fi

break_bc_loop
