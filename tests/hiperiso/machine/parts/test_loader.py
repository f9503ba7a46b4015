"""The boot modes: what is started in place of the ISO's own boot loader."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from hiperiso.contract.settings import Settings
from hiperiso.contract.words import BootMode, FirmwareChoice, FirmwareKind
from hiperiso.errors import UsageError
from hiperiso.iso.inspect import IsoInfo, inspect_iso
from hiperiso.machine.facts import Accel, Facts, Place
from hiperiso.machine.firmware import find_firmware
from hiperiso.machine.memdisk import find_memdisk
from hiperiso.machine.part import Preparation
from hiperiso.machine.parts.loader import Loader, plan_loader
from hiperiso.machine.parts.medium import plan_medium
from hiperlab.samples import build_sample


def facts(iso: IsoInfo, directory: Path) -> Facts:
    return Facts(
        accel=Accel.TCG,
        iso=iso,
        place=Place(directory=directory, private=directory / "p", ram_fits=True),
        firmware=find_firmware(),
        qemu=Path("/usr/bin/qemu-system-x86_64"),
        qemu_version="7.2.0",
        memdisk=find_memdisk(),
    )


def prepared(settings: Settings, iso: IsoInfo, directory: Path) -> Loader:
    loader = plan_loader(settings, facts(iso, directory))
    assert loader is not None
    assert not loader.kernel.exists()  # planning writes nothing
    with ExitStack() as stack:
        loader.prepare(Preparation(stack))
    return loader


def test_normal_needs_nothing(tmp_path: Path) -> None:
    iso = inspect_iso(build_sample("not-bootable"))
    assert plan_loader(Settings(), facts(iso, tmp_path)) is None


def test_memdisk_takes_the_iso_into_memory_and_leaves_no_drive(tmp_path: Path) -> None:
    iso = inspect_iso(build_sample("ipxe"))
    settings = Settings(boot_mode=BootMode.MEMDISK, ram_mb=512)
    loader = prepared(settings, iso, tmp_path)
    assert (loader.initrd, loader.append) == (iso.path, "iso raw")
    assert loader.kernel.read_bytes()[0x202:0x206] == b"HdrS"
    assert plan_medium(settings, facts(iso, tmp_path)) is None
    assert loader.notes() == ("boot mode memdisk: not the ISO's own boot loader",)


@pytest.mark.parametrize(
    ("firmware", "ram_mb", "says"),
    [(FirmwareChoice.BIOS, 64, "do not fit 64 MB"), (FirmwareChoice.AUTO, 64, "do not fit 64 MB")],
)
def test_memdisk_that_cannot_work_is_refused(
    firmware: FirmwareChoice, ram_mb: int, says: str, tmp_path: Path
) -> None:
    settings = Settings(boot_mode=BootMode.MEMDISK, ram_mb=ram_mb, firmware=firmware)
    with pytest.raises(UsageError, match=says):
        plan_loader(settings, facts(inspect_iso(build_sample("ipxe")), tmp_path))


@pytest.mark.parametrize("kind", list(FirmwareKind))
def test_grub2_builds_an_image_for_each_firmware(kind: FirmwareKind, tmp_path: Path) -> None:
    iso = inspect_iso(build_sample("login-serial"))
    settings = Settings(boot_mode=BootMode.GRUB2, firmware=FirmwareChoice(kind.value))
    image = prepared(settings, iso, tmp_path).kernel.read_bytes()
    magic = image[0x202:0x206] if kind is FirmwareKind.BIOS else image[:2]
    assert magic == (b"HdrS" if kind is FirmwareKind.BIOS else b"MZ")
    medium = plan_medium(settings, facts(iso, tmp_path))
    assert medium is not None
    assert medium.bootindex == 1  # the drive comes after the kernel
