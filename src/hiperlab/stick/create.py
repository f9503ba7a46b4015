"""Making a stick, and giving one a new system. Every step leaves what `verify` can name and `update` can complete.

Order of making: partition table, with a name for the data partition that says "unfinished"; its file system; core.img,
boot code, EFI partition; last, the data partition's real name.
"""

from __future__ import annotations

import os
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
from hiperlab.stick.layout import SECTOR_BYTES, StickLayout, layout_of, plan_layout
from hiperlab.stick.menu import overlong_overrides
from hiperlab.stick.payload import Payload, file_record
from hiperlab.stick.settings_file import DEFAULT_CONFIG, lenient_config, parse_stick_config
from hiperlab.stick.system import SystemParts, menu_facts, prepare_system, sync, write_system

UNFINISHED: Final = "unfinished-"
"""The data partition's name begins so, with the file system it is to get, until it has it."""

BOOTX64: Final = "EFI/BOOT/BOOTX64.EFI"


@dataclass(frozen=True)
class StickOptions:
    """How a stick is to be made.

    Attributes:
        payload: what its host system consists of.
        sources: where boot loaders come from.
        filesystem: of the data partition.
        secure_boot: shim and signed GRUB; None: as the stick was made, for a new one yes.
        grub_efi: another GRUB for UEFI.
        config: hiperiso.json of a new stick.
        kernel_options: for the host kernel; None: as the stick was made, or as menus have them.
        force: also with a file system that the payload's kernel cannot read.
        seed: makes the unique numbers repeatable, for reproducible images.
        say: told the name of each step.
        progress: told how many bytes of `progress_total` were written.
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
    say: Callable[[str], None] = field(default=lambda _: None)
    progress: Callable[[int], None] | None = None


def create_stick(target: Path, size_bytes: int, options: StickOptions) -> None:
    """Make `target` (a device, or an image file that is made or replaced) a stick. Everything on it is lost.

    Raises:
        UsageError: too small, the configuration is broken, or the payload could not read the stick.
        HarnessFault: a tool is missing or fails, or the payload does not fit.
    """
    if options.filesystem not in FILESYSTEMS:
        raise UsageError(f"{options.filesystem!r} is not one of {', '.join(FILESYSTEMS)}")
    if (problem := options.payload.problem_with(options.filesystem)) and not options.force:
        known = options.payload.manifest.filesystems or []
        raise UsageError(problem, hint=f"--filesystem {' or '.join(known)}; --force makes it all the same")
    layout = plan_layout(size_bytes)
    identity = Identity.from_seed(options.seed) if options.seed else Identity.fresh()
    options.say("preparing the boot loaders")
    loaders = build_loaders(
        options.sources, layout.bios, secure_boot=options.secure_boot is not False, grub_efi=options.grub_efi
    )
    config = parse_stick_config(options.config)
    with tempfile.TemporaryDirectory(prefix="hiperiso-stick-") as scratch:
        parts = SystemParts(layout, identity, options.payload, loaders, config, options.kernel_options)
        if overlong := overlong_overrides(menu_facts(parts)):
            raise UsageError(
                "; ".join(overlong),
                hint="name the ISO by a pattern with *: such overrides do not go by way of the command line",
            )
        prepared = prepare_system(Path(scratch), parts)
        if not is_block_device(target):
            target.touch()
        with target.open("r+b") as file:
            hold(file, target)  # before anything is lost: another command may be writing
            options.say("writing the partition table")
            if not is_block_device(target):
                file.truncate(0)  # an old image is emptied: nothing of it may shine through
                file.truncate(size_bytes)
            name = f"{UNFINISHED}{options.filesystem}"
            write_table(target, layout, identity, data_name=name, linux_data=options.filesystem == "ext4")
            _wipe(file, layout)
            options.say(f"making the data partition: {options.filesystem}")
            format_data(
                target, file, layout.data, identity, filesystem=options.filesystem, config=options.config
            )
            options.say("writing the system")
            write_system(file, prepared, options.progress)
        rename_partition(target, DATA_NUMBER, DATA_LABEL)


def update_stick(target: Path, options: StickOptions) -> list[str]:
    """Give a stick a new payload, boot loaders and menu; its data partition is read and never written.

    An interrupted ``create`` or ``update`` is completed: only in that case is a data partition formatted, the one
    that was not finished. Returns a line for each thing beside the system that was repaired.

    Raises:
        UsageError: it is no stick of hiperiso, or is in use.
        HarnessFault: a tool is missing or fails, or the payload does not fit.
    """
    repaired: list[str] = []
    with open_stick(target, writable=True) as stick:
        layout = layout_of({n: p.extent for n, p in stick.table.partitions.items()}, stick.size_bytes)
        if max(layout.data.last_sector, layout.esp.last_sector) >= layout.total_sectors:
            raise HarnessFault(
                f"{target} ends within its partitions: it was not copied whole, or to a disk that is too small",
                hint="copy it again, or make it anew: hiperiso stick create",
            )
        identity = Identity.of_table(stick.table)
        name = stick.table.partitions[DATA_NUMBER].name
        unfinished = name.removeprefix(UNFINISHED) if name.startswith(UNFINISHED) else ""
        if unfinished and unfinished not in FILESYSTEMS:
            raise HarnessFault(
                "what this stick was to become is not known", hint="make it anew: hiperiso stick create"
            )
        config = parse_stick_config(options.config) if unfinished else lenient_config(_config_of(stick))
        for problem in config.problems:
            options.say(f"hiperiso.json: {problem}")
        kind = unfinished or detect_filesystem(stick.file, layout.data.offset_bytes)
        if kind and (problem := options.payload.problem_with(kind)):
            options.say(problem)
        if not kind:
            options.say("the data partition is damaged, and stays as it is: hiperiso stick verify tells more")
        options.say("preparing the boot loaders")
        loaders, kept_options = _loaders_for_update(stick, layout, options)
        parts = SystemParts(layout, identity, options.payload, loaders, config, kept_options)
        for problem in overlong_overrides(menu_facts(parts)):
            options.say(f"hiperiso.json: {problem}; the recorder reads them from the file")
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
            options.say("writing the system")
            write_system(stick.file, prepared, options.progress)
    if unfinished:
        rename_partition(target, DATA_NUMBER, DATA_LABEL)
    return repaired


def _loaders_for_update(
    stick: Stick, layout: StickLayout, options: StickOptions
) -> tuple[Loaders, str | None]:
    """The boot loaders, of the kind that the stick has unless another was asked for; and its kernel options."""
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
    """The manifest of the system that is there, and the GRUB that was given for it, where both are whole."""
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
                    "the GRUB that was given for this stick is broken", hint="give it again: --grub-efi FILE"
                )
            return manifest, path.read_bytes()
    except _BrokenGrub:
        raise
    except HarnessFault:
        return None, None


class _BrokenGrub(HarnessFault):
    """What was given for this stick cannot be made again: an update must not go on without it."""


def _config_of(stick: Stick) -> bytes | None:
    """hiperiso.json of the stick, or None; a data partition that cannot be read does not stop the repair."""
    try:
        return read_config_of(stick.data())
    except (HarnessFault, UsageError):
        return None


def _wipe(file: BinaryIO, layout: StickLayout) -> None:
    """Clear what would be taken for file systems: their beginnings, and NTFS' second boot sector at the end."""
    for extent in (layout.data, layout.esp):
        for offset in (extent.offset_bytes, extent.offset_bytes + extent.size_bytes - SECTOR_BYTES):
            file.seek(offset)
            file.write(bytes(SECTOR_BYTES if offset != extent.offset_bytes else 1 << 20))
    sync(file)
    os.fsync(file.fileno())
