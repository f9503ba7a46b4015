"""What entries of real menus are for, and what a boot of one has to come to. Titles, kernels and arguments are those of
the distributions' own media."""

from __future__ import annotations

import pytest

from hiperiso.contract.words import BootResult, EndReason, FindingKind
from hiperiso.iso.menus.entries import MenuEntry, MenuRow
from hiperlab.series.purpose import EXPECTS, Judgement, Purpose, judge, purpose_of


def linux(title: str, kernel: str, arguments: str = "") -> MenuRow:
    entry = MenuEntry(
        title=title, kernel=kernel, initrds=(), arguments=arguments, source="/boot/grub/grub.cfg"
    )
    return MenuRow(path=(title,), entry=entry)


@pytest.mark.parametrize(
    ("row", "purpose"),
    [
        (linux("Live system (amd64)", "/live/vmlinuz-6.1.0-30-amd64", "boot=live components quiet"), "live"),
        (linux("Start installer", "/install/vmlinuz", "vga=788 --- quiet"), "install"),
        (linux("Graphical install", "/install.amd/vmlinuz", "vga=788 --- quiet"), "install"),
        (linux("Rescue mode", "/install.amd/vmlinuz", "vga=788 rescue/enable=true --- quiet"), "rescue"),
        (linux("Automated install", "/install.amd/vmlinuz", "auto=true priority=critical"), "install"),
        (linux("Try or Install Ubuntu", "/casper/vmlinuz", "--- quiet splash"), "live"),
        (linux("Ubuntu (safe graphics)", "/casper/vmlinuz", "nomodeset --- quiet"), "live"),
        (linux("Install Ubuntu Server", "/casper/vmlinuz", "---"), "install"),
        (linux("Start Linux Mint", "/casper/vmlinuz", "file=/cdrom/x.seed boot=casper quiet --"), "live"),
        (linux("Integrity check", "/casper/vmlinuz", "boot=casper integrity-check quiet"), "media check"),
        (
            linux("Arch Linux install medium", "/arch/boot/x86_64/vmlinuz-linux", "archisobasedir=arch"),
            "live",
        ),
        (
            linux("Start Fedora-Live 39", "/images/pxeboot/vmlinuz", "root=live:CDLABEL=F rd.live.image"),
            "live",
        ),
        (linux("Install Fedora 39", "/images/pxeboot/vmlinuz", "inst.stage2=hd:LABEL=F quiet"), "install"),
        (
            linux("Rescue a Fedora system", "/images/pxeboot/vmlinuz", "inst.stage2=hd:X inst.rescue"),
            "rescue",
        ),
        (linux("Installation", "/boot/x86_64/loader/linux", "splash=silent"), "install"),
        (linux("Rescue System", "/boot/x86_64/loader/linux", "splash=silent rescue=1"), "rescue"),
        (linux("Memory test (memtest86+)", "/boot/memtest86+x64.bin"), "memory test"),
        (linux("Живая система", "/boot/vmlinuz", "quiet"), "live"),
        (linux("Something of its own", "/boot/vmlinuz", "quiet"), "unknown"),
        (
            MenuRow(path=("Run Memtest86+ (RAM test)",), runs="linux /boot/memtest86+/memtest.bin"),
            "memory test",
        ),
        (MenuRow(path=("Boot existing OS",), runs="com32 chain.c32 hd0 0"), "local disk"),
        (MenuRow(path=("Boot from Hard Disk",), runs="localboot 0x80"), "local disk"),
        (MenuRow(path=("Boot from next volume",), runs="exit 1"), "local disk"),
        (
            MenuRow(path=("Windows Boot Manager",), runs="chainloader /EFI/Microsoft/Boot/bootmgfw.efi"),
            "local disk",
        ),
        (MenuRow(path=("UEFI Firmware Settings",), runs="fwsetup"), "firmware"),
        (MenuRow(path=("System restart",), runs="reboot"), "power"),
        (MenuRow(path=("Power Off",), runs="com32 poweroff.c32"), "power"),
        (MenuRow(path=("Hardware Information (HDT)",), runs="com32 hdt.c32 modules_alias=x"), "tool"),
        (MenuRow(path=("UEFI Shell",), runs="chainloader /shellx64.efi"), "tool"),
        (MenuRow(path=("Back",), runs="menu exit"), "menu"),
        (MenuRow(path=("Advanced options",), submenu=True), "menu"),
        (MenuRow(path=("Reboot Into Firmware Interface",)), "firmware"),
        (MenuRow(path=("Frobnicate",)), "unknown"),
        (MenuRow(path=()), "unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else " > ".join(value.path),
)
def test_purposes(row: MenuRow, purpose: str) -> None:
    assert purpose_of(row) == purpose


def verdict(purpose: Purpose, result: str, end: EndReason = EndReason.BOOT_FAILED, **more: bool) -> Judgement:
    known = {"starts_linux": True, "has_disk": False} | more
    shell = frozenset({FindingKind.EMERGENCY_SHELL}) if known.pop("shell", False) else frozenset()
    return judge(purpose, BootResult(result), end, shell, **known)[0]


@pytest.mark.parametrize("purpose", list(Purpose))
def test_what_succeeds_passes_whatever_it_is_for(purpose: Purpose) -> None:
    assert verdict(purpose, "success", EndReason.EXPECTED_STAGE) is Judgement.PASSED
    assert EXPECTS[purpose]


def test_each_purpose_has_its_own_end() -> None:
    assert verdict(Purpose.LIVE, "failure") is Judgement.FAILED
    assert verdict(Purpose.LIVE, "failure", shell=True) is Judgement.FAILED
    assert verdict(Purpose.RESCUE, "failure", shell=True) is Judgement.PASSED
    assert verdict(Purpose.RESCUE, "failure") is Judgement.FAILED
    assert verdict(Purpose.MEMORY_TEST, "incomplete", EndReason.TIMEOUT) is Judgement.UNDECIDED
    assert verdict(Purpose.LOCAL_DISK, "failure") is Judgement.NOT_JUDGED
    assert verdict(Purpose.LOCAL_DISK, "failure", has_disk=True) is Judgement.FAILED
    assert verdict(Purpose.POWER, "incomplete", EndReason.POWERED_OFF) is Judgement.PASSED
    assert verdict(Purpose.POWER, "failure", EndReason.RESET_LOOP) is Judgement.PASSED
    assert verdict(Purpose.POWER, "incomplete", EndReason.TIMEOUT) is Judgement.UNDECIDED
    assert verdict(Purpose.FIRMWARE, "failure") is Judgement.NOT_JUDGED
    assert verdict(Purpose.UNKNOWN, "failure") is Judgement.FAILED
    assert verdict(Purpose.UNKNOWN, "failure", starts_linux=False) is Judgement.NOT_JUDGED
    assert verdict(Purpose.LIVE, "incomplete", EndReason.MENU_ENTRY_MISSING) is Judgement.UNDECIDED
