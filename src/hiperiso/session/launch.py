"""Starts QEMU before the observing code is imported.

The observers are most of the recorder; importing them takes a slow machine (booted from a stick, under
emulation) longer than everything before. Nothing is lost meanwhile: QEMU writes its channels to files and a pipe.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from hiperiso.contract import files
from hiperiso.contract.eventdata import StartData
from hiperiso.contract.events import QemuStarted
from hiperiso.contract.store import atomic_write
from hiperiso.machine.machine import Machine, quote_cmdline
from hiperiso.machine.part import Preparation
from hiperiso.session.child import start_child
from hiperiso.session.directory import SessionDirectory
from hiperiso.session.eventlog import EventLog


class Launched(msgspec.Struct, frozen=True):
    """A QEMU process that was just started.

    Attributes:
        process: the process; its output is buffered in the pipe.
        event: the event that reports the start; only earlier subscribers received it.
        wall_zero_s: t = 0 of the event log in seconds since the epoch.
    """

    process: subprocess.Popen[bytes]
    event: QemuStarted
    wall_zero_s: float


def launch_qemu(
    machine: Machine, preparation: Preparation, directory: SessionDirectory, log: EventLog
) -> Launched:
    """Start QEMU, and the clock of the event log. The recorded command can be pasted: it contains no descriptors.

    Raises:
        HarnessFault: the program cannot be started.
        OSError: the session directory cannot be written.
    """
    path = directory.path
    atomic_write(path / files.QEMU_CMDLINE, os.fsencode(f"{quote_cmdline(machine.argv())}\n"))
    directory.mark("qemu_launch")
    log.start_clock()
    listening = preparation.listening
    process = spawn_qemu(machine.argv_with(listening), directory=path, descriptors=tuple(listening.values()))
    preparation.hand_over()
    wall_s = time.time()
    data = StartData(pid=process.pid, wall_s=round(wall_s, 6), recorder_cpu_s=recorder_cpu_s())
    event = log.emit(QemuStarted(data=data))
    return Launched(process, event, wall_s - event.t)


def spawn_qemu(
    argv: Sequence[str], *, directory: Path, descriptors: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start QEMU in `directory`, away from the terminal's signals, so that it dies with us; all its output goes to one
    pipe.

    Raises:
        HarnessFault: the program cannot be started.
    """
    return start_child(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=directory,
        start_new_session=True,
        pass_fds=descriptors,
        # Guest writes fill the log root, not the system's disk; network.pcap has QEMU's local time.
        env=os.environ | {"TMPDIR": str(directory), "TZ": "UTC0"},
    )


def recorder_cpu_s() -> float:
    """The recorder's own cost so far: the difference between two events is the cost in between."""
    return round(time.process_time(), 3)
