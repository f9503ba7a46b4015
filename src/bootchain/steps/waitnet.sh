#!/bin/sh -efu
# waitnet: waits until an interface (waitnet=NAME; without one, any) has an address, waitnet-timeout= seconds at most.

# shellcheck disable=SC2034,SC2154 # the API reads PROG, and the daemon sets the rest
PROG="$name"
. bootchain-sh-functions
. image-sh-functions

own_parameter
limit="$(get_parameter WAITNET_TIMEOUT)"
limit="${limit:-${ROOTDELAY:-$BC_DEVICE_TIMEOUT}}"
case "$limit" in
"" | *[!0-9]*) fatal "waitnet-timeout=$limit is not a number of seconds" ;;
esac
tool=ip
command -v ip >/dev/null || tool="busybox ip"
waited=0
while :; do
	# shellcheck disable=SC2086 # the tool is two words
	found="$($tool -o addr show ${parameter:+dev "$parameter"} scope global 2>/dev/null)" || found=
	case "$found" in
	*" inet "* | *" inet6 "*) break ;;
	esac
	if [ "$waited" -ge "$limit" ]; then
		[ -z "$parameter" ] || fatal "$parameter has no address after $limit s"
		fatal "no interface has an address after $limit s"
	fi
	waited=$((waited + 1))
	sleep 1
done
message "${parameter:-an interface} has an address"
