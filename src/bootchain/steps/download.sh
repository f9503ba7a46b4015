#!/bin/sh -efu
# download: fetches download=URL, as getimage does, and leaves the file as the result.

# shellcheck disable=SC2034,SC2154 # the API reads PROG, and the daemon sets the rest
PROG="$name"
. bootchain-sh-functions
. image-sh-functions

need_parameter DOWNLOAD
case "$parameter" in
*"#"*) parameter="$parameter&mount=no" ;;
*) parameter="$parameter#mount=no" ;;
esac
export BC_URL="$parameter" # the parameters of getimage itself are for getimage
. "$BC_LIB/../steps/getimage.sh"
