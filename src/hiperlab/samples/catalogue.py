"""The table of samples. Outcomes are what the guest really does, as observed on its serial line and screen."""

from __future__ import annotations

from collections.abc import Mapping

from hiperiso.contract.words import BootResult, BootStage, FailureDomain, FirmwareKind
from hiperlab.debian.packages import (
    GRAPHICAL_INSTALLER_INITRD,
    INSTALLER_INITRD,
    INSTALLER_LINUX,
    IPXE_ISO,
    ISOLINUX_BIN,
    KERNEL,
    LDLINUX_C32,
    MEMTEST_ISO,
)
from hiperlab.samples import guests
from hiperlab.samples.bootchain import bootchain_samples
from hiperlab.samples.debianlive import debian_live_samples
from hiperlab.samples.live import live_samples
from hiperlab.samples.menus import menu_samples
from hiperlab.samples.model import (
    Content,
    FromAsset,
    Initramfs,
    Loader,
    Outcome,
    Recipe,
    Sample,
)
from hiperlab.samples.recipes import INITRD_PATH, KERNEL_PATH, grub_cfg, linux_recipe

_SERIAL = "console=tty0 console=ttyS0,115200"

_LOGIN = Outcome(BootStage.LOGIN, BootResult.SUCCESS)
_INSTALLER = Outcome(BootStage.INSTALLER, BootResult.SUCCESS)
_PROGRAM_RUNS = Outcome(BootStage.USERSPACE, BootResult.SUCCESS)
# these guests consist of their initramfs only
_DONE = Outcome(BootStage.INITRAMFS, BootResult.SUCCESS)
_NOT_STARTED = Outcome(BootStage.FIRMWARE, BootResult.FAILURE, FailureDomain.FIRMWARE)
_LOADER_FAILED = Outcome(BootStage.BOOTLOADER, BootResult.FAILURE, FailureDomain.BOOTLOADER)
_KERNEL_PANIC = Outcome(BootStage.KERNEL, BootResult.FAILURE, FailureDomain.KERNEL)
_INIT_PANIC = Outcome(BootStage.INITRAMFS, BootResult.FAILURE, FailureDomain.KERNEL)
_INIT_FAILED = Outcome(BootStage.INITRAMFS, BootResult.FAILURE, FailureDomain.USERSPACE)
_SILENT_KERNEL = Outcome(BootStage.INITRAMFS, BootResult.INCOMPLETE, FailureDomain.UNKNOWN)


def samples() -> tuple[Sample, ...]:
    """Returns every sample, in the order in which ``hiperiso samples list`` shows them."""
    return (
        *(*_programs(), *_logins(), *_failures(), *_endings(), *_media()),
        *(*bootchain_samples(), *live_samples(), *debian_live_samples(), *menu_samples()),
    )


def _both(outcome: Outcome) -> Mapping[FirmwareKind, Outcome]:
    return {FirmwareKind.BIOS: outcome, FirmwareKind.UEFI: outcome}


def _programs() -> tuple[Sample, ...]:
    installer = FromAsset(INSTALLER_INITRD)
    linux = FromAsset(INSTALLER_LINUX)
    return (
        Sample(
            "memtest",
            "memtest86+ from its package: screen output only, none on serial",
            Recipe(Loader.AS_PACKAGED, {"memtest.iso": FromAsset(MEMTEST_ISO)}),
            _both(_PROGRAM_RUNS),
            20,
            serial_silent=True,
        ),
        Sample(
            "ipxe",
            "iPXE from its package: finds no network and gives up",
            Recipe(Loader.AS_PACKAGED, {"ipxe.iso": FromAsset(IPXE_ISO)}),
            {FirmwareKind.BIOS: _LOADER_FAILED},
            20,
            serial_silent=True,
        ),
        Sample(
            "debian-installer",
            "the Debian 12 installer, at its first question on the serial console",
            linux_recipe(installer, _SERIAL, kernel=linux, serial_menu=True),
            _both(_INSTALLER),
            90,
        ),
        Sample(
            "debian-installer-silent",
            "the Debian 12 installer with its default arguments: only on the screen",
            linux_recipe(installer, "vga=788 --- quiet", kernel=linux),
            _both(_INSTALLER),
            90,
            serial_silent=True,
        ),
        Sample(
            "debian-installer-graphical",
            "the graphical Debian 12 installer: no readable text on any channel",
            linux_recipe(FromAsset(GRAPHICAL_INSTALLER_INITRD), "vga=788 --- quiet", kernel=linux),
            _both(_INSTALLER),
            90,
            serial_silent=True,
        ),
    )


