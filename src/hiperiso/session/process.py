"""The running QEMU process: its end is noticed without polling, its output is never lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hiperiso.contract import files
from hiperiso.errors import HarnessFault, HiperisoError
from hiperiso.packages import QEMU
from hiperiso.text import plain

_MAX_STDERR_BYTES = 1 << 20
_TERM_GRACE_S = 3.0


class QemuProcess:
    """A running QEMU. Both of its output streams go to one pipe, read live into `on_line` and ``qemu.stderr``."""

    def __init__(
        self, process: subprocess.Popen[bytes], *, log: Path, on_line: Callable[[str], None]
    ) -> None:
        self._process = process
        self._on_line = on_line
        try:
            self._log = log.open("ab", buffering=0)
            self._pidfd = os.pidfd_open(process.pid)
        except OSError:
            process.kill()  # no one else has a reference to it
            process.wait()
            raise
        self._logged_bytes = 0
        self._rest = b""
        self.exited = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        assert process.stdout is not None
        self._output = process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._loop.add_reader(self._output, self._read_output)
        self._loop.add_reader(self._pidfd, self._ended)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code once it has ended, negative for a signal; None while it runs."""
        return self._process.returncode

    async def wait(self, timeout_s: float) -> bool:
        """Whether it ended within `timeout_s`."""
        try:
            await asyncio.wait_for(self.exited.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """End it: SIGTERM, then SIGKILL. Returns when it is gone."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.exited.is_set():
                break
            self._process.send_signal(number)
            await self.wait(_TERM_GRACE_S)

    def close(self) -> None:
        """Release everything; a QEMU that still runs is killed."""
        if not self.exited.is_set():
            self._process.kill()
            self._process.wait()
            self._ended()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()

    def _ended(self) -> None:
        if self.exited.is_set():
            return
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._process.wait()
        self._read_output()
        self._loop.remove_reader(self._output)
        if self._rest:
            self._on_line(self._rest.decode(errors="replace"))
            self._rest = b""
        self.exited.set()

    def _read_output(self) -> None:
        while True:
            try:
                data = os.read(self._output, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                self._loop.remove_reader(self._output)
                return
            self._take(data)

    def _take(self, data: bytes) -> None:
        if self._logged_bytes < _MAX_STDERR_BYTES:
            self._logged_bytes += len(data)
            try:
                self._log.write(data)
            except OSError:
                self._logged_bytes = _MAX_STDERR_BYTES  # a full disk: the lines are still passed on
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-4096:]
        for line in lines:
            if line.strip():
                self._on_line(line.decode(errors="replace"))


def start_fault(process: QemuProcess, path: Path, fault: HiperisoError) -> HarnessFault:
    """Why a launched QEMU does not answer: its own message, if it has ended.

    Args:
        process: the process.
        path: the session directory.
        fault: the fault that was detected.
    """
    if not process.exited.is_set():
        return HarnessFault(fault.message, hint=fault.hint)
    words, code = _last_output(path), process.exit_code or 0
    if code < 0:
        return HarnessFault(
            f"QEMU {_how_it_ended(code)} before it answered" + (f": {words}" if words else ""),
            hint="a process that the kernel ended for lack of memory is named in its log (dmesg)",
        )
    known = next((hint for said, hint in _START_HINTS if said in words), "")
    return HarnessFault(
        f"QEMU would not start: {words or f'exit code {code}'}",
        hint=known
        or f"paste {path / files.QEMU_CMDLINE} into a shell to see it; `hiperiso doctor` checks the machine",
    )


_START_HINTS: Final = (
    ("unable to find CPU model", f"`{QEMU} -cpu help` lists the models that --cpu takes"),
    ("invalid kernel header", "--kernel takes a Linux kernel for PCs (a bzImage, often named vmlinuz)"),
    ("invalid option", f"--qemu-arg has what this QEMU does not know: see `{QEMU} -help`"),
    ("is not a valid device model name", f"`{QEMU} -device help` lists the devices of this QEMU"),
    ("Cannot allocate memory", "the host lacks the memory: give the guest less with --ram"),
)
"""What QEMU says of a request that it cannot carry out -> what to do. Source: the messages of QEMU 7.2 to 9.2."""


def exit_fault(process: QemuProcess, path: Path) -> HarnessFault | None:
    """The problem of a QEMU that has ended by itself; None when there was none."""
    code = process.exit_code
    if code is None or code == 0:
        return None
    words = _last_output(path)
    return HarnessFault(f"QEMU {_how_it_ended(code)}" + (f": {words}" if words else ""))


def _how_it_ended(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _last_output(path: Path) -> str:
    try:
        lines = (path / files.QEMU_STDERR).read_text(errors="replace").split(os.linesep)
    except OSError:
        return ""
    last = [plain(line).strip() for line in reversed(lines) if line.strip()]
    return next(
        (line for line in last if "qemu" in line), last[0] if last else ""
    )  # a hint may follow its error
