"""The boot loaders of a stick: built from the distribution's modules, or its own signed ones.

Three ways to start: UEFI (an image with all modules built in, so it needs no other file), UEFI with Secure Boot (shim
and signed GRUB; which cannot read exFAT and, if allowed, starts the first), and legacy BIOS (boot.img in the first
sector, core.img in its own partition).
"""

from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hiperiso.errors import HarnessFault, UsageError
from hiperlab.debian.packages import Asset, Sources
from hiperlab.run import run_tool
from hiperlab.stick.layout import SECTOR_BYTES, Extent

_COMMON = (
    "part_gpt",
    "part_msdos",
    "fat",
    "exfat",
    "ntfs",
    "ext2",
    "iso9660",
    "normal",
    "configfile",
    "linux",
    "regexp",
    "echo",
    "test",
    "true",
    "sleep",
    "cat",
    "cmp",
    "ls",
    "search",
    "search_fs_uuid",
    "search_label",
    "probe",
    "serial",
    "terminal",
    "terminfo",
    "font",
    "gfxterm",
    "gfxmenu",
    "gfxterm_background",
    "png",
    "jpeg",
    "all_video",
    "reboot",
    "halt",
    "minicmd",
    "help",
    "keystatus",
    "read",
    "loadenv",
)
_EFI = (*_COMMON, "efi_gop", "efifwsetup", "chain")
_BIOS = (*_COMMON, "biosdisk", "vbe", "vga")
_EARLY = "set hiperiso_own=1\n"

EFI_MODULES = Asset("grub-efi-amd64-bin", ("usr/lib/grub/x86_64-efi",))
BIOS_MODULES = Asset("grub-pc-bin", ("usr/lib/grub/i386-pc",))
SHIM = Asset("shim-signed", ("usr/lib/shim/shimx64.efi.signed", "usr/lib/shim/shimx64.efi.signed.latest"))
SIGNED_GRUB = Asset("grub-efi-amd64-signed", ("usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",))
FONT = Asset("grub-common", ("usr/share/grub/unicode.pf2",))

BOOT_CODE_BYTES: Final = 440
"""The part of the first sector for boot.img: the disk signature and the partition table follow."""


@dataclass(frozen=True)
class Loaders:
    """The boot loaders of a stick.

    Attributes:
        efi: path on the EFI partition -> content.
        boot_sector: the first 440 bytes of the disk.
        core: content of the BIOS boot partition.
        grub: which GRUB is first under UEFI: ``own``, ``signed`` (after shim) or ``given``.
    """

    efi: dict[str, bytes]
    boot_sector: bytes
    core: bytes
    grub: str = "own"


def build_loaders(
    sources: Sources, bios: Extent, *, secure_boot: bool, grub_efi: Path | None = None
) -> Loaders:
    """Build or fetch the boot loaders.

    Args:
        sources: where packages are searched.
        bios: the BIOS boot partition.
        secure_boot: put shim and the signed GRUB first (not with `grub_efi`).
        grub_efi: another GRUB for UEFI, instead of ours.

    Raises:
        UsageError: `grub_efi` is not a program for UEFI.
        HarnessFault: a tool or package is missing, or core.img is too large for its partition.
    """
    own = build_efi(sources.find(EFI_MODULES))
    efi = {"EFI/BOOT/BOOTX64.EFI": own, "EFI/hiperiso/grubx64.efi": own}
    grub = "own"
    if grub_efi is not None:
        efi["EFI/BOOT/BOOTX64.EFI"] = _read_efi(grub_efi)
        grub = "given"
    elif secure_boot:
        grub = "signed"
        efi["EFI/BOOT/BOOTX64.EFI"] = sources.find(SHIM).read_bytes()
        efi["EFI/BOOT/grubx64.efi"] = sources.find(SIGNED_GRUB).read_bytes()
    efi["EFI/hiperiso/unicode.pf2"] = sources.find(FONT).read_bytes()
    modules = sources.find(BIOS_MODULES)
    core = patch_core(build_bios(modules), bios)
    return Loaders(efi, patch_boot_sector((modules / "boot.img").read_bytes(), bios), core, grub)


def build_efi(modules: Path) -> bytes:
    """GRUB for UEFI with its modules built in, from the directory with the distribution's modules."""
    return _mkimage("x86_64-efi", "/EFI/BOOT", modules, _EFI)


def build_bios(modules: Path) -> bytes:
    """core.img, which finds its EFI partition on the disk that it was started from."""
    return _mkimage("i386-pc", "(,gpt2)/EFI/BOOT", modules, _BIOS)


def patch_boot_sector(image: bytes, bios: Extent) -> bytes:
    """boot.img with the position of core.img filled in.

    Fields (GRUB's documented boot.S): 0x5c the first sector of core.img, 64 bits; 0x66 a jump that works around
    firmware with a wrong drive number, which GRUB's own installer overwrites by two NOPs for hard disks.
    """
    sector = bytearray(image[:SECTOR_BYTES])
    struct.pack_into("<Q", sector, 0x5C, bios.first_sector)
    sector[0x66:0x68] = b"\x90\x90"
    return bytes(sector[:BOOT_CODE_BYTES])


def patch_core(core: bytes, bios: Extent) -> bytes:
    """core.img with the position of its remaining sectors filled in: the block list at the end of its first sector.

    Raises:
        HarnessFault: it does not fit.
    """
    if len(core) > bios.size_bytes:
        raise HarnessFault(f"GRUB's core.img has {len(core)} bytes, its partition {bios.size_bytes}")
    sectors = -(-len(core) // SECTOR_BYTES)
    padded = bytearray(core.ljust(sectors * SECTOR_BYTES, b"\0"))
    struct.pack_into("<QHH", padded, SECTOR_BYTES - 12, bios.first_sector + 1, sectors - 1, 0x820)
    return bytes(padded)


def _mkimage(target: str, prefix: str, modules: Path, wanted: tuple[str, ...]) -> bytes:
    missing = [name for name in wanted if not (modules / f"{name}.mod").is_file()]
    if missing:
        raise HarnessFault(
            f"GRUB for {target} lacks the module {', '.join(missing)}", hint="GRUB 2.06 or later is needed"
        )
    with tempfile.TemporaryDirectory(prefix="hiperiso-grub-") as scratch:
        early, image = Path(scratch, "early.cfg"), Path(scratch, "image")
        early.write_text(_EARLY)
        run_tool(
            [
                "grub-mkimage",
                f"--directory={modules}",
                f"--format={target}",
                f"--prefix={prefix}",
                f"--config={early}",
                f"--output={image}",
                *wanted,
            ],
            package="grub-common",
        )
        return image.read_bytes()


def _read_efi(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if data[:2] != b"MZ":
        raise UsageError(f"{path} is not a program for UEFI", hint="--grub-efi takes a file like grubx64.efi")
    return data
