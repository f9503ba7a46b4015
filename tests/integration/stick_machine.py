"""A stick in a machine: QEMU with the stick on a USB port, its serial line read and typed on."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from one_at_a_time import emulated_virtualisation, virtualises
from waiting import DEADLINE_S

PERIODIC = "nohz=off highres=off"
"""For a kernel that runs KVM on an emulated processor: its timer interrupts again and again, not once when it is armed.

QEMU's VMRUN sets a bit in the word of pending interrupts without a lock, and the interrupt that another of its threads
enters at that moment is lost. A timer that is armed once then never comes, and the machine stands still until another
device interrupts; of a periodic one the next comes a few milliseconds later.
"""
QUIET_S = 90.0
"""After so much of its own time without a word a machine of that kind gets an interrupt, in case that one was lost."""
WAKES = 3
"""How many it gets in a row."""
_OVMF = Path("/usr/share/OVMF")
_MONITOR = "qmp"
_ESCAPE = re.compile(rb"\x1b\[[0-9;?=]*[A-Za-z]")


class StandsStill(Exception):
    """A machine whose emulated processor virtualises printed nothing, whatever interrupts it got."""


@dataclass(frozen=True)
class Machine:
    """How the machine is built.

    Attributes:
        firmware: bios, uefi or secure (UEFI with the vendor's keys enrolled).
        memory_mb: its RAM.
        cpu: as QEMU's ``-cpu`` takes it; "max" has AMD's virtualisation, so KVM works on it.
        keep: what is written to the stick stays; otherwise it is gone with the machine.
    """

    firmware: str
    memory_mb: int = 512
    cpu: str = "qemu64"
    keep: bool = False


class Console:
    """The serial line of a machine that runs."""

    def __init__(self, process: subprocess.Popen[bytes], scratch: Path, *, may_stall: bool = False) -> None:
        self._process = process
        self._scratch = scratch
        self._may_stall = may_stall
        self._woken = 0
        self._last_word_s = self._own_s()
        self._raw = b""
        self._arrivals: list[tuple[int, float]] = []
        self._found_at = 0

    @property
    def text(self) -> str:
        """All that came, escape sequences as line breaks."""
        return _ESCAPE.sub(b"\n", self._raw).decode(errors="replace")

    def wait_for(self, words: str, timeout_s: float) -> None:
        """Read until `words` came, at any time."""
        deadline = time.monotonic() + timeout_s
        while words not in self.text:
            self._read(words, deadline, timeout_s)

    def wait_next(self, words: str, timeout_s: float) -> float:
        """Read until `words` came behind what was last waited for so; returns when, on the monotonic clock."""
        deadline = time.monotonic() + timeout_s
        wanted = words.encode()
        while (found := self._raw.find(wanted, self._found_at)) < 0:
            self._read(words, deadline, timeout_s)
        self._found_at = found + len(wanted)
        return next(when for size, when in self._arrivals if size >= self._found_at)

    def wait_off(self, timeout_s: float) -> None:
        """Read until the machine has gone off by itself."""
        deadline = time.monotonic() + timeout_s
        with contextlib.suppress(EOFError):
            while True:
                self._read("the end", deadline, timeout_s, ends=True)
        self._process.wait(timeout_s)

    def wait_until(self, true: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Read until it is true."""
        deadline = time.monotonic() + timeout_s
        while not true():
            self._read(what, deadline, timeout_s)

    def starved_s(self) -> float:
        """How long the machine's threads have waited for a processor of this computer so far, in all."""
        tasks = Path(f"/proc/{self._process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[1]) for task in tasks) / 1e9

    def lines(self) -> list[tuple[float, str]]:
        """When each line was complete on the monotonic clock, and the line."""
        found, start = [], 0
        for size, when in self._arrivals:
            end = self._raw.rfind(b"\n", start, size)
            if end >= 0:
                text = _ESCAPE.sub(b"", self._raw[start:end]).decode(errors="replace")
                found += [(when, line) for line in text.splitlines()]
                start = end + 1
        return found

    def type(self, keys: str) -> None:
        """Type on the serial line."""
        assert self._process.stdin is not None
        self._process.stdin.write(keys.encode())
        self._process.stdin.flush()

    def kill(self) -> float:
        """Cut the power; returns when, on the monotonic clock."""
        self._process.kill()
        self._process.wait()
        return time.monotonic()

    def monitor(self, command: str, **arguments: Any) -> Any:
        """Give QEMU a QMP command; returns what it returns."""
        folder = os.open(self._scratch, os.O_PATH | os.O_CLOEXEC)  # a socket's path must be short
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(DEADLINE_S)
            wire.connect(f"/proc/self/fd/{folder}/{_MONITOR}")
            os.close(folder)
            with wire.makefile("rw") as file:
                for name, values in (("qmp_capabilities", dict[str, Any]()), (command, arguments)):
                    file.write(json.dumps({"execute": name, "arguments": values}) + "\n")
                    file.flush()
                    while "return" not in (answer := json.loads(file.readline())):
                        assert "error" not in answer, answer
        return answer["return"]

    def photograph(self, target: Path) -> Path:
        """Write what is on the machine's screen as a PNG."""
        self.monitor("screendump", filename=str(target), format="png")
        return target

    def _read(self, words: str, deadline: float, timeout_s: float, *, ends: bool = False) -> None:
        assert time.monotonic() < deadline, f"no {words!r} within {timeout_s:g} s:\n{self.text[-3000:]}"
        try:
            self._take(deadline)
        except EOFError:
            assert ends, f"QEMU ended before {words!r} came:\n{self.text[-3000:]}"
            raise

    def _take(self, deadline: float) -> None:
        assert self._process.stdout is not None
        left = max(0.0, min(deadline - time.monotonic(), 1))
        if select.select([self._process.stdout], [], [], left)[0]:
            data = os.read(self._process.stdout.fileno(), 1 << 16)
            if not data:
                raise EOFError
            self._raw += data
            self._arrivals.append((len(self._raw), time.monotonic()))
            self._woken, self._last_word_s = 0, self._own_s()
        elif self._may_stall:
            with contextlib.suppress(OSError, ValueError):  # it has just gone off
                self._wake()

    def _own_s(self) -> float:
        """The time without that in which the machine waited for a processor of this computer."""
        try:
            return time.monotonic() - self.starved_s()
        except OSError:  # it has just gone off
            return time.monotonic()

    def _wake(self) -> None:
        """Press a key that types nothing: its interrupt brings those along that were lost (see `PERIODIC`)."""
        quiet_s = self._own_s() - self._last_word_s
        if quiet_s < QUIET_S * (self._woken + 1):
            return
        if self._woken == WAKES:
            raise StandsStill(f"nothing for {quiet_s:.0f} s:\n{self._state()}\n{self.text[-3000:]}")
        self._woken += 1
        print(f"nothing for {quiet_s:.0f} s: the machine gets an interrupt\n{self._state()}")
        self.monitor("send-key", keys=[{"type": "qcode", "data": "shift"}])

    def _state(self) -> str:
        """Registers and interrupts of the machine's processor."""
        shown = ("info registers", "info lapic")
        return "\n".join(self.monitor("human-monitor-command", **{"command-line": each}) for each in shown)


@contextlib.contextmanager
def machine(image: Path, kind: str | Machine, scratch: Path) -> Iterator[Console]:
    """Start a machine from the stick; `kind` may be just its firmware. It is gone after the block."""
    made = Machine(kind) if isinstance(kind, str) else kind
    (scratch / _MONITOR).unlink(missing_ok=True)
    with (
        emulated_virtualisation(made.cpu),
        subprocess.Popen(
            _argv(image, made, scratch),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=scratch,
        ) as process,
    ):
        try:
            yield Console(process, scratch, may_stall=virtualises(made.cpu))
        finally:
            process.kill()


def _argv(image: Path, made: Machine, scratch: Path) -> list[str]:
    secure = made.firmware == "secure"
    argv = ["qemu-system-x86_64", "-m", str(made.memory_mb), "-smp", "1", "-cpu", made.cpu, "-nodefaults"]
    argv += ["-no-reboot", "-display", "none", "-device", "VGA", "-serial", "stdio", "-accel", "tcg"]
    argv += ["-machine", "q35,smm=on" if secure else "q35", "-qmp", f"unix:{_MONITOR},server=on,wait=off"]
    # unsafe: what the machine wrote is in the image when QEMU is killed; this computer's own disk may take its time.
    drive = f"if=none,id=stick,format=raw,cache=unsafe,snapshot={'off' if made.keep else 'on'},file="
    argv += ["-device", "qemu-xhci", "-drive", drive + str(image).replace(",", ",,")]
    argv += ["-device", "usb-storage,drive=stick,bootindex=0"]
    if made.firmware != "bios":
        kind = ".ms" if secure else ""
        variables = scratch / "vars.fd"
        shutil.copyfile(_OVMF / f"OVMF_VARS_4M{kind}.fd", variables)
        code = _OVMF / f"OVMF_CODE_4M{kind}.fd"
        argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={code}"]
        argv += ["-drive", f"if=pflash,format=raw,file={variables}"]
    if secure:
        argv += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
    return argv
