#!/bin/sh
# cmdline hook of dracut: root=bootchain and root=pipeline are for the chain.

case "$(getarg root=)" in
bootchain | pipeline)
	rootok=1
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
