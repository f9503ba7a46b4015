"""The boot modes other than ``normal``: what is started instead of the ISO's own boot loader.

``memdisk``
    The whole ISO is put into the guest's memory and started by syslinux's ``memdisk``, which answers the BIOS as a
    CD-ROM would (syslinux, doc/memdisk.txt). Under UEFI, and for systems that look for their medium afterwards (which
    they would not find), and where there is no ``memdisk``, a drive reads a copy of the ISO in the host's RAM.

``grub2``
    The ISO's menu is read, and the kernel of its entry (``menu``) is started directly, with arguments added or removed.
    Where no entry can be read, a GRUB of the host runs the ISO's ``/boot/grub/grub.cfg``. The ISO is in the drive; its
    own boot loader is not used.

QEMU hands either to the firmware as a Linux kernel: SeaBIOS through its option ROM, OVMF (an EFI program) through
fw_cfg. ``lnxboot.img`` makes a BIOS GRUB look like one (GRUB manual, "Network" and grub-core/boot/i386/pc/lnxboot.S).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from hiperiso.contract.hardware import ImageKind
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import BootMode, FirmwareKind
from hiperiso.errors import HarnessFault, UsageError
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part, Preparation, require_absolute
from hiperiso.machine.parts.firmware import decide_firmware
from hiperiso.packages import install_hint
from hiperiso.tools import run_tool

if TYPE_CHECKING:
    from hiperiso.images.members import Member

_MEMDISK_SPARE_MB = 64  # memdisk itself, and what the loader in the ISO needs below it
_GRUB_ROOT = Path("/usr/lib/grub")
_GRUB_FORMATS = {FirmwareKind.BIOS: "i386-pc", FirmwareKind.UEFI: "x86_64-efi"}
_GRUB_TIMEOUT_S = 60.0

KERNEL_FILE: Final = "medium.kernel"
INITRD_FILE: Final = "medium.initrd"
"""The kernel of a menu's entry, and its initramfs or one to which files were added, in the session directory."""

GRUB_IMAGE: Final = "grub2.img"
MEMDISK_IMAGE: Final = "memdisk"
"""File names of what is started, in the session directory."""

_NOTE = "boot mode {}: not the ISO's own boot loader"

# ahci: neither firmware exposes the drive when it starts a kernel (the BIOS shows only boot media as CD-ROMs, OVMF
# connects no device it does not boot from), so GRUB accesses it itself.
# normal provides the script language; the ISO's configuration loads everything else from its own modules.
_GRUB_MODULES: Final = (
    *(
        "ahci",
        "pci",
        "normal",
        "configfile",
        "search",
        "search_fs_file",
        "search_label",
        "iso9660",
        "udf",
        "pata",
    ),
    *("part_msdos", "part_gpt", "linux", "boot", "echo", "test", "regexp", "loadenv", "terminal", "serial"),
    *("minicmd", "halt", "reboot", "sleep", "gzio", "loopback", "help", "ls", "cat"),
)
# Read before the script language is available: one plain command per line; a failed command has no effect.
# configfile only returns if its file does not exist.
_GRUB_PLACES: Final = (
    "/boot/grub",
    "/boot/grub2",
    "/grub",
    "/grub2",
    "/EFI/BOOT",
    "/EFI/debian",
    "/EFI/ubuntu",
)
_GRUB_CONFIG: Final = "".join(
    f"search --no-floppy --file --set=root {place}/grub.cfg\n"
    f"set prefix=($root){place}\n"
    f"configfile ($root){place}/grub.cfg\n"
    for place in _GRUB_PLACES
)


class Loader(Part, frozen=True, kw_only=True):
    """What QEMU passes to the firmware as a kernel.

    Attributes:
        kernel: the file to start.
        initrd: what it finds in memory; None without one.
        append: its command line.
    """

    kernel: Path
    initrd: Path | None = None
    append: str = ""

    def __post_init__(self) -> None:
        require_absolute(self.kernel, self.initrd)

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        argv = ["-kernel", str(self.kernel)]
        argv += ["-initrd", str(self.initrd)] if self.initrd else []
        return argv + (["-append", self.append] if self.append else [])


