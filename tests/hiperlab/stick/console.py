"""A stick in a machine: QEMU with the stick on a USB port, its serial line read and typed on."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_OVMF = Path("/usr/share/OVMF")
_ESCAPE = re.compile(rb"\x1b\[[0-9;?=]*[A-Za-z]")


class Console:
    """The serial line of a machine that runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._raw = b""

    @property
    def text(self) -> str:
        """All that came, escape sequences as line breaks."""
        return _ESCAPE.sub(b"\n", self._raw).decode(errors="replace")

    def wait_for(self, words: str, timeout_s: float) -> None:
        """Read until `words` came."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + timeout_s
        while words not in self.text:
            left = deadline - time.monotonic()
            assert left > 0, f"no {words!r} within {timeout_s:g} s:\n{self.text[-3000:]}"
            if select.select([self._process.stdout], [], [], min(left, 1))[0]:
                data = os.read(self._process.stdout.fileno(), 1 << 16)
                assert data, f"QEMU ended before {words!r} came:\n{self.text[-3000:]}"
                self._raw += data

    def type(self, keys: str) -> None:
        """Type on the serial line."""
        assert self._process.stdin is not None
        self._process.stdin.write(keys.encode())
        self._process.stdin.flush()


@contextlib.contextmanager
def machine(image: Path, firmware: str, scratch: Path) -> Iterator[Console]:
    """Start a machine from the stick; `firmware`: bios, uefi or secure. It is gone after the block."""
    argv = [
        "qemu-system-x86_64",
        "-m",
        "512",
        "-nodefaults",
        "-no-reboot",
        "-display",
        "none",
        "-device",
        "VGA",
    ]
    argv += ["-serial", "stdio", "-accel", "tcg", "-machine", "q35,smm=on" if firmware == "secure" else "q35"]
    argv += [
        "-device",
        "qemu-xhci",
        "-drive",
        "if=none,id=stick,format=raw,snapshot=on,file=" + str(image).replace(",", ",,"),
    ]
    argv += ["-device", "usb-storage,drive=stick,bootindex=0"]
    if firmware != "bios":
        kind = ".ms" if firmware == "secure" else ""
        variables = scratch / "vars.fd"
        shutil.copyfile(_OVMF / f"OVMF_VARS_4M{kind}.fd", variables)
        code = _OVMF / f"OVMF_CODE_4M{kind}.fd"
        argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={code}"]
        argv += ["-drive", f"if=pflash,format=raw,file={variables}"]
    if firmware == "secure":
        argv += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=scratch
    ) as process:
        try:
            yield Console(process)
        finally:
            process.kill()
