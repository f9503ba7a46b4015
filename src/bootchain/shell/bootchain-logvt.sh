#!/bin/sh
# bootchain-logvt TERMINAL LOGFILE: shows the log on a terminal until it is killed. The daemon starts it.
# Escape sequences stay in the file: what a step printed must not drive the terminal.

[ "$#" -eq 2 ] || {
	echo "usage: bootchain-logvt TERMINAL LOGFILE" >&2
	exit 2
}

reader=
trap 'kill $reader 2>/dev/null; exit 0' TERM INT HUP
fifo="${TMPDIR:-/tmp}/bootchain-logvt.$$"
mkfifo -m 600 "$fifo" || exit 1
tail -n +1 -f "$2" >"$fifo" 2>/dev/null </dev/null &
reader=$!
tr -d '\000-\010\013-\037\177' <"$fifo" >"$1" 2>/dev/null &
reader="$reader $!"
rm -f "$fifo"
wait