class Memdisk(Loader, frozen=True, kw_only=True):
    """syslinux's memdisk, the file `program`, copied to `kernel`, with the ISO as its initrd."""

    program: Path

    def prepare(self, preparation: Preparation) -> None:
        """See `Part.prepare`."""
        shutil.copyfile(self.program, self.kernel)

    def notes(self) -> tuple[str, ...]:
        """See `Part.notes`."""
        return (_NOTE.format(BootMode.MEMDISK.value),)


class HostGrub(Loader, frozen=True, kw_only=True):
    """The host's GRUB, built into `kernel` for the firmware `kind`."""

    kind: FirmwareKind

    def prepare(self, preparation: Preparation) -> None:
        """See `Part.prepare`."""
        build_grub(self.kind, self.kernel)

    def notes(self) -> tuple[str, ...]:
        """See `Part.notes`."""
        return (_NOTE.format(BootMode.GRUB2.value),)


class DirectKernel(Loader, frozen=True, kw_only=True):
    """A Linux kernel, without any boot loader.

    Attributes:
        origin: where it comes from, in words.
        base: the initramfs to which something is added, which `initrd` then holds; they may be one file.
        added: the files that are added.
        remarks: what is added, in words.
    """

    origin: str
    base: Path | None = None
    added: tuple[Member, ...] = ()
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        require_absolute(self.base)

    def prepare(self, preparation: Preparation) -> None:
        """See `Part.prepare`."""
        if self.added:
            from hiperiso.images.initramfs import add_members  # few boots add files

            assert self.initrd is not None
            preparation.stack.callback(self.initrd.unlink, missing_ok=True)
            add_members(self.initrd, self.base, self.added)

    def notes(self) -> tuple[str, ...]:
        """See `Part.notes`."""
        line = self.append or "empty"
        started = f"started directly, without a boot loader: {self.origin}; kernel command line: {line}"
        return (started, *self.remarks)


def plan_loader(settings: Settings, facts: Facts) -> Loader | None:
    """What is started in place of the medium's boot loader: a kernel, or what the boot mode says; None for nothing.

    Raises:
        UsageError: this ISO, firmware or RAM does not work with the mode.
        HarnessFault, UsageError: as for `decide_firmware`.
    """
    direct = _direct(settings, facts)
    if settings.boot_mode is BootMode.NORMAL or direct:
        return direct
    if facts.kind is not ImageKind.ISO:
        raise UsageError(f"boot mode {settings.boot_mode.value} is for ISOs alone: {facts.iso.path}")
    kind = decide_firmware(settings, facts).kind
    if settings.boot_mode is BootMode.GRUB2:
        return HostGrub(kernel=facts.place.directory / GRUB_IMAGE, kind=kind)
    if drive_in_ram(settings, facts) or facts.memdisk is None:
        return None
    needed_mb = facts.iso.size_bytes // (1 << 20) + _MEMDISK_SPARE_MB
    if needed_mb >= settings.ram_mb:
        raise UsageError(
            f"boot mode memdisk puts the ISO into the guest's RAM: {needed_mb} MB do not fit {settings.ram_mb} MB",
            hint=f"use --ram {2 * needed_mb}",
        )
    image = facts.place.directory / MEMDISK_IMAGE
    return Memdisk(kernel=image, program=facts.memdisk, initrd=facts.iso.path, append="iso raw")


def drive_in_ram(settings: Settings, facts: Facts) -> bool:
    """Whether boot mode memdisk is a drive with a copy in the host's RAM: memdisk knows the BIOS alone, a system finds
    no medium with it once it has a kernel, it reads no overlay, and a stick does not have it.

    Raises:
        HarnessFault, UsageError: as for `decide_firmware`.
    """
    if settings.boot_mode is not BootMode.MEMDISK or facts.kind is not ImageKind.ISO:
        return False
    return (
        facts.needs_medium
        or facts.memdisk is None
        or facts.overlay is not None
        or decide_firmware(settings, facts).kind is FirmwareKind.UEFI
    )


