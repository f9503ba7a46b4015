"""The rescue shell: why the boot failed, the end of the log, and a shell on the console."""

# ruff: noqa: PTH123, SIM105
# (pathlib and contextlib cost more CPU at the start than this module.)

from __future__ import annotations

import fcntl
import os
import termios

from bootchain.printable import masked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SHELLS = ("/bin/sh", "/bin/bash", "/usr/bin/bash")
PROMPT = "(bootchain) "
_LOG_LINES = 12
_LOG_TAIL_BYTES = 16384
_MAX_LINE_CHARS = 300


def explanation(reason: str, log_path: str) -> str:
    """What the console shows before the shell: safe for a terminal, whatever steps wrote to the log."""
    tail = log_tail(log_path)
    lines = ["", f"bootchain-init: the boot has failed: {_safe(reason)}", ""]
    if tail:
        lines += [f"The end of {log_path}:", *(f"  | {line}" for line in tail), ""]
    lines += [
        "Dropping to a rescue shell. Leave it with `exit` to run the chain again; `reboot -f` restarts the machine.",
        "",
    ]
    return "\n".join(lines)


def log_tail(path: str) -> list[str]:
    """The last lines of the log, control characters removed; [] when there is none."""
    try:
        with open(path, "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - _LOG_TAIL_BYTES))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [_safe(line) for line in text.splitlines()[-_LOG_LINES:]]


def start_shell(environment: Mapping[str, str]) -> int:
    """Start a shell with job control on the console. Returns its process, 0 when there is no shell at all."""
    shell = next((path for path in SHELLS if os.access(path, os.X_OK)), "")
    if not shell:
        return 0
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        _take_terminal(console_terminal())
        argv = [shell, "-i"]
        os.execve(shell, argv, {**environment, "PS1": PROMPT})  # noqa: S606
    finally:
        os._exit(126)


def console_terminal(active: str = "/sys/class/tty/console/active") -> str:
    """The terminal behind ``/dev/console``, which itself can control no session."""
    try:
        with open(active, encoding="ascii") as file:
            names = file.read(256).split()
    except (OSError, ValueError):
        names = []
    terminal = names[-1] if names else "console"
    return "/dev/tty1" if terminal == "tty0" else f"/dev/{terminal}"


def _take_terminal(path: str) -> None:
    try:
        tty = os.open(path, os.O_RDWR)
    except OSError:
        return
    try:
        fcntl.ioctl(tty, termios.TIOCSCTTY, 1)
    except OSError:
        pass
    for fd in (0, 1, 2):
        os.dup2(tty, fd)


def _safe(line: str) -> str:
    return masked(line[:_MAX_LINE_CHARS], " ")
