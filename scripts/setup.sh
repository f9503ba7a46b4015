#!/bin/bash
# Sets up this checkout: Debian or Ubuntu packages, then a virtual environment in .venv with the package in it.
# Idempotent. Needs root or sudo only if packages are missing.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root for: $* (no sudo here; run it as root, then make setup again)"
    fi
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Whether apt can install a package, not just knows its name.
known() { [[ $(apt-cache policy "$1" 2>/dev/null) == *"Candidate: "[!\(]* ]]; }

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=2 -o Acquire::http::Timeout=30 \
        -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

lists_are_fresh() { [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -1 -print -quit 2>/dev/null)" ]; }

refresh_lists() {
    say "apt-get update"
    apt_get update -q || say "apt-get update did not reach every source; continuing with the existing lists"
}

install_packages() {
    local line name optional missing=() absent=() updated=false
    while read -r line; do
        case $line in '' | '#'*) continue ;; esac
        name=${line#\?} optional=false
        [ "$line" = "$name" ] || optional=true
        installed "$name" && continue
        if ! $updated && { ! lists_are_fresh || ! known "$name"; }; then
            refresh_lists
            updated=true
        fi
        if known "$name"; then
            missing+=("$name")
        elif $optional; then
            say "this distribution has no package $name; features that need it will report it"
        else
            absent+=("$name")
        fi
    done <requirements/apt.txt
    [ ${#absent[@]} = 0 ] || die "this distribution has no package: ${absent[*]}"
    if [ ${#missing[@]} = 0 ]; then
        say "all packages are installed"
        return
    fi
    say "installing ${missing[*]}"
    apt_get install -q -y --no-install-recommends "${missing[@]}"
}

is_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null && is_python "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

make_venv() {
    local python=$1
    say "virtual environment in .venv with $("$python" --version)"
    rm -rf .venv
    if "$python" -m venv .venv >/dev/null 2>&1; then return; fi
    # Debian splits ensurepip off into a package of its own; borrow a pip where that cannot be had.
    rm -rf .venv
    if command -v apt-get >/dev/null; then
        local version
        version=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        if known "$version"; then apt_get install -q -y --no-install-recommends "$version" || true; fi
        if "$python" -m venv .venv; then return; fi
        rm -rf .venv
    fi
    "$python" -m venv --without-pip .venv || die "$python cannot make a virtual environment"
    "$python" -m pip --python .venv/bin/python install -q pip || die "$python has no pip: install python3-venv"
}

if command -v apt-get >/dev/null; then
    install_packages
else
    say "no apt-get here: see requirements/apt.txt for the Debian names of what is needed"
fi

if ! { [ -x .venv/bin/python ] && is_python .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    if ! python=$(find_python); then
        command -v apt-get >/dev/null || die "Python 3.11 or newer is needed"
        say "installing Python 3.11"
        apt_get install -q -y --no-install-recommends python3.11 python3.11-venv || die "Python 3.11 or newer is needed"
        python=$(find_python)
    fi
    make_venv "$python"
fi

say "installing hiperiso and its libraries into .venv"
.venv/bin/python -m pip install -q --disable-pip-version-check -c requirements/constraints.txt -e packaging/bootchain -e '.[dev,ocr,trace,secureboot]' </dev/null
touch .venv/.setup-stamp
say "done: .venv/bin/hiperiso --help"
