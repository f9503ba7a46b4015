#!/bin/sh -fu
# debug: shows in the log what the next step will get. Run before each step in debug mode.

. bootchain-sh-functions

PROG=debug
message "step $stepnum ($name) call $callnum: datadir=$datadir destdir=$destdir prevdir=$prevdir"
for param in $(printf '%s' "$name" | tr 'a-z-' 'A-Z_'); do
	message "$param=$(get_parameter "$param")"
done
if [ -n "$prevdir" ] && [ -d "$prevdir" ]; then
	ls -lA "$prevdir" >&2
fi
exit 0
