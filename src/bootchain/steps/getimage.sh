#!/bin/sh -efu
# getimage: fetches the image that getimage= names (http, https, ftp; file in place), checks it, and mounts it.
#
#	getimage=URL[#sha256=HEX][&mount=no]   getimage-checksum=[sha256:]HEX   getimage-opts=MOUNT-OPTIONS
#	getimage-timeout=SECONDS without a byte

# shellcheck disable=SC2034,SC2154 # the API reads PROG, and the daemon sets the rest
PROG=getimage
. bootchain-sh-functions
. image-sh-functions
[ -z "${BC_TERMINAL-}" ] || . dialog-sh-functions

FRUITLESS_TRIES=3 # in a row; as long as bytes come, it goes on
REPORT_S=5

# Sets url, shown (without a password), checksum, keep.
read_parameter() {
	url="${BC_URL-}"
	if [ -z "$url" ]; then
		need_parameter GETIMAGE
		url="$parameter"
	fi
	checksum="$(get_parameter GETIMAGE_CHECKSUM)"
	keep=
	stall_s="$(get_parameter GETIMAGE_TIMEOUT)"
	case "${stall_s:=60}" in
	*[!0-9]* | 0) fatal "getimage-timeout=$stall_s is not a number of seconds" ;;
	esac
	case "$url" in
	*"#"*) read_fragment "${url#*#}" && url="${url%%#*}" ;;
	esac
	shown="$url"
	case "${url#*://}" in
	*@*)
		rest="${url#*://}"
		case "${rest%%/*}" in
		*@*) shown="${url%%://*}://***@${rest#*@}" ;;
		esac
		;;
	esac
}

read_fragment() {
	IFS='&'
	for word in $1; do
		case "$word" in
		mount=no) keep=1 ;;
		mount=yes | "") ;;
		md5[:=]* | sha[0-9]*[:=]*) checksum="$word" ;;
		*) unset IFS && fatal "unknown option '$word' after # in getimage=" ;;
		esac
	done
	unset IFS
}

# decode TEXT: undo %XX.
decode() {
	rest="$1"
	while :; do
		case "$rest" in
		*%[0-9A-Fa-f][0-9A-Fa-f]*) ;;
		*) break ;;
		esac
		head="${rest%%%[0-9A-Fa-f][0-9A-Fa-f]*}"
		tail="${rest#"$head%"}"
		code="${tail%"${tail#??}"}"
		printf "%s\\$(printf %03o "0x$code")" "$head"
		rest="${tail#??}"
	done
	printf '%s\n' "$rest"
}

# size FILE: its bytes, 0 when it is not there.
size() {
	size=0
	if [ -f "$1" ]; then
		size="$(stat -c %s "$1" 2>/dev/null)" || {
			# shellcheck disable=SC2046 # words are wanted
			set -- $(ls -ln "$1")
			size="$5"
		}
	fi
}

# Sets downloader.
find_downloader() {
	if command -v curl >/dev/null; then
		downloader=curl
	elif ! command -v wget >/dev/null; then
		fatal "cannot fetch $shown: there is neither curl nor wget"
	else
		case "$(wget --version 2>/dev/null || :)" in
		"GNU Wget"*) downloader="GNU wget" ;;
		*) downloader="small wget" ;;
		esac
	fi
	case "$downloader $url" in
	"small wget https:"*)
		[ -n "$checksum" ] || wants_signature ||
			message "this wget may not check certificates: a checksum or a signature is needed to trust $shown"
		;;
	esac
}

# start URL FILE: becomes the tool that fetches, resuming when a part of FILE is there.
start() {
	if [ "$downloader" = curl ]; then
		exec curl -f -L -g -N -sS --proto =http,https,ftp --proto-redir =http,https,ftp --connect-timeout 30 \
			-C - -D "$headers" -o "$2" "$1"
	elif [ "$downloader" = "GNU wget" ]; then
		exec wget -nv -S -c -t 1 -T 30 -O "$2" "$1"
	elif [ -s "$2" ]; then
		exec wget -q -S -c -O "$2" "$1"
	else
		exec wget -q -S -O "$2" "$1"
	fi
}

