"""``python -m bootchain``: explains itself, installs itself, runs its daemon."""

from __future__ import annotations

import sys

from bootchain import __version__
from bootchain.nearest import nearest

USAGE = """\
bootchain runs step-scripts one by one in an initramfs, until one of them has the root of the system.

  root=bootchain bootchain=waitdev,mountfs,mountfs,overlayfs,rootfs
      waitdev=CDROM:LABEL=MY_DISK mountfs=DEVNAME mountfs=rescue

waits for a medium with that label, mounts it, mounts the image `rescue` on it, makes that writable, and boots it.

usage: python3 -m bootchain COMMAND [ARGUMENT...]

  install, uninstall  put it into initramfs-tools, dracut, mkinitcpio, or a tree; see `install --help`
  run ...             the daemon (bootchained); see `run --help`
  steps               the steps that come along, one a line
  files               the files of an initramfs: mode, place there, place here
  dialog ...          one dialog on the terminal; see `dialog --help`
  --version           print the version

A step is a script with `. bootchain-sh-functions`, or Python with `from bootchain.step import Step`.
Exit codes: 0 done, 1 not possible, 2 usage; `run` has codes of its own.
"""


def main(arguments: list[str]) -> int:
    """Run one command. Returns the exit code."""
    command, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if command in ("--help", "-h", "help"):
        sys.stdout.write(USAGE)
        return 0
    if command == "--version":
        sys.stdout.write(f"bootchain {__version__}\n")
        return 0
    if command in _COMMANDS:
        return _COMMANDS[command](rest)
    near = nearest(command, _COMMANDS)
    hint = f"; did you mean {near}?" if near else "; see python3 -m bootchain --help"
    sys.stderr.write(f"bootchain: there is no command {command!r}{hint}\n")
    return 2


def _install(arguments: list[str]) -> int:
    from bootchain.install.command import main as install

    return install(["install", *arguments])


def _uninstall(arguments: list[str]) -> int:
    from bootchain.install.command import main as install

    return install(["uninstall", *arguments])


def _daemon(arguments: list[str]) -> int:
    from bootchain.daemon.main import main as run

    return run(arguments)


def _dialog(arguments: list[str]) -> int:
    from bootchain.interactive.command import main as dialog

    return dialog(arguments)


def _steps(_arguments: list[str]) -> int:
    from bootchain.daemon.places import step_names

    names = (name for name in step_names(()) if not name.startswith("_"))
    sys.stdout.write("".join(f"{name}\n" for name in sorted(names)))
    return 0


def _files(_arguments: list[str]) -> int:
    from bootchain.initramfs import files

    sys.stdout.write("".join(f"{mode:o} {target} {source}\n" for target, source, mode in files()))
    return 0


_COMMANDS = {
    "install": _install,
    "uninstall": _uninstall,
    "run": _daemon,
    "dialog": _dialog,
    "steps": _steps,
    "files": _files,
}


def run() -> int:
    """The program ``bootchain``. Returns the exit code."""
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
