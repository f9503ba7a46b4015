#!/bin/sh -efu
# iso9660: see squashfs.

. "$BC_LIB/../steps/squashfs.sh"
