#!/bin/sh -efu
# overlayfs: combines the elements of overlayfs=[OPTIONS:]LIST (the first one on top), or the previous result alone, under
# a writable layer in memory, or on what overlayfs-rw= names. overlayfs-opts= are options of the overlay, too; size= and
# nr_inodes= limit the layer in memory.

# shellcheck disable=SC2034,SC2154 # the API reads PROG, and the daemon sets the rest
PROG=overlayfs
. bootchain-sh-functions
. image-sh-functions

# Leaves nothing mounted behind, so that the next try starts afresh.
undo() {
	while read -r _ place _; do
		case "$place" in
		"$here"/*) places="$place${places:+ $places}" ;;
		esac
	done </proc/mounts
	for place in $places; do
		umount "$place" || :
	done
	places=
}

give_up() {
	cd /
	undo
	fatal "$@"
}

# are_options WORDS: whether these are options of a mount; addresses may have a colon, too.
are_options() {
	IFS=,
	for word in $1; do
		case "$word" in
		size=* | nr_inodes=* | nr_blocks=* | huge=* | xino=* | index=* | metacopy=* | redirect_dir=* | nfs_export=*) ;;
		uuid=* | verity=* | volatile | userxattr | rw | ro | nodev | nosuid | noexec | noatime | relatime) ;;
		*) unset IFS && return 1 ;;
		esac
	done
	unset IFS
}

# layer TARGET NUMBER: make the link or the mount point lNUMBER in datadir.
layer() {
	path="$(find_target "$1")" || give_up "cannot take $1 as a layer: it is not there"
	rm -f "l$2"
	if [ -d "$path" ]; then
		if is_unsigned "$path"; then
			mark_unsigned
		fi
		ln -s "$path" "l$2"
	elif [ -f "$path" ] || [ -b "$path" ]; then
		if wants_signature; then
			[ -f "$path" ] || give_up "signatures are asked for, and the device $path has none"
			check_signature "$path"
		fi
		mkdir -p "l$2"
		mount_image "$path" "l$2" ro || give_up "cannot mount the layer $path"
	else
		give_up "neither a directory nor an image: $path"
	fi
	message "layer $2: $path"
}

# writable_layer ADDRESS[,make=MIB]: what is there, or an image of that size that is made, becomes rw.
writable_layer() {
	place="${1%%,make=*}"
	path="$(resolve_target "$place")"
	case "$path" in
	*/DEVNAME) path="$(resolve_devname "${path%/DEVNAME}")" ;;
	esac
	case "$1" in
	*,make=*[!0-9]* | *,make=) give_up "${1##*,}: not a number of MiB" ;;
	*,make=*)
		if [ ! -e "$path" ]; then
			message "making $path, ${1##*,make=} MiB"
			dd if=/dev/zero of="$path" bs=1048576 count=0 seek="${1##*,make=}" 2>/dev/null &&
				{ mke2fs -q -F -t ext4 "$path" 2>/dev/null || mke2fs -F "$path" >&2; } || give_up "cannot make $path"
		fi
		;;
	esac
	if [ -d "$path" ]; then
		run mount --bind "$path" rw || give_up "cannot bind $path as the writable layer"
	elif [ -e "$path" ]; then
		mount_image "$path" rw rw || give_up "cannot mount $path as the writable layer"
	else
		give_up "there is no $place for the writable layer: ${path:-no such step} (overlayfs-rw=$place,make=MIB makes it)"
	fi
}

places=
cd "$datadir"
here="$(pwd -P)" # as the kernel names it
undo

elements=
given=
if [ -z "${BC_WRITABLE-}" ]; then
	elements="$(get_parameter OVERLAYFS)"
	given="$(get_parameter OVERLAYFS_OPTS)"
fi
case "$elements" in
*:*) ! are_options "${elements%%:*}" || {
	given="${elements%%:*}${given:+,$given}"
	elements="${elements#*:}"
} ;;
esac
[ -n "$elements" ] || elements=.
lower=
count=0
IFS=,
for element in $elements; do
	unset IFS
	[ -n "$element" ] || continue
	layer "$element" "$count"
	# Short relative names: the kernel takes one page of options, and no path needs escapes.
	lower="$lower${lower:+:}l$count"
	count=$((count + 1))
done
unset IFS
[ -n "$lower" ] || give_up "no layers in overlayfs=$elements"

memory=mode=0755
options=
IFS=,
for option in $given; do
	case "$option" in
	size=* | nr_inodes=* | nr_blocks=* | huge=*) memory="$memory,$option" ;;
	lowerdir=* | upperdir=* | workdir=*) unset IFS && give_up "$option: the layers come from overlayfs=" ;;
	?*) options="$options,$option" ;;
	esac
done
unset IFS

load_drivers overlay || :
mkdir -p rw
writable="${BC_WRITABLE:-$(get_parameter OVERLAYFS_RW)}"
if [ -n "$writable" ]; then
	writable_layer "$writable"
else
	run mount -t tmpfs -o "$memory" overlayfs rw || give_up "cannot mount a tmpfs ($memory) for the writable layer"
fi
mkdir -p rw/upper rw/work
# The root of the overlay is the upper directory: it has to look like the root of the top layer.
chmod "$(stat -L -c %a l0 2>/dev/null || echo 755)" rw/upper
chown "$(stat -L -c %u:%g l0 2>/dev/null || echo 0:0)" rw/upper
run mount -t overlay -o "lowerdir=$lower,upperdir=rw/upper,workdir=rw/work$options" overlayfs "$destdir" ||
	give_up "cannot combine the layers ($elements)${options:+ with the options ${options#,}}"
if [ -n "$writable" ]; then
	message "$count layer(s) under a writable one on $writable"
else
	message "$count layer(s) under a writable one in memory"
fi
