#!/bin/sh -efu
# live_rw: the same as liverw, for live_rw=.

. "$BC_LIB/../steps/liverw.sh"
