#!/bin/sh -efu
# altboot: builds the chain that automatic= asks for.
#
#	automatic=method:cdrom[,label:NAME] | method:disk,disk:NAME-OR-UUID,directory:DIR | method:http,server:HOST,directory:FILE
#	automatic=method:nfs,server:HOST,directory:DIR | method:cifs,... ; stagename=FILE is the image of the system (rescue)

# shellcheck disable=SC2034,SC2154 # the API reads PROG, and the daemon sets the rest
PROG="$name"
. bootchain-sh-functions
. image-sh-functions

[ -n "${AUTOMATIC-}" ] || fatal "required parameter is empty: automatic=method:..."
method=
server=
directory=
disk=
label=
IFS=,
for word in $AUTOMATIC; do
	case "$word" in
	method:* | server:* | directory:* | disk:* | label:*) eval "${word%%:*}=\${word#*:}" ;;
	network:* | user:* | uuid:*) [ "${word%%:*}" != uuid ] || disk="${word#*:}" ;;
	?*) unset IFS && fatal "automatic=: what is $word?" ;;
	esac
done
unset IFS

# parameter_of STEP VALUE: the next call of the step gets it.
parameter_of() {
	upper="$(printf %s "$1" | tr 'a-z-' 'A-Z_')"
	_bc_ask calls "$1"
	printf "%s%s='%s'\\n" "$upper" "$((_bc_answer + ${3:-0}))" "$(printf %s "$2" | sed "s/'/'\\\\''/g")" >>"$BC_INITENV"
	eval "count=\${$upper-0}"
	[ "$count" -gt "$((_bc_answer + ${3:-0}))" ] || echo "$upper=$((_bc_answer + ${3:-0} + 1))" >>"$BC_INITENV"
}

stage="${STAGENAME:-rescue}"
case "$method" in
cdrom)
	parameter_of waitdev "CDROM:${label:+LABEL=$label}"
	parameter_of mountfs DEVNAME
	parameter_of mountfs "$stage" 1
	next_bootchain waitdev,mountfs,mountfs,overlayfs,rootfs
	;;
disk)
	case "$disk" in
	"") fatal "automatic=method:disk needs disk:" ;;
	[hsvn][dmv]*) device="/dev/${disk#/dev/}" ;;
	/dev/*) device="$disk" ;;
	*) device="UUID=$disk" ;;
	esac
	parameter_of waitdev "$device"
	parameter_of mountfs DEVNAME
	case "$directory" in
	*.iso)
		parameter_of mountfs "${directory#/}" 1
		parameter_of mountfs "$stage" 2
		next_bootchain waitdev,mountfs,mountfs,mountfs,overlayfs,rootfs
		;;
	*)
		directory="${directory#/}"
		parameter_of mountfs "${directory:+${directory%/}/}$stage" 1
		next_bootchain waitdev,mountfs,mountfs,overlayfs,rootfs
		;;
	esac
	;;
http | https | ftp)
	[ -n "$server" ] && [ -n "$directory" ] || fatal "automatic=method:$method needs server: and directory:"
	parameter_of getimage "$method://$server/${directory#/}"
	parameter_of mountfs "$stage"
	next_bootchain getimage,mountfs,overlayfs,rootfs
	;;
nfs | cifs)
	[ -n "$server" ] && [ -n "$directory" ] || fatal "automatic=method:$method needs server: and directory:"
	parameter_of mountfs "$method://$server/${directory#/}"
	parameter_of mountfs "$stage" 1
	next_bootchain mountfs,mountfs,overlayfs,rootfs
	;;
*) fatal "automatic=: there is no method '$method': cdrom, disk, http, https, ftp, nfs or cifs" ;;
esac
message "$AUTOMATIC"