def starts_kernel(settings: Settings, facts: Facts) -> bool:
    """Whether a Linux kernel is started directly, so that files can be added to its initramfs."""
    return (
        facts.kind is ImageKind.KERNEL
        or settings.kernel is not None
        or (facts.entry is not None and settings.boot_mode is not BootMode.MEMDISK)
    )


def _direct(settings: Settings, facts: Facts) -> DirectKernel | None:
    """The kernel that is started directly, with the files that are added; None where none is."""
    kernel = _kernel(settings, facts)
    if facts.injection is None and facts.answers is None:
        return kernel
    from hiperiso.images.injection import counted  # few boots have any
    from hiperiso.images.members import Member

    added: list[Member] = []
    remarks = []
    if injection := facts.injection:
        added += injection.members
        remarks.append(
            f"injection: {counted(injection.count)} of {injection.archive}, added to the initramfs"
        )
    if (answers := facts.answers) and answers.in_initramfs:
        added += [Member(name=name, data=data) for name, data in answers.files.items()]
        remarks.append(f"auto_install: {answers.kind}, added to the initramfs as {', '.join(answers.files)}")
    if kernel is None or not added:
        return kernel
    initrd = facts.place.directory / INITRD_FILE
    return replace(kernel, initrd=initrd, base=kernel.initrd, added=tuple(added), remarks=tuple(remarks))


def _kernel(settings: Settings, facts: Facts) -> DirectKernel | None:
    own = facts.iso.path if facts.kind is ImageKind.KERNEL else None
    kernel = settings.kernel or own
    if own is not None and kernel != own:
        raise UsageError(f"two kernels, {own} and {kernel}", hint="name one of them")
    if kernel is None and facts.entry is None:
        if settings.initrd is not None:
            raise UsageError("an initrd without a kernel", hint="add --kernel FILE")
        return None
    entry_of_menu = kernel is None and settings.boot_mode is BootMode.GRUB2
    if settings.boot_mode is not BootMode.NORMAL and not entry_of_menu:
        raise UsageError(
            f"boot mode {settings.boot_mode.value} and a kernel that is started directly",
            hint="use one of them",
        )
    if kernel is None:
        assert facts.entry is not None
        entry = facts.entry
        origin = f"the entry {entry.title!r} of {entry.source}"
        return DirectKernel(kernel=entry.kernel, initrd=entry.initrd, append=entry.arguments, origin=origin)
    if settings.remove is not None:
        raise UsageError("nothing to remove: --kernel starts with the arguments of --append alone")
    return DirectKernel(
        kernel=kernel, initrd=settings.initrd, append=settings.append or "", origin=f"the kernel {kernel}"
    )


def build_grub(kind: FirmwareKind, core: Path) -> None:
    """Build the host's GRUB for `kind` with the embedded configuration into the file `core`.

    Raises:
        HarnessFault: GRUB's tools or modules are missing, or fail; the text is the tool's own message.
        OSError: `core` cannot be written.
    """
    form = _GRUB_FORMATS[kind]
    modules = _GRUB_ROOT / form
    if not modules.is_dir():
        package = "grub-pc-bin" if kind is FirmwareKind.BIOS else "grub-efi-amd64-bin"
        raise HarnessFault(f"boot mode grub2 needs GRUB's modules for {form}", hint=install_hint(package))
    present = [name for name in _GRUB_MODULES if (modules / f"{name}.mod").is_file()]
    import tempfile  # only this mode needs it, and every recording loads this module

    with tempfile.NamedTemporaryFile(mode="w", suffix=".cfg") as config:
        config.write(_GRUB_CONFIG)
        config.flush()
        parts = ["-p", "/boot/grub", "-c", config.name, "-o", str(core)]
        argv = ["grub-mkimage", "-O", form, *parts, *present]
        run_tool(argv, package="grub-common", timeout_s=_GRUB_TIMEOUT_S)
    if kind is FirmwareKind.BIOS:
        core.write_bytes((modules / "lnxboot.img").read_bytes() + core.read_bytes())
