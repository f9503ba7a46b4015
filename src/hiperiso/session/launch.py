"""QEMU's start: by itself and before anything is loaded that observes it.

What observes is most of the recorder; loading it takes a machine that is slow to begin with (a stick's, under
emulation) longer than everything before. Nothing is lost meanwhile: QEMU writes its channels into files and a pipe.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from hiperiso.analysis.text import plain
from hiperiso.contract import files
from hiperiso.contract.events import Event
from hiperiso.contract.store import atomic_write
from hiperiso.contract.words import Source
from hiperiso.errors import HarnessFault, HiperisoError
from hiperiso.machine.argv import qemu_argv, quote_cmdline
from hiperiso.machine.spec import MachineSpec
from hiperiso.session.directory import SessionDirectory
from hiperiso.session.eventlog import EventLog
from hiperiso.session.process import QemuProcess

_MAX_STDERR_CHARS = 2000


@dataclass(frozen=True)
class Launched:
    """A QEMU that was just started.

    Attributes:
        process: it.
        event: the event that tells of it; only who listened by then has heard it.
        wall_zero_s: t = 0 of the event log in seconds since the epoch.
    """

    process: QemuProcess
    event: Event
    wall_zero_s: float


def launch_qemu(spec: MachineSpec, directory: SessionDirectory, log: EventLog) -> Launched:
    """Start QEMU, and the clock of the event log. Close the process in the end, whatever happens.

    Raises:
        HarnessFault: the program cannot be started.
        OSError: the session directory cannot be written.
    """
    argv = qemu_argv(spec)
    path = directory.path
    atomic_write(path / files.QEMU_CMDLINE, os.fsencode(f"{quote_cmdline(argv)}\n"))
    log.start_clock()
    directory.mark("qemu_launch")

    def hear(line: str) -> None:
        log.emit(Source.HARNESS, "stderr", plain(line, _MAX_STDERR_CHARS))

    process = QemuProcess.start(argv, directory=path, log=path / files.QEMU_STDERR, on_line=hear)
    wall_s = time.time()
    data = {"pid": process.pid, "wall_s": round(wall_s, 6), "recorder_cpu_s": recorder_cpu_s()}
    event = log.emit(Source.HARNESS, "started", data=data)
    return Launched(process, event, wall_s - event.t)


def recorder_cpu_s() -> float:
    """What the recorder itself has cost so far: the difference of two events is the price of what lies between."""
    return round(time.process_time(), 3)


def start_fault(process: QemuProcess, path: Path, fault: HiperisoError) -> HarnessFault:
    """Why a QEMU that was launched does not answer: what it said itself, where it has ended.

    Args:
        process: it.
        path: the session directory.
        fault: how that was noticed.
    """
    if not process.exited.is_set():
        return HarnessFault(fault.message, hint=fault.hint)
    return HarnessFault(
        f"QEMU would not start: {_last_words(path) or f'exit code {process.exit_code}'}",
        hint=f"paste {path / files.QEMU_CMDLINE} into a shell to see it; `hiperiso doctor` checks the machine",
    )


def exit_fault(process: QemuProcess, path: Path) -> str:
    """What was wrong with a QEMU that has ended by itself, in one line; empty when nothing was."""
    code = process.exit_code
    if code is None or code == 0:
        return ""
    words = _last_words(path)
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"QEMU was ended by {signal.Signals(-code).name}" + (f": {words}" if words else "")
    return f"QEMU ended with exit code {code}" + (f": {words}" if words else "")


def _last_words(path: Path) -> str:
    try:
        lines = (path / files.QEMU_STDERR).read_text(errors="replace").split(os.linesep)
    except OSError:
        return ""
    return next((plain(line).strip() for line in reversed(lines) if line.strip()), "")
