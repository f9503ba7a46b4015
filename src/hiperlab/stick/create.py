"""Creates and updates sticks. Every step leaves a state that `verify` can report and `update` can complete.

Order of creation: the intent (see `hiperlab.stick.intent`); partition table, with the data partition marked as
unfinished by its name; its file system; core.img, boot code, EFI partition; last, the data partition's real name.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final

from hiperiso.contract.stick import DATA_LABEL, DATA_NUMBER
from hiperiso.errors import HarnessFault, UsageError
from hiperlab.debian.packages import Sources
from hiperlab.stick.devices import is_block_device
from hiperlab.stick.esp import esp_problem, extracted_esp
from hiperlab.stick.filesystem import detect_filesystem
from hiperlab.stick.formats import FILESYSTEMS, format_data
from hiperlab.stick.gpt import Identity, rename_partition, restore_start, write_table
from hiperlab.stick.grub import Loaders, build_loaders
from hiperlab.stick.image import (
    STICK_MANIFEST,
    Stick,
    StickManifest,
    hold,
    open_stick,
    read_config_of,
    read_manifest,
)
from hiperlab.stick.intent import Intent, read_intent, write_intent
from hiperlab.stick.layout import SECTOR_BYTES, StickLayout, layout_of, plan_layout
from hiperlab.stick.menu import overlong_overrides
from hiperlab.stick.payload import Payload, file_record
from hiperlab.stick.settings_file import DEFAULT_CONFIG, lenient_config, parse_stick_config
from hiperlab.stick.system import SystemParts, menu_facts, prepare_system, sync, write_system

UNFINISHED: Final = "unfinished-"
"""The prefix of the data partition's name, followed by its file system, until that is created."""

BOOTX64: Final = "EFI/BOOT/BOOTX64.EFI"


_TABLES_BYTES: Final = 4 << 20
"""Partition tables and empty file systems."""


@dataclass(frozen=True)
class StickOptions:
    """Options for creating or updating a stick.

    Attributes:
        payload: the content of its host system.
        sources: where boot loaders are taken from.
        filesystem: of the data partition.
        secure_boot: shim and signed GRUB; None: unchanged, for a new stick yes.
        grub_efi: another GRUB for UEFI.
        config: hiperiso.json of a new stick.
        kernel_options: for the host kernel; None: unchanged, or the default.
        force: allow a file system that the payload's kernel cannot read.
        seed: makes the unique ids reproducible.
        on_step: called with the name of each step.
        progress: called with the number of bytes written, of `progress_total`.
    """

    payload: Payload
    sources: Sources
    filesystem: str = "exfat"
    secure_boot: bool | None = None
    grub_efi: Path | None = None
    config: bytes = DEFAULT_CONFIG
    kernel_options: str | None = None
    force: bool = False
    seed: str = ""
    on_step: Callable[[str], None] = field(default=lambda _: None)
    progress: Callable[[int], None] | None = None


def create_stick(target: Path, size_bytes: int, options: StickOptions) -> None:
    """Make `target` (a device, or an image file that is created or replaced) a stick. Everything on it is erased.

    Raises:
        UsageError: too small, the configuration is invalid, or the payload could not read the stick.
        HarnessFault: a tool is missing or fails, or the payload does not fit.
    """
    if options.filesystem not in FILESYSTEMS:
        raise UsageError(f"{options.filesystem!r} is not one of {', '.join(FILESYSTEMS)}")
    if (problem := options.payload.problem_with(options.filesystem)) and not options.force:
        known = options.payload.manifest.filesystems or []
        raise UsageError(problem, hint=f"--filesystem {' or '.join(known)}; --force overrides this")
    layout = plan_layout(size_bytes)
    identity = Identity.from_seed(options.seed) if options.seed else Identity.fresh()
    options.on_step("preparing the boot loaders")
    loaders = build_loaders(
        options.sources, layout.bios, secure_boot=options.secure_boot is not False, grub_efi=options.grub_efi
    )
    config = parse_stick_config(options.config)
    with tempfile.TemporaryDirectory(prefix="hiperiso-stick-") as scratch:
        parts = SystemParts(layout, identity, options.payload, loaders, config, options.kernel_options)
        if overlong := overlong_overrides(menu_facts(parts)):
            raise UsageError(
                "; ".join(overlong),
                hint="name the ISO by a pattern with *: such overrides are not passed on the command line",
            )
        prepared = prepare_system(Path(scratch), parts)
        if not is_block_device(target):
            _check_room(target, options.payload)
            target.touch()
        with target.open("r+b") as file:
            hold(file, target)  # before anything is erased: another command may be writing
            if not is_block_device(target):
                file.truncate(0)  # erase an old image completely
            write_intent(
                file, Intent(filesystem=options.filesystem, size_bytes=size_bytes, seed=options.seed)
            )
            options.on_step("writing the partition table")
            if not is_block_device(target):
                file.truncate(size_bytes)
            name = f"{UNFINISHED}{options.filesystem}"
            write_table(target, layout, identity, data_name=name, linux_data=options.filesystem == "ext4")
            _wipe(file, layout)
            options.on_step(f"creating the data partition: {options.filesystem}")
            format_data(
                target, file, layout.data, identity, filesystem=options.filesystem, config=options.config
            )
            options.on_step("writing the system")
            write_system(file, prepared, options.progress)
        rename_partition(target, DATA_NUMBER, DATA_LABEL)


