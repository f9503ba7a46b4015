#!/usr/bin/ash
# shellcheck shell=dash disable=SC2034 # mkinitcpio reads mount_handler
# Run-time hook of mkinitcpio: the chain mounts the root.

run_hook() {
	case "$root" in
	bootchain | pipeline) mount_handler=bootchain_mount_handler ;;
	esac
}

bootchain_mount_handler() {
	until rootmnt="$1" BC_LOG_VT='' /sbin/bootchained; do
		cat /var/log/bootchained.log /var/log/pipelined.log 2>/dev/null | tail -n 30
		echo "bootchain: the chain failed; see /var/log. Leave this shell to run it again."
		launch_interactive_shell
	done
}
