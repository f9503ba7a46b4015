"""The system of a stick: the EFI partition's files, core.img and boot code; prepared as files, then written.

Preparation can fail (a tool is missing, the payload does not fit) and changes no stick. Writing can be interrupted;
then the first sector of the EFI partition is empty, which `verify` reports and `update` repairs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import msgspec

from hiperiso import __version__
from hiperiso.contract.stick import VENTOY_CPIO
from hiperiso.errors import HarnessFault
from hiperlab.stick.esp import SPARE_BYTES, build_esp, empty_cpio, free_bytes_of, write_esp
from hiperlab.stick.gpt import Identity
from hiperlab.stick.grub import BOOT_CODE_BYTES, Loaders
from hiperlab.stick.image import STICK_MANIFEST, StickManifest
from hiperlab.stick.layout import StickLayout, size_text
from hiperlab.stick.menu import CONFIG_COPY, MenuFacts, render_menu
from hiperlab.stick.payload import FileRecord, Payload, file_record
from hiperlab.stick.settings_file import StickConfig
from hiperlab.stick.theme import theme_files

GRUB_CFG = "EFI/BOOT/grub.cfg"
PAYLOAD_FOLDER = "EFI/hiperiso"


@dataclass(frozen=True)
class SystemParts:
    """The parts of a system: see `prepare_system`."""

    layout: StickLayout
    identity: Identity
    payload: Payload
    loaders: Loaders
    config: StickConfig
    kernel_options: str | None = None


@dataclass(frozen=True)
class PreparedSystem:
    """A system ready to be written. ``esp``: the image of the EFI partition."""

    layout: StickLayout
    esp: Path
    boot_sector: bytes
    core: bytes


def prepare_system(scratch: Path, parts: SystemParts) -> PreparedSystem:
    """Build everything in `scratch`; the same parts give the same bytes.

    Raises:
        HarnessFault: a tool is missing or fails, or less than 15 MB would stay free.
    """
    files = system_files(parts)
    size = sum(len(c) if isinstance(c, bytes) else c.stat().st_size for c in files.values())
    if size > parts.layout.esp.size_bytes - SPARE_BYTES:
        raise HarnessFault(
            f"the payload and the boot loaders take {size_text(size)}; the EFI partition has"
            f" {size_text(parts.layout.esp.size_bytes)} and must keep {size_text(SPARE_BYTES)} free",
            hint="hiperiso payload info shows the sizes",
        )
    manifest = StickManifest(
        files={path: _record(content) for path, content in sorted(files.items())},
        boot_sector=bytes_record(parts.loaders.boot_sector),
        core=bytes_record(parts.loaders.core),
        partuuid=str(parts.identity.data),
        grub=parts.loaders.grub,
        hiperiso_version=__version__,
        versions=parts.payload.manifest.versions,
        kernel_options=parts.kernel_options,
    )
    files[STICK_MANIFEST] = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    image = scratch / "esp.img"
    build_esp(image, parts.layout.esp, files, serial=parts.identity.esp_serial)
    if free_bytes_of(image) < SPARE_BYTES:
        raise HarnessFault(
            "the EFI partition keeps too little free", hint="hiperiso payload info shows the sizes"
        )
    return PreparedSystem(parts.layout, image, parts.loaders.boot_sector, parts.loaders.core)


def system_files(parts: SystemParts) -> dict[str, bytes | Path]:
    """The EFI partition's files except the manifest: path -> content."""
    facts = menu_facts(parts)
    files: dict[str, bytes | Path] = dict(parts.loaders.efi)
    files |= theme_files()
    files[GRUB_CFG] = render_menu(facts).encode()
    files[CONFIG_COPY.lstrip("/")] = parts.config.raw
    files[VENTOY_CPIO.lstrip("/")] = empty_cpio()
    files |= {f"{PAYLOAD_FOLDER}/{name}": path for name, path in parts.payload.files.items()}
    return files


def menu_facts(parts: SystemParts) -> MenuFacts:
    """The input for the boot menu of a system."""
    facts = MenuFacts(str(parts.identity.data), parts.config.menu)
    return facts if parts.kernel_options is None else replace(facts, kernel_options=parts.kernel_options)


def write_system(
    file: BinaryIO, prepared: PreparedSystem, progress: Callable[[int], None] | None = None
) -> None:
    """Write core.img, boot code and EFI partition; the rest of the disk is not changed.

    Raises:
        OSError: the disk is full or gone.
    """
    layout = prepared.layout
    file.seek(layout.bios.offset_bytes)
    file.write(prepared.core)
    file.seek(0)
    file.write(prepared.boot_sector[:BOOT_CODE_BYTES])
    sync(file)
    write_esp(file, layout.esp, prepared.esp, progress=progress)


def bytes_record(data: bytes) -> FileRecord:
    """Hash and size of bytes."""
    return FileRecord(hashlib.sha256(data).hexdigest(), len(data))


def sync(file: BinaryIO) -> None:
    """Flush written data to the medium."""
    file.flush()
    os.fsync(file.fileno())


def _record(content: bytes | Path) -> FileRecord:
    return bytes_record(content) if isinstance(content, bytes) else file_record(content)
