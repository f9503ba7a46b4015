"""The facts from which a machine is planned, in addition to the settings: ISO, host and QEMU."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hiperiso.contract.hardware import DiskFormat, ImageKind
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import Display, TraceLevel
from hiperiso.errors import UsageError
from hiperiso.images.formats import disk_format
from hiperiso.iso.inspect import IsoInfo, open_image
from hiperiso.iso.reader import ImageReader
from hiperiso.machine.firmware import FirmwareCatalog, find_firmware
from hiperiso.machine.memdisk import find_memdisk
from hiperiso.machine.qemu import (
    TraceBackend,
    cpu_features,
    find_qemu,
    qemu_version,
    trace_backend,
    trace_events,
)
from hiperiso.trace.tiers import select_events

if TYPE_CHECKING:
    from hiperiso.images.answers import Answers
    from hiperiso.images.injection import Injection


class Accel(StrEnum):
    """The accelerator that runs the guest."""

    KVM = "kvm"
    TCG = "tcg"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The locations of the files of one boot.

    Attributes:
        directory: the session directory.
        private: common prefix of the paths of private files (sockets, guest RAM).
        ram_fits: whether guest RAM can be a file among the private ones.
        screen_socket: socket where the screen is served, and not shown elsewhere; None for the display in the settings.
    """

    directory: Path
    private: Path
    ram_fits: bool
    screen_socket: Path | None = None

    def private_path(self, suffix: str) -> Path:
        """The path of the private file with that suffix, such as ``qmp``."""
        return self.private.with_name(f"{self.private.name}.{suffix}")

    @property
    def ram_copy(self) -> Path:
        """The copy of the ISO in the host's RAM, in boot mode memdisk."""
        return self.private_path("iso")


class ExtractedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the medium's boot menu, with copies of its kernel and of its initrds in one file."""

    title: str
    source: str
    arguments: str
    kernel: Path
    initrd: Path | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that planning may use.

    Attributes:
        accel: the accelerator that was chosen.
        iso: the image that is booted.
        place: the locations of the files.
        firmware: the firmware images of this machine.
        qemu: the QEMU binary.
        qemu_version: for instance ``7.2.22``.
        trace_backend: how this QEMU writes traces; None when it cannot, or no trace was requested.
        trace_tiers: the events of each tier that this QEMU has.
        trace_missing: the events of the requested tier that it does not have.
        cpu_features: the CPU features that this QEMU knows; None where none was requested.
        host_ram_mb: the host's RAM; 0 when unknown.
        formats: the format of each file that is a disk.
        kind: what the file that is booted was taken for.
        format: of a disk image that is booted.
        entry: the entry of the medium's boot menu that is started without the menu.
        overlay: a qcow2 image over the ISO, with replaced files.
        needs_medium: the system on the ISO looks for its medium once its kernel runs.
        answers: the answers for an installer.
        injection: the archive of files for the guest.
        memdisk: the program memdisk; None without it.
    """

    accel: Accel
    iso: IsoInfo
    place: Place
    firmware: FirmwareCatalog
    qemu: Path
    qemu_version: str
    trace_backend: TraceBackend | None = None
    trace_tiers: Mapping[TraceLevel, tuple[str, ...]] = msgspec.field(default_factory=dict)
    trace_missing: tuple[str, ...] = ()
    cpu_features: frozenset[str] | None = None
    host_ram_mb: int = 0
    formats: Mapping[Path, DiskFormat] = msgspec.field(default_factory=dict)
    kind: ImageKind = ImageKind.ISO
    format: DiskFormat = DiskFormat.RAW
    entry: ExtractedEntry | None = None
    overlay: Path | None = None
    needs_medium: bool = False
    answers: Answers | None = None
    injection: Injection | None = None
    memdisk: Path | None = None


def gather_facts(
    settings: Settings,
    accel: Accel,
    iso: IsoInfo,
    place: Place,
    *,
    host_ram_mb: int,
    kind: ImageKind = ImageKind.ISO,
    form: DiskFormat = DiskFormat.RAW,
) -> Facts:
    """Collect the facts for planning from this machine and its QEMU.

    Raises:
        HarnessFault: QEMU is missing, or does not answer.
        UsageError: a disk, an image, answers or an archive cannot be used.
    """
    _require_files(*settings.dud, settings.persistence, settings.kernel, settings.initrd)
    qemu = find_qemu(window=settings.display is Display.GTK)
    backend = trace_backend(qemu) if settings.trace is not TraceLevel.NONE else None
    known = trace_events(qemu) if backend else frozenset()
    return Facts(
        accel=accel,
        iso=iso,
        place=place,
        firmware=find_firmware(),
        qemu=qemu,
        qemu_version=qemu_version(qemu),
        trace_backend=backend,
        trace_tiers={level: select_events(level, known)[0] for level in TraceLevel} if backend else {},
        trace_missing=select_events(settings.trace, known)[1] if backend else (),
        cpu_features=cpu_features(qemu) if settings.cpu_features else None,
        host_ram_mb=host_ram_mb,
        formats={drive.file: _format(drive.file) for drive in settings.disk if drive.file is not None},
        kind=kind,
        format=form,
        answers=_answers(settings.auto_install),
        injection=_injection(settings.injection),
        memdisk=find_memdisk(),
    )


def _answers(file: Path | None) -> Answers | None:
    if file is None:
        return None
    from hiperiso.images.answers import read_answers  # few boots have any

    return read_answers(file)


def _injection(archive: Path | None) -> Injection | None:
    if archive is None:
        return None
    from hiperiso.images.injection import read_injection

    return read_injection(archive)


def _require_files(*files: Path | None) -> None:
    for file in files:
        if file is not None and not file.is_file():  # QEMU would wait for a pipe
            what = "not a file" if file.exists() else "no such file"
            raise UsageError(f"{what}: {file}", hint="check the path")


def _format(path: Path) -> DiskFormat:
    if path.is_dir():
        raise UsageError(f"the disk is not a file: {path}", hint="check the path")
    descriptor = open_image(path)
    try:
        return disk_format(path, ImageReader(descriptor))[0]
    finally:
        os.close(descriptor)