def _logins() -> tuple[Sample, ...]:
    isolinux_cfg = (
        "SERIAL 0 115200\nDEFAULT sample\nPROMPT 1\nTIMEOUT 10\nSAY Sample system\n"
        f"LABEL sample\n  KERNEL /{KERNEL_PATH}\n  INITRD /{INITRD_PATH}\n  APPEND {_SERIAL}\n"
    )
    isolinux_files: dict[str, Content] = {
        "isolinux/isolinux.bin": FromAsset(ISOLINUX_BIN),
        "isolinux/ldlinux.c32": FromAsset(LDLINUX_C32),
        "isolinux/isolinux.cfg": isolinux_cfg,
        KERNEL_PATH: FromAsset(KERNEL),
        INITRD_PATH: guests.LOGIN,
    }
    return (
        Sample(
            "login-serial",
            "kernel and busybox, login prompts on serial and on the screen",
            linux_recipe(guests.LOGIN, _SERIAL, serial_menu=True),
            _both(_LOGIN),
            25,
        ),
        Sample(
            "login-vga",
            "kernel and busybox, login prompt on the screen, no serial console at all",
            linux_recipe(guests.LOGIN_SCREEN_ONLY, "quiet"),
            _both(_LOGIN),
            25,
            serial_silent=True,
        ),
        Sample(
            "systemd-login",
            "systemd, udev and util-linux of the distribution from its packages, logins on serial and on the screen",
            linux_recipe(guests.SYSTEMD, _SERIAL, serial_menu=True),
            {FirmwareKind.BIOS: _LOGIN},
            45,
        ),
        Sample(
            "isolinux-login",
            "started by isolinux (BIOS only), login prompts on serial and on the screen",
            Recipe(Loader.ISOLINUX, isolinux_files),
            {FirmwareKind.BIOS: _LOGIN, FirmwareKind.UEFI: _NOT_STARTED},
            25,
        ),
        Sample(
            "bios-only",
            "El Torito with only a BIOS entry (GRUB), login on serial",
            linux_recipe(guests.LOGIN, _SERIAL, loader=Loader.GRUB_BIOS, serial_menu=True),
            {FirmwareKind.BIOS: _LOGIN, FirmwareKind.UEFI: _NOT_STARTED},
            25,
        ),
        Sample(
            "uefi-only",
            "El Torito with only a UEFI entry (GRUB), login on serial",
            linux_recipe(guests.LOGIN, _SERIAL, loader=Loader.GRUB_UEFI, serial_menu=True),
            {FirmwareKind.BIOS: _NOT_STARTED, FirmwareKind.UEFI: _LOGIN},
            40,
        ),
    )


