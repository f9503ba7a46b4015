#!/bin/sh
# What udhcpc of busybox calls with a lease: see busybox, examples/udhcp/simple.script, for the variables.

case "${1-}" in
deconfig)
	ip addr flush dev "$interface"
	ip link set "$interface" up
	;;
bound | renew)
	ip addr flush dev "$interface"
	ip addr add "$ip/${mask:-${subnet:-24}}" dev "$interface" || exit 1
	for hop in ${router-}; do
		ip route replace default via "$hop" dev "$interface" && break
	done
	: >/etc/resolv.conf
	[ -z "${domain-}" ] || echo "search $domain" >>/etc/resolv.conf
	for server in ${dns-}; do
		echo "nameserver $server" >>/etc/resolv.conf
	done
	;;
esac
exit 0
