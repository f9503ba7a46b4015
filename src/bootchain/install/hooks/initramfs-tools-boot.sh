# The boot script `bootchain` of initramfs-tools: the chain mounts the root.

mountroot() {
	wait_for_udev 10
	# Only what asks a server needs the network, or who says ip=.
	case " $(cat /proc/cmdline) " in
	*://* | *" ip="*) configure_networking ;;
	esac
	# The console shows how it goes; the log stays in /var/log.
	until rootmnt="${rootmnt:-/root}" BC_LOG_VT="${BC_LOG_VT-}" /sbin/bootchained; do
		cat /var/log/bootchained.log /var/log/pipelined.log 2>/dev/null | tail -n 30
		panic "bootchain: the chain failed; see /var/log. Leave this shell to run it again."
	done
}
