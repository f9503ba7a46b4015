#!/bin/sh -efu
# liverw, live_rw: the result before under a writable layer on what liverw=ADDRESS[,make=MIB] names, not in memory.

# shellcheck disable=SC2034,SC2154 # the API reads PROG, and the daemon sets the rest
PROG="$name"
. bootchain-sh-functions
. image-sh-functions

own_parameter
[ -n "$parameter" ] || fatal "required parameter is empty: $name= names a directory, an image or a device"
export BC_WRITABLE="$parameter" # the parameters of overlayfs itself are for overlayfs
. "$BC_LIB/../steps/overlayfs.sh"