def _check_room(image: Path, payload: Payload) -> None:
    """An image is sparse: it takes what is written into it, at first the system.

    Raises:
        HarnessFault: that does not fit; each tool would report it in its own words.
    """
    needed = sum(record.size_bytes for record in payload.manifest.files.values()) + _TABLES_BYTES
    taken = image.stat().st_blocks * 512 if image.exists() else 0  # it is replaced
    free = shutil.disk_usage(image.absolute().parent).free + taken
    if free < needed:
        raise HarnessFault(
            f"no space for {image}: its system takes {needed / 1e6:.1f} MB, {free / 1e6:.1f} MB are free",
            hint="free some space there, or name another place",
        )


def update_stick(target: Path, options: StickOptions) -> list[str]:
    """Replace the payload, boot loaders and menu of a stick; its data partition is read and never written.

    An interrupted ``create`` or ``update`` is completed: only then is a data partition formatted, the one
    that was not finished. Returns a line for each repair other than of the system.

    Raises:
        UsageError: not a hiperiso stick, or in use.
        HarnessFault: a tool is missing or fails, or the payload does not fit.
    """
    repaired: list[str] = []
    if intent := intent_of(target):
        options.on_step(f"completing the creation of the stick: {intent.filesystem}")
        create_stick(
            target, intent.size_bytes, replace(options, filesystem=intent.filesystem, seed=intent.seed)
        )
        return [f"the whole stick, whose creation had only begun: {intent.filesystem}"]
    with open_stick(target, writable=True) as stick:
        layout = layout_of({n: p.extent for n, p in stick.table.partitions.items()}, stick.size_bytes)
        if max(layout.data.last_sector, layout.esp.last_sector) >= layout.total_sectors:
            raise HarnessFault(
                f"{target} ends within its partitions: it was copied incompletely, or to a disk that is too small",
                hint="copy it again, or recreate it: hiperiso stick create",
            )
        identity = Identity.of_table(stick.table)
        name = stick.table.partitions[DATA_NUMBER].name
        unfinished = name.removeprefix(UNFINISHED) if name.startswith(UNFINISHED) else ""
        if unfinished and unfinished not in FILESYSTEMS:
            raise HarnessFault(
                "the intended file system of this stick is unknown", hint="recreate it: hiperiso stick create"
            )
        config = parse_stick_config(options.config) if unfinished else lenient_config(_config_of(stick))
        for problem in config.problems:
            options.on_step(f"hiperiso.json: {problem}")
        kind = unfinished or detect_filesystem(stick.file, layout.data.offset_bytes)
        if kind and (problem := options.payload.problem_with(kind)):
            options.on_step(problem)
        if not kind:
            options.on_step(
                "the data partition is damaged, and is not changed: hiperiso stick verify has details"
            )
        options.on_step("preparing the boot loaders")
        loaders, kept_options = _loaders_for_update(stick, layout, options)
        parts = SystemParts(layout, identity, options.payload, loaders, config, kept_options)
        for problem in overlong_overrides(menu_facts(parts)):
            options.on_step(f"hiperiso.json: {problem}; the recorder reads them from the file")
        with tempfile.TemporaryDirectory(prefix="hiperiso-stick-") as scratch:
            prepared = prepare_system(Path(scratch), parts)
            if stick.table.from_backup:
                repaired.append("the partition table at the start, from the one at the end")
                restore_start(stick.file, stick.size_bytes)
            if unfinished:
                repaired.append(f"the data partition, which was not finished: {unfinished}")
                format_data(
                    target, stick.file, layout.data, identity, filesystem=unfinished, config=options.config
                )
            options.on_step("writing the system")
            write_system(stick.file, prepared, options.progress)
    if unfinished:
        rename_partition(target, DATA_NUMBER, DATA_LABEL)
    return repaired