# Sets status and total from what the server has said so far.
read_headers() {
	status=
	total=
	for log in "$headers" "$said"; do
		[ -f "$log" ] || continue
		while IFS= read -r line; do
			line="${line%"$CR"}"
			case "$line" in
			*HTTP/[0-9]*" "[1-5][0-9][0-9]*)
				status="${line##*HTTP/}"
				status="${status#* }"
				status="${status%"${status#???}"}"
				total=
				;;
			*[Cc]ontent-[Ll]ength:\ [0-9]*) total="${total:-$((${line##*: } + begin))}" ;;
			*[Cc]ontent-[Rr]ange:*/[0-9]*) total="${line##*/}" ;;
			esac
		done <"$log"
	done
	[ "$status" = 206 ] || [ -z "$total" ] || [ "$begin" = 0 ] || total=$((total - begin))
	case "$total" in
	*[!0-9]*) total= ;;
	esac
}

# watch PID FILE: report the progress, and end what does not move any more. In the foreground it also prints the lines of
# a gauge.
watch() {
	idle=0
	ticks=0
	last=-1
	while sleep 1 && kill -0 "$1" 2>/dev/null; do
		ticks=$((ticks + 1))
		size "$2"
		read_headers
		if [ "$size" = "$last" ]; then idle=$((idle + 1)); else idle=0; fi
		last="$size"
		if [ "$idle" -ge "$stall_s" ]; then
			message "nothing has come for $stall_s seconds"
			kill "$1" 2>/dev/null || :
			return
		fi
		text="$((size >> 10)) KiB"
		percent=0
		if [ "${total:-0}" -gt 0 ]; then
			text="$((size >> 10)) of $((total >> 10)) KiB ($((size * 100 / total)) %)"
			percent=$((size * 100 / total))
			printf '%s\n' "$percent" >"$datadir/progress" || :
		fi
		[ -z "${BC_TERMINAL-}" ] || printf '%s %s\n' "$percent" "$text"
		[ $((ticks % REPORT_S)) -ne 0 ] || message "$text"
	done
}

# transfer URL FILE: one try.
transfer() {
	size "$2"
	begin="$size"
	: >"$said"
	rm -f "$headers"
	(start "$1" "$2") >"$said" 2>&1 &
	tool=$!
	if [ -n "${BC_TERMINAL-}" ]; then
		watch "$tool" "$2" | { dialog_gauge "Fetching $shown" || cat >/dev/null; } &
	else
		watch "$tool" "$2" &
	fi
	watcher=$!
	trap 'kill "$tool" "$watcher" 2>/dev/null; exit 143' HUP INT TERM
	code=0
	wait "$tool" || code=$?
	# A gauge ends by itself and gives the terminal back.
	[ -n "${BC_TERMINAL-}" ] || kill "$watcher" 2>/dev/null || :
	wait "$watcher" 2>/dev/null || :
	trap - HUP INT TERM
	read_headers
	size "$2"
	if [ "$code" = 0 ] && [ -n "$total" ] && [ "$size" -ne "$total" ]; then
		printf 'got %s of %s bytes\n' "$size" "$total" >>"$said"
		[ "$size" -lt "$total" ] || rm -f "$2"
		code=1
	fi
	return "$code"
}

# Sets reason to the last line of what the tool said.
why() {
	reason=
	while IFS= read -r line; do
		case "$line" in
		"curl: ("*) reason="$line" && break ;; # advice may come after it
		*[![:space:]]*) reason="$line" ;;
		esac
	done <"$said"
	case "$reason" in
	*[![:print:]]*) reason="$(printf '%s' "$reason" | tr -cd ' -~')" ;;
	esac
	[ -n "$reason" ] || reason="the tool ended with $code"
	[ -z "$status" ] || [ "$status" -lt 400 ] || reason="the server answers $status: $reason"
}

