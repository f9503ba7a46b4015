"""The QEMU of this machine: its path and features, queried from the binary, never derived from its version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from hiperiso.cache import cache_root
from hiperiso.errors import HarnessFault
from hiperiso.machine.qemu_memory import cached
from hiperiso.packages import QEMU, install_hint

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

BINARY = QEMU
CURRENT = "current"
ENVIRONMENT_VARIABLE = "HIPERISO_QEMU"
_PACKAGE = "qemu-system-x86"
_TIMEOUT_S = 30.0
_VERSION = re.compile(r"version (\d+(?:\.\d+)*)")
_SIMPLETRACE_MAGIC = b"\xff" * 8  # the first word of a simpletrace file
_BOOLEAN = re.compile(r"^\s+([a-z0-9][a-z0-9._-]*)=<bool>", re.MULTILINE)
_STDERR_SHOWN = 300


class TraceBackend(StrEnum):
    """How QEMU writes trace records: text lines, or the binary simpletrace format."""

    LOG = "log"
    SIMPLE = "simple"


def find_qemu(*, window: bool = False) -> Path:
    """The QEMU binary: ``HIPERISO_QEMU`` (a path or a command name), else our own build, else that on PATH.

    Args:
        window: whether the guest is shown in a window, which our own build does not support.

    Raises:
        HarnessFault: there is none, or the one in the variable cannot be executed.
    """
    asked = os.environ.get(ENVIRONMENT_VARIABLE, "")
    own = build_root() / CURRENT / BINARY
    if not asked and not window and os.access(own, os.X_OK):
        return own.resolve()
    found = shutil.which(asked or BINARY)
    if found:
        return Path(found).absolute()
    if asked:
        raise HarnessFault(
            f"{ENVIRONMENT_VARIABLE} does not name a program: {asked}",
            hint=f"unset it, or name a {BINARY} binary",
        )
    raise HarnessFault(f"{BINARY} is not installed", hint=install_hint(_PACKAGE))


def build_root() -> Path:
    """Where ``hiperiso qemu build`` keeps its builds."""
    return cache_root() / "qemu"


def qemu_version(qemu: Path) -> str:
    """The version, for instance ``7.2.22``.

    Raises:
        HarnessFault: the program does not run, or is not QEMU.
    """

    def ask() -> list[str]:
        text = _ask(qemu, ["--version"])
        match = _VERSION.search(text) if "QEMU" in text else None
        if not match:
            raise HarnessFault(f"{qemu} does not answer like QEMU", hint=install_hint(_PACKAGE))
        return [match.group(1)]

    return cached(qemu, "version", ask)[0]


def trace_events(qemu: Path) -> frozenset[str]:
    """Names of the trace events that this QEMU has; empty when it was built without tracing.

    Raises:
        HarnessFault: the program does not run.
    """

    def ask() -> list[str]:
        return sorted(filter(None, map(str.strip, _ask(qemu, ["-trace", "help"]).splitlines())))

    return frozenset(cached(qemu, "trace_events", ask))


def trace_backend(qemu: Path) -> TraceBackend | None:
    """How this QEMU writes traces; None when it writes none to a file.

    Determined by recording one event and reading the file: both backends accept ``file=``, and no option distinguishes
    them. A binary with both (which prints every event to standard error too) counts as the binary one.

    Raises:
        HarnessFault: the program does not run.
    """
    found = cached(qemu, "trace_backend", lambda: _try_trace(qemu))
    return TraceBackend(found[0]) if found else None


def cpu_features(qemu: Path) -> frozenset[str]:
    """The CPU features that can be switched on and off: every property of QEMU's CPU that is a boolean.

    Raises:
        HarnessFault: the program does not run.
    """

    def ask() -> list[str]:
        return sorted(_BOOLEAN.findall(_ask(qemu, ["-device", "max-x86_64-cpu,help"])))

    return frozenset(cached(qemu, "cpu_features", ask))


def displays(qemu: Path) -> frozenset[str]:
    """Display backends that this QEMU can load (``none``, ``gtk``, ...); VNC is not among them.

    Raises:
        HarnessFault: the program does not run.
    """
    lines = _ask(qemu, ["-display", "help"]).splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and " " not in line.strip())


def check_vnc(qemu: Path) -> None:
    """Start an empty machine that serves its screen over a socket.

    Raises:
        HarnessFault: this QEMU does not support it, or a file is missing; the text is QEMU's own message.
    """
    with _scratch() as directory:
        _start_and_quit(qemu, ["-vnc", f"unix:{directory}/vnc"])


def check_sandbox(qemu: Path) -> None:
    """Start an empty machine with the system call filter on.

    Raises:
        HarnessFault: QEMU has no sandbox, or does not start at all; the text is QEMU's own message.
    """
    _start_and_quit(qemu, ["-sandbox", "on"])


def _scratch() -> TemporaryDirectory[str]:
    from tempfile import TemporaryDirectory  # every recording imports this module, few need a directory

    return TemporaryDirectory(prefix="hiperiso-")


def _try_trace(qemu: Path) -> list[str]:
    with _scratch() as directory:
        trace = Path(directory, "trace")
        escaped = str(trace).replace(",", ",,")
        try:
            _start_and_quit(qemu, ["-trace", f"enable=runstate_set,file={escaped}"])
        except HarnessFault:
            return []  # a build without either backend ends with "option not supported"
        head = trace.read_bytes()[:64] if trace.is_file() else b""
    if head.startswith(_SIMPLETRACE_MAGIC):
        return [TraceBackend.SIMPLE.value]
    return [TraceBackend.LOG.value] if b"runstate_set" in head else []


def _start_and_quit(qemu: Path, options: Sequence[str]) -> None:
    """Start an empty machine and end it through its monitor."""
    machine = ["-machine", "none", "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "stdio"]
    _ask(qemu, [*machine, *options], stdin=b"quit\n")


def _ask(qemu: Path, options: Sequence[str], *, stdin: bytes = b"") -> str:
    """Standard output of the binary run with `options`."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            [str(qemu), *options],
            input=stdin,
            capture_output=True,
            timeout=_TIMEOUT_S,
            env=environment,
            cwd="/",
            check=False,
        )
    except OSError as error:
        raise HarnessFault(f"{qemu} cannot be run: {error.strerror}", hint=install_hint(_PACKAGE)) from error
    except subprocess.TimeoutExpired as error:
        raise HarnessFault(f"{qemu} {' '.join(options)} did not end within {_TIMEOUT_S:g} s") from error
    if done.returncode != 0:
        message = done.stderr.decode(errors="replace").strip()[-_STDERR_SHOWN:]
        raise HarnessFault(f"{qemu} {' '.join(options)} failed: {message or f'exit code {done.returncode}'}")
    return done.stdout.decode(errors="replace")