def _failures() -> tuple[Sample, ...]:
    truncated = Initramfs(files=guests.LOGIN.files, links=guests.LOGIN.links, fraction=0.5)
    no_kernel = f"linux /boot/vmlinuz-not-there {_SERIAL}\ninitrd /{INITRD_PATH}"
    return (
        Sample(
            "panic-no-root",
            "kernel without an initramfs and without a root file system",
            linux_recipe(None, f"root=/dev/vda1 {_SERIAL}"),
            _both(_KERNEL_PANIC),
            20,
        ),
        Sample(
            "panic-no-root-vga",
            "the same panic, only on the screen",
            linux_recipe(None, "root=/dev/vda1"),
            _both(_KERNEL_PANIC),
            20,
            serial_silent=True,
        ),
        Sample(
            "panic-sysrq",
            "the initramfs crashes the kernel through sysrq",
            linux_recipe(guests.SYSRQ_CRASH, _SERIAL),
            _both(_INIT_PANIC),
            25,
        ),
        Sample(
            "missing-kernel",
            "grub.cfg names a missing kernel; GRUB's error is only on the screen",
            Recipe(Loader.GRUB, {"boot/grub/grub.cfg": grub_cfg(no_kernel), INITRD_PATH: guests.LOGIN}),
            _both(_LOADER_FAILED),
            15,
            serial_silent=True,
        ),
        Sample(
            "missing-kernel-serial",
            "grub.cfg names a missing kernel; GRUB's error is on serial too",
            Recipe(
                Loader.GRUB,
                {"boot/grub/grub.cfg": grub_cfg(no_kernel, serial=True), INITRD_PATH: guests.LOGIN},
            ),
            _both(_LOADER_FAILED),
            15,
        ),
        Sample(
            "truncated-initrd",
            "the initramfs is truncated",
            linux_recipe(truncated, _SERIAL),
            _both(_KERNEL_PANIC),
            20,
        ),
        Sample(
            "init-exits",
            "init of the initramfs exits: the kernel panics",
            linux_recipe(guests.INIT_EXITS, _SERIAL),
            _both(_INIT_FAILED),
            20,
        ),
        Sample(
            "emergency-shell",
            "the messages and the shell of initramfs-tools when the root device does not appear",
            linux_recipe(guests.EMERGENCY_SHELL, _SERIAL),
            _both(_INIT_FAILED),
            20,
        ),
        Sample(
            "emergency-shell-dracut",
            "the messages and the shell of dracut when the root device does not appear",
            linux_recipe(guests.DRACUT_LIKE_SHELL, _SERIAL),
            _both(_INIT_FAILED),
            20,
        ),
        Sample(
            "emergency-initramfs-tools",
            "the real scripts of initramfs-tools, whose root device does not appear",
            linux_recipe(guests.INITRAMFS_TOOLS, f"boot=local root=LABEL=SAMPLE rootdelay=2 {_SERIAL}"),
            _both(_INIT_FAILED),
            50,
        ),
    )


def _endings() -> tuple[Sample, ...]:
    # lidt of an empty table, then an interrupt: a triple fault resets the processor
    triple_fault = bytes([0x2E, 0x0F, 0x01, 0x1E, 0x07, 0x7C, 0xCC]) + bytes(6)
    return (
        Sample(
            "reset-loop",
            "init restarts the machine at once, in a loop",
            linux_recipe(guests.REBOOTS, _SERIAL),
            _both(_INIT_FAILED),
            40,
        ),
        Sample(
            "reset-loop-triple-fault",
            "init restarts the machine by a triple fault, in a loop",
            linux_recipe(guests.REBOOTS, f"reboot=triple {_SERIAL}"),
            _both(_INIT_FAILED),
            40,
        ),
        Sample(
            "grub-reboot-loop",
            "GRUB restarts the machine, in a loop",
            Recipe(Loader.GRUB, {"boot/grub/grub.cfg": grub_cfg("reboot")}),
            _both(_LOADER_FAILED),
            20,
            serial_silent=True,
        ),
        Sample(
            "triple-fault",
            "a boot sector that faults at once: only the firmware is seen, repeatedly",
            Recipe(Loader.BOOT_SECTOR, {"boot.bin": triple_fault + bytes(2048 - len(triple_fault))}),
            {FirmwareKind.BIOS: _NOT_STARTED},
            15,
            serial_silent=True,
        ),
        Sample(
            "poweroff",
            "a small system that finishes and powers the machine off",
            linux_recipe(guests.POWEROFF, _SERIAL),
            _both(_DONE),
            25,
        ),
        Sample(
            "halt",
            "a small system that halts: the machine stays on, idle",
            linux_recipe(guests.HALT, _SERIAL),
            _both(_DONE),
            25,
        ),
        Sample(
            "hang",
            "init sleeps forever after the kernel's messages on serial",
            linux_recipe(guests.HANGS, _SERIAL),
            _both(_SILENT_KERNEL),
            60,
        ),
        Sample(
            "hang-silent",
            "init sleeps forever; nothing on serial and only a cursor on the screen",
            linux_recipe(guests.HANGS, "quiet loglevel=0"),
            {FirmwareKind.BIOS: Outcome(BootStage.INITRAMFS, BootResult.INCOMPLETE, FailureDomain.UNKNOWN)},
            60,
            serial_silent=True,
        ),
    )


def _media() -> tuple[Sample, ...]:
    return (
        Sample(
            "not-bootable",
            "a valid ISO 9660 with files and no boot record",
            Recipe(Loader.NONE, {"README.TXT": "This disc holds data only.\n"}),
            _both(_NOT_STARTED),
            10,
            serial_silent=True,
        ),
    )
