#!/bin/bash
# Boots two real ISOs built from distribution packages and shows a verdict for each.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
hiperiso=.venv/bin/hiperiso

worst=0
boot() {
    local name=$1 iso status
    printf '\n== %s\n' "$name"
    iso=$($hiperiso samples build "$name") || return
    $hiperiso boot "$iso"
    status=$?
    [ $status -le $worst ] || worst=$status
}

boot memtest || worst=4
if ! boot debian-installer; then
    printf 'This distribution has no package of the Debian installer; booting a small Linux instead.\n'
    boot login-serial || worst=4
fi
exit $worst
