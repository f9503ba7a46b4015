#!/bin/sh -efu
# toram: the same as copyfile, for toram=.

. "$BC_LIB/../steps/copyfile.sh"
