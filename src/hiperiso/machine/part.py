"""The interface of a part of a machine, and the context in which it is prepared.

::

    settings, facts --plan_*--> Part --prepare--> files, helper processes, listening sockets
                                  `---argv-----> arguments of QEMU's command line

A socket at which QEMU listens is bound by us before QEMU starts, and passed as a descriptor: clients can connect
while QEMU is still busy. The recorded command line contains the socket's path instead, so that it
can be pasted into a shell.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from hiperiso.errors import HarnessFault, UsageError

SOCKET_PATH_MAX_BYTES: Final = 107
"""Longest path of a unix socket on Linux (sun_path is 108 bytes with its terminator)."""

_BACKLOG = 4


class Part(msgspec.Struct, frozen=True):
    """One part of a machine, a frozen value. All paths are absolute."""

    def prepare(self, preparation: Preparation) -> None:
        """Make the part's files, start its helper processes, bind its sockets.

        Raises:
            HarnessFault: something that the part needs is missing or fails.
            OSError: the session directory cannot be written.
        """

    def argv(self) -> list[str]:
        """Its arguments of QEMU's command line, as they can be pasted into a shell. Pure."""
        raise NotImplementedError

    def argv_with(self, listening: Mapping[Path, int]) -> list[str]:  # noqa: ARG002 - for parts with sockets
        """The same with descriptors instead of the sockets that are already bound. Pure."""
        return self.argv()

    def notes(self) -> tuple[str, ...]:
        """Notes on this part for readers of the session."""
        return ()


class Preparation(msgspec.Struct, frozen=True):
    """The context in which the parts of one boot are prepared.

    Attributes:
        stack: ends what `Part.prepare` starts, after QEMU has ended.
        listening: descriptor by path of each socket that is bound for QEMU.
        start_child: starts a helper process, like `subprocess.Popen`; the recorder ties it to itself.
    """

    stack: ExitStack
    listening: dict[Path, int] = msgspec.field(default_factory=dict)
    start_child: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen

    def listen(self, path: Path) -> None:
        """Bind a unix socket for QEMU.

        Raises:
            HarnessFault: it cannot be bound.
        """
        from _socket import AF_UNIX, SOCK_STREAM, socket  # importing `socket` takes 10 ms

        bound = socket(AF_UNIX, SOCK_STREAM)
        try:
            path.unlink(missing_ok=True)
            bound.bind(os.fsencode(path))
            bound.listen(_BACKLOG)
        except OSError as error:
            bound.close()
            raise HarnessFault(f"cannot listen at {path}: {error.strerror or error}") from None
        self.listening[path] = bound.detach()
        self.stack.callback(self.hand_over)

    def hand_over(self) -> None:
        """Close our copies of the sockets: QEMU owns them from now on."""
        while self.listening:
            os.close(self.listening.popitem()[1])


def escape(value: Path | str) -> str:
    """A value inside a QEMU option list, in which commas are doubled."""
    return str(value).replace(",", ",,")


def require_absolute(*paths: Path | None) -> None:
    """Raises UsageError: one of the paths is relative."""
    for path in paths:
        if path is not None and not path.is_absolute():
            raise UsageError(f"the machine needs absolute paths, not {str(path)!r}")


def require_socket_path(path: Path) -> None:
    """Raises UsageError: the path is relative, or too long for a socket."""
    require_absolute(path)
    if len(os.fsencode(path)) > SOCKET_PATH_MAX_BYTES:
        raise UsageError(
            f"socket path is longer than {SOCKET_PATH_MAX_BYTES} bytes: {path}",
            hint="use a log root with a shorter path",
        )
