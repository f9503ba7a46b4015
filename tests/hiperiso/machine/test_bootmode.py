from __future__ import annotations

from pathlib import Path

import pytest

from hiperiso.contract.words import BootMode, FirmwareKind
from hiperiso.errors import UsageError
from hiperiso.iso.inspect import inspect_iso
from hiperiso.machine.bootmode import prepare_boot_mode
from hiperlab.samples import build_sample


def test_normal_needs_nothing(tmp_path: Path) -> None:
    iso = inspect_iso(build_sample("not-bootable"))
    assert prepare_boot_mode(BootMode.NORMAL, iso, FirmwareKind.BIOS, 64, tmp_path) is None


def test_memdisk_takes_the_iso_into_memory_and_leaves_no_drive(tmp_path: Path) -> None:
    iso = inspect_iso(build_sample("ipxe"))
    load = prepare_boot_mode(BootMode.MEMDISK, iso, FirmwareKind.BIOS, 512, tmp_path)
    assert load is not None
    assert (load.initrd, load.append, load.drive) == (iso.path, "iso raw", False)


@pytest.mark.parametrize(
    ("kind", "ram_mb", "says"),
    [(FirmwareKind.UEFI, 512, "needs a BIOS"), (FirmwareKind.BIOS, 64, "do not fit 64 MB")],
)
def test_memdisk_that_cannot_work_is_refused(
    kind: FirmwareKind, ram_mb: int, says: str, tmp_path: Path
) -> None:
    iso = inspect_iso(build_sample("ipxe"))
    with pytest.raises(UsageError, match=says):
        prepare_boot_mode(BootMode.MEMDISK, iso, kind, ram_mb, tmp_path)


@pytest.mark.parametrize("kind", list(FirmwareKind))
def test_grub2_builds_an_image_for_each_firmware(kind: FirmwareKind, tmp_path: Path) -> None:
    iso = inspect_iso(build_sample("login-serial"))
    load = prepare_boot_mode(BootMode.GRUB2, iso, kind, 512, tmp_path)
    assert load is not None
    image = load.kernel.read_bytes()
    magic = image[0x202:0x206] if kind is FirmwareKind.BIOS else image[:2]
    assert magic == (b"HdrS" if kind is FirmwareKind.BIOS else b"MZ")
