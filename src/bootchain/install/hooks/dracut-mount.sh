#!/bin/sh
# mount hook of dracut: the chain mounts the root.

if [ "$root" = "bootchain:" ] && ! ismounted "$NEWROOT"; then
	rootmnt="$NEWROOT" BC_LOG_VT='' PATH=/bin:/sbin:/usr/bin:/usr/sbin /sbin/bootchained || {
		for log in /var/log/bootchained.log /var/log/pipelined.log; do
			[ ! -f "$log" ] || tail -n 30 "$log"
		done
		warn "bootchain: the chain failed; see /var/log"
		die "bootchain: the chain failed"
	}
fi
