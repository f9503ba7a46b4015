"""``install`` and ``uninstall`` of the command line."""

from __future__ import annotations

import sys
from pathlib import Path

from bootchain.install.targets import KINDS, NEXT, TREE, InstallError, install, uninstall

USAGE = """\
usage: bootchain install   [--initramfs-tools DIR] [--dracut DIR] [--mkinitcpio DIR] [--tree DIR]
       bootchain uninstall [--initramfs-tools DIR] [--dracut DIR] [--mkinitcpio DIR] [--tree DIR]

Writes hooks and scripts, so that the generator of a distribution makes images that boot with root=bootchain.
Installing again replaces what is there; uninstalling removes it.

  --initramfs-tools DIR  usually /etc/initramfs-tools             (Debian, Ubuntu: update-initramfs)
  --dracut DIR           usually /usr/lib/dracut/modules.d        (Fedora, openSUSE, Debian: dracut)
  --mkinitcpio DIR       usually /etc/initcpio                    (Arch: mkinitcpio)
  --tree DIR             the unpacked tree of an initramfs

Example:

  python3 -m bootchain install --initramfs-tools /etc/initramfs-tools && update-initramfs -u

Exit codes: 0 done, 1 it cannot be, 2 usage.
"""


def main(arguments: list[str]) -> int:
    """Run one of the two. Returns the exit code."""
    action, *rest = arguments
    if not rest or rest in (["--help"], ["-h"]):
        (sys.stdout if rest else sys.stderr).write(USAGE)
        return 0 if rest else 2
    wanted: list[tuple[str, Path]] = []
    while rest:
        word = rest.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in {*KINDS, TREE}:
            return _refuse(f"unknown argument {word!r}; see --help", 2)
        if not equals and not rest:
            return _refuse(f"{word} needs a directory", 2)
        wanted.append((name, Path(value if equals else rest.pop(0))))
    for kind, directory in wanted:
        try:
            files = (install if action == "install" else uninstall)(kind, directory)
        except InstallError as error:
            return _refuse(str(error), 1)
        except OSError as error:
            return _refuse(f"{error.filename or directory}: {error.strerror}", 1)
        verb = "written to" if action == "install" else "removed from"
        sys.stdout.write(f"{len(files)} files {verb} {directory}\n")
        if action == "install":
            sys.stdout.write(f"next: {NEXT[kind]}\n")
    return 0


def _refuse(message: str, code: int) -> int:
    sys.stderr.write(f"bootchain: {message}\n")
    return code
