#!/bin/sh
# cmdline hook of dracut: root=bootchain and root=pipeline are for the chain.

case "$(getarg root=)" in
bootchain | pipeline)
	# shellcheck disable=SC2034 # read by dracut
	rootok=1
	# shellcheck disable=SC2034 # read by dracut
	root="bootchain:"
	case " $(getcmdline) " in
	*" ip="*) ;;
	*://*)
		mkdir -p /etc/cmdline.d
		echo "ip=dhcp rd.neednet=1" >/etc/cmdline.d/30-bootchain.conf
		;;
	esac
	;;
esac