def check_stick(target: Path) -> None:
    """Refuse what is not a stick, as `update_stick` would. A stick whose creation had only begun is one.

    Raises:
        UsageError: not a hiperiso stick.
        HarnessFault: it has no partition table.
    """
    if intent_of(target) is None:
        with open_stick(target) as stick:
            layout_of({n: p.extent for n, p in stick.table.partitions.items()}, stick.size_bytes)


def intent_of(target: Path) -> Intent | None:
    """The intent on a stick whose creation had only begun; None for any other target, or one that cannot be read."""
    if not (target.is_file() or target.is_block_device()):
        return None
    try:
        with target.open("rb") as file:
            return read_intent(file)
    except OSError:
        return None


def _loaders_for_update(
    stick: Stick, layout: StickLayout, options: StickOptions
) -> tuple[Loaders, str | None]:
    """The boot loaders, of the same kind as on the stick unless another was requested; and its kernel options."""
    manifest, given = _previous(stick, layout)
    kernel_options = options.kernel_options
    if kernel_options is None and manifest is not None:
        kernel_options = manifest.kernel_options
    asked = options.secure_boot is not None or options.grub_efi is not None
    secure_boot = options.secure_boot if asked else (manifest is None or manifest.grub == "signed")
    loaders = build_loaders(
        options.sources, layout.bios, secure_boot=secure_boot is not False, grub_efi=options.grub_efi
    )
    if not asked and given is not None:
        loaders = replace(loaders, grub="given", efi={**loaders.efi, BOOTX64: given})
        loaders.efi.pop("EFI/BOOT/grubx64.efi", None)
    return loaders, kernel_options


def _previous(stick: Stick, layout: StickLayout) -> tuple[StickManifest | None, bytes | None]:
    """The manifest of the existing system, and the GRUB given for it, if both are intact."""
    stick.file.seek(layout.esp.offset_bytes)
    if esp_problem(stick.file.read(SECTOR_BYTES)):
        return None, None
    try:
        with extracted_esp(stick.file, layout.esp) as (_, folder):
            manifest = read_manifest(folder / STICK_MANIFEST)
            if manifest is None or manifest.grub != "given":
                return manifest, None
            path = folder / BOOTX64
            if not path.is_file() or file_record(path) != manifest.files.get(BOOTX64):
                raise _BrokenGrub(
                    "the GRUB given for this stick is damaged", hint="give it again: --grub-efi FILE"
                )
            return manifest, path.read_bytes()
    except _BrokenGrub:
        raise
    except HarnessFault:
        return None, None


class _BrokenGrub(HarnessFault):
    """A given GRUB cannot be rebuilt: an update must not continue without it."""


def _config_of(stick: Stick) -> bytes | None:
    """hiperiso.json of the stick, or None; a data partition that cannot be read does not stop the repair."""
    try:
        return read_config_of(stick.data())
    except (HarnessFault, UsageError):
        return None


def _wipe(file: BinaryIO, layout: StickLayout) -> None:
    """Erase what would be detected as file systems: their beginnings, and the NTFS boot sector copy at the end."""
    for extent in (layout.data, layout.esp):
        for offset in (extent.offset_bytes, extent.offset_bytes + extent.size_bytes - SECTOR_BYTES):
            file.seek(offset)
            file.write(bytes(SECTOR_BYTES if offset != extent.offset_bytes else 1 << 20))
    sync(file)
    os.fsync(file.fileno())
