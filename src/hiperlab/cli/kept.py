"""The end of a `hiperiso boot` whose guest is left running: the verdict, how to reach the guest, the hand-over."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from hiperiso.contract.manifest import Manifest
from hiperiso.errors import UsageError
from hiperiso.session.interrupt import Interrupt
from hiperiso.session.request import BootOutcome, GuestAccess
from hiperiso.text import printable
from hiperlab.cli.handover import attach
from hiperlab.cli.verdict import print_outcome


class KeptBoot:
    """Prints the verdict once, when it is made, and hands the guest over where that was asked for.

    Args:
        as_json: print the manifest.
        interactive: connect the terminal with the guest's serial port.
    """

    def __init__(self, *, as_json: bool, interactive: bool) -> None:
        self._as_json = as_json
        self._interactive = interactive
        self._attached: asyncio.Task[None] | None = None
        self.interrupted: Interrupt | None = None
        self.printed = False

    def __call__(self, path: Path, manifest: Manifest, access: GuestAccess) -> None:
        """The verdict is written, and the guest runs on."""
        print_outcome(BootOutcome(path=path, manifest=manifest), as_json=self._as_json)
        sys.stdout.flush()
        self.printed = True
        takes_terminal = self._interactive and access.serial is not None
        for line in access_lines(access, takes_terminal=takes_terminal):
            print(line, file=sys.stderr, flush=True)
        if takes_terminal and access.serial and self.interrupted:
            self._attached = asyncio.get_running_loop().create_task(
                attach(access.serial, self.interrupted.set)
            )

    async def settled(self) -> None:
        """Return when the terminal is the user's again."""
        if self._attached:
            await asyncio.gather(self._attached, return_exceptions=True)


def access_lines(access: GuestAccess, *, takes_terminal: bool) -> list[str]:
    """How to reach the guest, line by line."""
    lines = ["the guest runs on:"]
    lines += [f"  screen   VNC at {access.vnc}"] if access.vnc else []
    if takes_terminal:
        lines.append("  serial   this terminal; Ctrl-] ends the guest")
    elif access.serial:
        lines.append(f"  serial   socat -,rawer,escape=0x1d UNIX-CONNECT:{_shown(access.serial)}")
    lines.append(f"  monitor  socat READLINE UNIX-CONNECT:{_shown(access.monitor)}")
    return lines if takes_terminal else [*lines, "  it ends when it is switched off, or by Ctrl-C"]


def _shown(path: Path) -> str:
    return printable(str(path), 4096)


def check_terminal() -> None:
    """Refuse a hand-over where there is no terminal.

    Raises:
        UsageError: standard input or output is not one.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "--interactive needs a terminal",
            hint="--keep leaves the guest running and prints how to reach it",
        )
