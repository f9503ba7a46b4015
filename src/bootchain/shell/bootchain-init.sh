#!/bin/sh
### BEGIN INIT INFO
# Provides:          bootchain
# Required-Start:    $local_fs
# Required-Stop:
# Default-Start:     S 2 3 4 5
# Default-Stop:
# Short-Description: Runs the chain of boot steps
### END INIT INFO
#
# /etc/rc.d/init.d/bootchain: starts the daemon in the background, if the command line of the kernel asks for it.

pidfile="${BOOTCHAIN_PIDFILE:-/var/run/bootchained.pid}"
cmdline="${BOOTCHAIN_CMDLINE:-/proc/cmdline}"
daemon="${BOOTCHAIN_DAEMON:-/sbin/bootchained}"

running() {
	pid=
	[ -s "$pidfile" ] && read -r pid <"$pidfile" && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null
}

asked() {
	asked=1
	while read -r line || [ -n "$line" ]; do
		for word in $line; do
			case "$word" in
			root=bootchain | root=pipeline) asked=0 ;;
			root=*) asked=1 ;;
			esac
		done
	done <"$cmdline"
	return "$asked"
}

start() {
	asked || return 0
	! running || return 0
	"$daemon" --cmdline-file "$cmdline" </dev/null >/dev/null 2>&1 &
	echo "$!" >"$pidfile"
}

stop() {
	running || return 0
	kill "$pid"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		running || break
		sleep 1
	done
	rm -f "$pidfile"
}

set -f
case "${1-}" in
start) start ;;
stop) stop ;;
restart)
	stop
	start
	;;
status)
	if running; then
		echo "bootchained is running ($pid)"
	else
		echo "bootchained is not running"
		exit 3
	fi
	;;
*)
	echo "usage: ${0##*/} start|stop|restart|status" >&2
	exit 2
	;;
esac
