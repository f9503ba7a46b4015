#!/bin/sh
# bootchain-logvt TERMINAL LOGFILE: shows the log on a terminal (a path, or the number of a virtual one) until it gets
# SIGTERM; then it shows what is left, and ends. The daemon starts it.
#
# Escape sequences stay in the file: what a step printed must not drive the terminal.

[ "$#" -eq 2 ] || {
	echo "usage: bootchain-logvt TERMINAL LOGFILE" >&2
	exit 2
}
case "$1" in
*[!0-9]*) terminal="$1" ;;
*) terminal="/dev/tty$1" ;;
esac

stop=
trap 'stop=1' TERM INT HUP
exec 3<"$2" 4>"$terminal" || exit 1

show() { tr -d '\000-\010\013-\037\177' <&3 >&4; }

# Each time, tr goes on where the descriptor stands.
while [ -z "$stop" ]; do
	show
	sleep 1 3<&- 4>&- &
	wait "$!"
done
show
