#!/bin/sh -fu
# debug: shows in the log what the next step will get. Run before each step in debug mode.

# shellcheck disable=SC2034,SC2154 # the API reads PROG, and the daemon sets the rest
PROG=debug
. bootchain-sh-functions

message "step $stepnum ($name) call $callnum: datadir=$datadir destdir=$destdir prevdir=$prevdir"
for parameter in "$name" "$name-opts"; do
	value="$(get_parameter "$parameter")"
	[ -z "$value" ] || message "$parameter=$value"
done
if [ -n "$prevdir" ] && [ -d "$prevdir" ]; then
	message "the previous result:"
	ls -lA "$prevdir/" >&2
	fdump "$prevdir/DEVNAME" # silent unless in debug mode
fi
while read -r source place type options _; do
	case "$place" in
	"$mntdir"/*) message "mounted: $source on $place ($type, $options)" ;;
	esac
done </proc/mounts
exit 0
