"""Verifies a stick: every file of its system against the manifest's hashes, and the layout against the contract.

Nothing is written. ``update`` repairs what is found broken, except for a damaged data partition: that is left to
the file system's own check.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hiperiso.contract.stick import (
    BIOS_NUMBER,
    DATA_NUMBER,
    ESP_NUMBER,
    MARKER,
    MARKER_OFFSET,
    VENTOY_CPIO,
)
from hiperiso.errors import HarnessFault, UsageError
from hiperiso.text import printable
from hiperlab.run import tool_path
from hiperlab.stick.create import UNFINISHED, intent_of
from hiperlab.stick.esp import esp_problem, extracted_esp, fat_complaint, files_below
from hiperlab.stick.exfat import ExfatVolume
from hiperlab.stick.exfat.records import DIRTY_FLAG
from hiperlab.stick.filesystem import detect_filesystem
from hiperlab.stick.gpt import TYPE_BIOS, TYPE_ESP
from hiperlab.stick.grub import BOOT_CODE_BYTES
from hiperlab.stick.image import (
    STICK_MANIFEST,
    Stick,
    StickManifest,
    open_stick,
    read_config_of,
    read_manifest,
)
from hiperlab.stick.layout import SECTOR_BYTES, layout_problems
from hiperlab.stick.menu import CONFIG_COPY
from hiperlab.stick.payload import FileRecord, file_record
from hiperlab.stick.settings_file import lenient_config
from hiperlab.stick.unmet import unmet

Progress = Callable[[int], None]
_UPDATE = "hiperiso stick update repairs it"


@dataclass(frozen=True)
class Remark:
    """One deviation. ``broken``: the stick may not start, or not record."""

    what: str
    text: str
    broken: bool = True


_UNFINISHED = Remark("unfinished", f"the creation of this stick was interrupted: {_UPDATE}")


@dataclass(frozen=True)
class Verification:
    """The result of `verify_stick`."""

    findings: tuple[Remark, ...]
    manifest: StickManifest | None
    files_checked: int
    filesystem: str

    @property
    def broken(self) -> list[Remark]:
        """The findings that are broken."""
        return [finding for finding in self.findings if finding.broken]


def verify_stick(target: Path, *, progress: Progress | None = None) -> Verification:
    """Check a stick. `progress` gets the bytes of the system that were read.

    Raises:
        UsageError: there is no such image or device.
        HarnessFault: a tool is missing, so the state of the stick is unknown.
    """
    tool_path("mcopy", package="mtools")
    if intent_of(target):
        return Verification((_UNFINISHED,), None, 0, "")
    try:
        with open_stick(target) as stick:
            return _verify(stick, progress)
    except HarnessFault as fault:
        return Verification((Remark("table", f"{fault.message} ({fault.hint})"),), None, 0, "")


def _verify(stick: Stick, progress: Progress | None) -> Verification:
    findings = list(_table_findings(stick))
    if any(finding.what == "layout" for finding in findings):
        return Verification(tuple(findings), None, 0, "")
    data_findings, filesystem, config = _data_findings(stick)
    esp_findings, manifest, checked = _esp_findings(stick, config, progress)
    findings += [*data_findings, *esp_findings]
    if manifest is not None:
        findings += _boot_findings(stick, manifest)
        lacking = unmet(lenient_config(config).overrides.rules, manifest.versions)
        findings += [Remark("payload", text, broken=False) for text in lacking]
    return Verification(tuple(findings), manifest, checked, filesystem)


def _table_findings(stick: Stick) -> Iterator[Remark]:
    table = stick.table
    if table.from_backup:
        yield Remark(
            "table", f"the partition table at the start is damaged, the one at the end is not: {_UPDATE}"
        )
    for problem in layout_problems({number: part.extent for number, part in table.partitions.items()}):
        yield Remark("layout", f"{problem}: recreate it with hiperiso stick create")
        return
    for part in table.partitions.values():
        if part.extent.last_sector >= stick.size_bytes // SECTOR_BYTES:
            yield Remark("layout", f"partition {part.number} ends past the end: it was copied incompletely")
    for number, kind, name in ((ESP_NUMBER, TYPE_ESP, "EFI"), (BIOS_NUMBER, TYPE_BIOS, "BIOS boot")):
        if table.partitions[number].type_uuid != kind:
            yield Remark("type", f"partition {number} is not marked as {name} partition", broken=False)


def _data_findings(stick: Stick) -> tuple[list[Remark], str, bytes | None]:
    part = stick.table.partitions[DATA_NUMBER]
    if part.name.startswith(UNFINISHED):
        return [_UNFINISHED], "", None
    kind = detect_filesystem(stick.file, part.extent.offset_bytes)
    try:
        findings = list(_exfat_findings(stick)) if kind == "exfat" else []
        data = stick.data()
        config = read_config_of(data)
        count = sum(1 for _ in data.walk("/"))
    except (HarnessFault, UsageError) as error:
        return [Remark("data", f"the data partition is damaged: {error.message}")], kind, None
    if config is None:
        findings.append(
            Remark("config", "no /hiperiso/hiperiso.json: all settings are defaults", broken=False)
        )
    if not count:
        findings.append(Remark("data", "the data partition is empty", broken=False))
    findings += [
        Remark("config", f"hiperiso.json: {problem}", broken=False)
        for problem in lenient_config(config).problems
    ]
    return findings, kind, config


def _exfat_findings(stick: Stick) -> Iterator[Remark]:
    part = stick.table.partitions[DATA_NUMBER]
    volume = ExfatVolume.open(stick.file, part.extent.offset_bytes)
    if volume.boot.flags & DIRTY_FLAG:
        yield Remark(
            "data",
            "the data partition was not unmounted cleanly: fsck.exfat checks and clears it",
            broken=False,
        )


def _esp_findings(
    stick: Stick, config: bytes | None, progress: Progress | None
) -> tuple[list[Remark], StickManifest | None, int]:
    extent = stick.table.partitions[ESP_NUMBER].extent
    stick.file.seek(extent.offset_bytes)
    if problem := esp_problem(stick.file.read(SECTOR_BYTES)):
        return [Remark("esp", f"the EFI partition cannot be used: {problem}: {_UPDATE}")], None, 0
    try:
        with extracted_esp(stick.file, extent) as (image, folder):
            findings = [
                Remark("esp", f"the EFI partition is damaged: {c}: {_UPDATE}")
                for c in [fat_complaint(image)]
                if c
            ]
            manifest = read_manifest(folder / STICK_MANIFEST)
            if manifest is None:
                return (
                    [*findings, Remark("manifest", f"{STICK_MANIFEST} is missing or damaged: {_UPDATE}")],
                    None,
                    0,
                )
            findings += _file_findings(folder, manifest, progress)
            copy = folder / CONFIG_COPY.lstrip("/")
            if config is not None and copy.is_file() and copy.read_bytes() != config:
                text = "hiperiso.json was changed since the menu was created: update applies titles and theme"
                findings.append(Remark("menu", text, broken=False))
            return findings, manifest, len(manifest.files)
    except HarnessFault as fault:
        return [Remark("esp", f"the EFI partition is damaged: {fault.message}: {_UPDATE}")], None, 0


def _file_findings(folder: Path, manifest: StickManifest, progress: Progress | None) -> Iterator[Remark]:
    there = {path.lower(): file for path, file in files_below(folder).items()}  # FAT ignores case
    for path, record in manifest.files.items():
        file = there.pop(path.lower(), None)
        if file is None:
            yield Remark("missing", f"{path} is missing: {_UPDATE}")
        elif file_record(file, progress=progress) != record:
            yield Remark("changed", f"{path} differs from what was written: {_UPDATE}")
    if VENTOY_CPIO.lstrip("/") not in manifest.files:
        yield Remark("missing", f"{VENTOY_CPIO.lstrip('/')} is missing: {_UPDATE}")
    there.pop(STICK_MANIFEST.lower(), None)
    for path in sorted(there):
        yield Remark("foreign", f"{printable(path)} on the EFI partition is not from hiperiso", broken=False)


def _boot_findings(stick: Stick, manifest: StickManifest) -> Iterator[Remark]:
    if manifest.partuuid != stick.table.partitions[DATA_NUMBER].uuid:
        yield Remark("partuuid", f"the menu refers to another stick's data partition: {_UPDATE}")
    core = stick.table.partitions[BIOS_NUMBER].extent
    stick.file.seek(MARKER_OFFSET)
    if stick.file.read(1) != bytes([MARKER]):
        yield Remark(
            "marker",
            f"the marker byte {MARKER:#x} at {MARKER_OFFSET} of the first sector is missing: {_UPDATE}",
        )
    places = (
        ("boot code", 0, manifest.boot_sector, BOOT_CODE_BYTES),
        ("core.img", core.offset_bytes, manifest.core, core.size_bytes),
    )
    for name, offset, record, most in places:
        stick.file.seek(offset)
        data = stick.file.read(min(record.size_bytes, most))
        if FileRecord(hashlib.sha256(data).hexdigest(), len(data)) != record:
            yield Remark("bios", f"GRUB's {name} for legacy BIOS differs from what was written: {_UPDATE}")
