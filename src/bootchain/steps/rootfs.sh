#!/bin/sh -efu
# rootfs: the result of the previous step is the root of stage 2. The daemon moves it to the root mount.

. bootchain-sh-functions

[ -n "$prevdir" ] || fatal "there is no previous result to take as root"
[ -d "$prevdir" ] || fatal "the previous result is not there: $prevdir"

break_bc_loop