# fetch URL FILE: tries until FILE is whole; fatal when it will not be.
fetch() {
	fruitless=0
	most=0
	while ! transfer "$1" "$2"; do
		why
		case "$status" in
		408 | 416 | 425 | 429) ;;
		4??) fatal "cannot fetch $shown: $reason" ;;
		esac
		# On a full file system not even the message of the tool may have found room.
		case "$downloader $code $reason" in
		*"No space left"* | "curl 23 "* | "GNU wget 3 "*)
			rm -f "$2"
			fatal "cannot fetch $shown: it does not fit into memory: $reason"
			;;
		esac
		size "$2"
		if [ "$size" -gt "$most" ] && [ "$size" -gt "$begin" ]; then
			most="$size"
			fruitless=0
		else
			fruitless=$((fruitless + 1))
			# A server that cannot go on where it was, or a part that does not belong to it.
			[ "$begin" = 0 ] || rm -f "$2"
		fi
		[ "$fruitless" -lt "$FRUITLESS_TRIES" ] || fatal "cannot fetch $shown: $reason"
		message "$reason; $size bytes are here, going on"
		sleep 1
	done
	rm -f "$headers" "$said"
}

# fetch_signature URL FILE: FILE.sig or FILE.asc, whichever the server has.
fetch_signature() {
	for type in $BC_SIGNATURES; do
		rm -f "$2.$type"
		case "$1" in
		*\?*) transfer "${1%%\?*}.$type?${1#*\?}" "$2.$type" && return ;;
		*) transfer "$1.$type" "$2.$type" && return ;;
		esac
		rm -f "$2.$type"
	done
	fatal "no signature of $shown: the server has neither .sig nor .asc of it"
}

# Sets file, having fetched it.
get_remote() {
	base="${url%%\?*}"
	base="${base##*/}"
	case "$base" in
	"" | . | .. | *.part) base=image ;;
	esac
	[ "${#base}" -le 200 ] || base=image
	file="$datadir/$base"
	find_downloader
	if [ ! -f "$file" ]; then
		message "fetching $shown"
		fetch "$url" "$file.part"
		mv "$file.part" "$file"
		size "$file"
		message "$shown is here, $size bytes"
		[ -z "$total" ] || : >"$datadir/whole"
	fi
	if wants_signature; then
		fetch_signature "$url" "$file"
	fi
}

# Sets file, which stays where it is.
get_local() {
	file="${url#file://}"
	file="/${file#*/}"
	[ -f "$file" ] || file="$(decode "$file")"
	[ -f "$file" ] || fatal "no such file: $file"
	[ -r "$file" ] || fatal "cannot read $file"
}

# throw_away WHY...: what was fetched is no good, so that the next try fetches it again.
throw_away() {
	case "$file" in
	"$datadir"/*) rm -f "$file" "$datadir/whole" ;;
	esac
	fatal "$@"
}

headers="$datadir/headers"
said="$datadir/said"
CR="$(printf '\r')"
begin=0
total=
read_parameter
[ -z "$checksum" ] || read_checksum
case "$url" in
http://?* | https://?* | ftp://?*) get_remote ;;
file:///?* | file://localhost/?*) get_local ;;
*) fatal "cannot fetch $shown: only http:// https:// ftp:// file:/// are known" ;;
esac
if [ -n "$checksum" ]; then
	check_sum "$file" || throw_away "$shown has the wrong checksum"
fi
if wants_signature; then
	(check_signature "$file") || throw_away "$shown is not trusted"
fi
if [ -n "$keep" ]; then
	cp "$file" "$destdir/${file##*/}" || fatal "cannot copy $file to $destdir"
	message "the result is ${file##*/}"
elif ! mount_image "$file" "$destdir" "$(get_parameter GETIMAGE_OPTS)"; then
	[ -e "$datadir/whole" ] || [ -n "$checksum" ] || throw_away "cannot mount $shown, which may not be whole"
	fatal "cannot mount $shown"
else
	message "$shown is mounted"
fi
