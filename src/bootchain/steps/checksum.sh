#!/bin/sh -efu
# checksum: checks a file of the result before, and passes that result on.
#
#	checksum=ADDRESS#[ALGORITHM=]HEX   without a sum: the one in ADDRESS.sha256, .sha512, .sha1 or .md5

# shellcheck disable=SC2034,SC2154 # the API reads PROG, and the daemon sets the rest
PROG="$name"
. bootchain-sh-functions
. image-sh-functions

need_parameter CHECKSUM
target="$(find_target "${parameter%%#*}")" || fatal "cannot check ${parameter%%#*}: it is not there"
[ -f "$target" ] || fatal "not a file: $target"
checksum=
case "$parameter" in
*"#"*) checksum="${parameter#*#}" ;;
*)
	for type in sha256 sha512 sha1 md5; do
		if [ -z "$checksum" ] && [ -r "$target.$type" ]; then
			read -r checksum _ <"$target.$type" || :
			checksum="$type:$checksum"
		fi
	done
	;;
esac
[ -n "$checksum" ] || fatal "no sum for $target: neither in checksum= nor in a file beside it"
read_checksum
check_sum "$target" || fatal "$target is damaged"
bypass_results
