#!/bin/sh -efu
# ping: waits until a network address answers.
#
#	ping=[OPTIONS:][ADDRESS]   OPTIONS: v4 v6 iter=NUMBER waitfor, commas between them
#
# ADDRESS is an address, a name, or %gateway for the default gateway, which is the default. It waits without a limit
# (waitfor), unless iter= limits the attempts.

# shellcheck disable=SC2034,SC2154 # the API reads PROG, and the daemon sets the rest
PROG=ping
. bootchain-sh-functions

REPORT_EVERY=10

# Sets version, limit, address.
read_parameter() {
	address="$(get_parameter PING)"
	version=
	limit=
	case ",${address%%:*}," in
	*,v4,* | *,v6,* | *,waitfor,* | *,iter=*) ;;
	*) options= && return ;;
	esac
	options="${address%%:*}"
	case "$address" in
	*:*) address="${address#*:}" ;;
	*) address= ;;
	esac
	IFS=,
	for option in $options; do
		case "$option" in
		v4) version=4 ;;
		v6) version=6 ;;
		waitfor) limit= ;;
		iter=*[!0-9]* | iter= | iter=0) unset IFS && fatal "$option is not a number of attempts" ;;
		iter=*) limit="${option#iter=}" ;;
		*) unset IFS && fatal "unknown option '$option' in ping=" ;;
		esac
	done
	unset IFS
}

# Sets found to the address of the default gateway; empty when there is none yet.
find_gateway() {
	found=
	[ "$version" = 6 ] || find_gateway4
	[ -n "$found" ] || [ "$version" = 4 ] || find_gateway6
}

find_gateway4() {
	[ -r /proc/net/route ] || return 0
	while read -r _ destination gateway _; do
		case "$destination $gateway" in
		"00000000 00000000") ;;
		"00000000 "????????)
			# The bytes are in the order of the machine: little-endian, as its kernel prints them.
			rest="$gateway"
			while [ -n "$rest" ]; do
				found="$((0x${rest%"${rest#??}"}))${found:+.}$found"
				rest="${rest#??}"
			done
			return 0
			;;
		esac
	done </proc/net/route
}

find_gateway6() {
	[ -r /proc/net/ipv6_route ] || return 0
	while read -r destination length _ _ gateway _ _ _ _ device; do
		case "$destination $length $gateway" in
		*[!0]*\ 00\ * | *\ 00\ 00000000000000000000000000000000) ;;
		*\ 00\ *)
			rest="$gateway"
			while [ -n "$rest" ]; do
				found="$found${found:+:}${rest%"${rest#????}"}"
				rest="${rest#????}"
			done
			case "$found" in
			fe[89ab]*) found="$found%$device" ;;
			esac
			return 0
			;;
		esac
	done </proc/net/ipv6_route
}

if command -v ping >/dev/null; then
	tool=ping
elif command -v busybox >/dev/null; then
	tool="busybox ping"
else
	fatal "there is no ping here"
fi
read_parameter
[ -n "$address" ] || address=%gateway
found="$address"
count=0
while :; do
	[ "$address" != %gateway ] || find_gateway
	count=$((count + 1))
	if [ -n "$found" ] && reply="$($tool ${version:+"-$version"} -c 1 -W 1 "$found" 2>&1)"; then
		message "${found} answers${count:+ (attempt $count)}"
		break
	fi
	if [ -n "$found" ]; then
		reason="$found does not answer"
		debug "${reply:-}"
	else
		reason="there is no default gateway"
	fi
	[ "$count" != "$limit" ] || fatal "$reason after $count attempt(s)"
	[ $((count % REPORT_EVERY)) -ne 1 ] || message "$reason, still waiting"
	sleep 1
done
