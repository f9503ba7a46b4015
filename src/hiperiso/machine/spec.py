"""One virtual machine as a frozen value: everything that decides QEMU's command line."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from hiperiso.contract.settings import MAX_CPUS
from hiperiso.contract.words import Display, Vga
from hiperiso.errors import UsageError
from hiperiso.machine.bootmode import DirectLoad

SOCKET_PATH_MAX_BYTES = 107
"""Longest path of a unix socket on Linux (sun_path is 108 bytes with its terminator)."""

_CPU_FEATURE = re.compile(r"[a-z0-9][a-z0-9_.-]*")


class Accel(StrEnum):
    """The accelerator that runs the guest."""

    KVM = "kvm"
    TCG = "tcg"


class TraceBackend(StrEnum):
    """How QEMU writes trace records: text lines, or the binary simpletrace format."""

    LOG = "log"
    SIMPLE = "simple"


@dataclass(frozen=True, kw_only=True)
class Bios:
    """QEMU's own SeaBIOS, or the image in `image`."""

    image: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Uefi:
    """UEFI firmware.

    Attributes:
        code: the executable image, opened read-only.
        variables: this machine's private, writable copy of the variable store; None for an image that holds both
            (loaded with ``-bios``: variables then live in memory alone).
        code_format: ``raw`` or ``qcow2``.
        variables_format: ``raw`` or ``qcow2``.
        smm: the image needs System Management Mode (Secure Boot builds).
    """

    code: Path
    variables: Path | None = None
    code_format: str = "raw"
    variables_format: str = "raw"
    smm: bool = False


@dataclass(frozen=True, kw_only=True)
class TraceSpec:
    """Trace recording.

    Attributes:
        events: file with one event name a line (see :func:`hiperiso.trace.write_event_list`).
        output: ``trace.log`` with the log backend, ``trace.bin`` with the simple one.
        backend: which of the two this QEMU has.
    """

    events: Path
    output: Path
    backend: TraceBackend


@dataclass(frozen=True, kw_only=True)
class MachineSpec:
    """A q35 machine with the ISO in an AHCI CD-ROM drive. All paths are absolute.

    Attributes:
        qemu: the QEMU binary.
        iso: the image; opened read-only.
        ram_path: file that becomes the guest's RAM (shared mapping, made by QEMU with mode 0600-ish umask rules);
            None for an anonymous shared memory file.
        serial_log: first serial port, appended.
        firmware_log: what SeaBIOS and debug builds of OVMF write to I/O port 0x402; the guest's screen and serial
            port are untouched by it.
        qmp_socket: unix socket for QMP; at most `SOCKET_PATH_MAX_BYTES`.
        monitor_socket: unix socket for the human monitor; the same bound.
        vnc_socket: a unix socket that serves the screen; with ``display=none`` beside that, without a tablet and
            with keys told by their place alone. None: ``display=vnc`` listens on 127.0.0.1 at the first free display.
        cpu_features: names to add to the CPU model (``vmx``).
        direct_load: what is started in place of the ISO's boot loader; None starts the ISO.
        network_pcap: None means no network card; else user-mode network recorded to this file.

    Raises:
        UsageError: a relative path, a socket path that is too long, a bad feature name, or sizes out of range.
    """

    qemu: Path
    iso: Path
    ram_mb: int
    cpus: int
    accel: Accel
    serial_log: Path
    firmware_log: Path
    qmp_socket: Path
    monitor_socket: Path
    name: str = "hiperiso"
    ram_path: Path | None = None
    cpu_features: tuple[str, ...] = ()
    firmware: Bios | Uefi = field(default_factory=Bios)
    direct_load: DirectLoad | None = None
    vga: Vga = Vga.STD
    display: Display = Display.NONE
    vnc_socket: Path | None = None
    trace: TraceSpec | None = None
    network_pcap: Path | None = None

    def __post_init__(self) -> None:
        self._check_sizes()
        for feature in self.cpu_features:
            if not _CPU_FEATURE.fullmatch(feature):
                raise UsageError(f"not a CPU feature name: {feature!r}", hint="names look like vmx or sse4.2")
        for path in self._paths():
            if not path.is_absolute():
                raise UsageError(f"the machine needs absolute paths, not {str(path)!r}")
        for socket in (self.qmp_socket, self.monitor_socket, self.vnc_socket):
            if socket is not None and len(os.fsencode(socket)) > SOCKET_PATH_MAX_BYTES:
                raise UsageError(
                    f"socket path is longer than {SOCKET_PATH_MAX_BYTES} bytes: {socket}",
                    hint="use a log root with a shorter path",
                )
        if self.trace and self.trace.backend is TraceBackend.LOG and "%" in str(self.trace.output):
            raise UsageError(
                f"QEMU cannot write its trace to a path with a percent sign: {self.trace.output}",
                hint="use a log root without % in its path",
            )

    def _check_sizes(self) -> None:
        if self.ram_mb < 1:
            raise UsageError(f"guest RAM must be at least 1 MB, not {self.ram_mb}")
        if not 1 <= self.cpus <= MAX_CPUS:
            raise UsageError(f"guest CPUs must be 1 to {MAX_CPUS}, not {self.cpus}")

    def _paths(self) -> list[Path]:
        paths = [self.iso, self.serial_log, self.firmware_log, self.qmp_socket, self.monitor_socket]
        optional = [self.ram_path, self.vnc_socket, self.network_pcap]
        if isinstance(self.firmware, Uefi):
            optional += [self.firmware.code, self.firmware.variables]
        else:
            optional.append(self.firmware.image)
        if self.trace:
            optional += [self.trace.events, self.trace.output]
        return paths + [path for path in optional if path is not None]
