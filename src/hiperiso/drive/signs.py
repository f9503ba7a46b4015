"""Signs on a screen that waits for a key: boot menus and prompts, and those that must never get one.

Sources: those of `hiperiso.rows`; GRUB's manual, "Menu interface"; the rEFInd manual, "Using rEFInd"; FreeBSD's
loader(8) and beastie.4th(8); EDK2's UiApp. Each row has an example, and rows that must not match it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hiperiso import rows


class MenuKind(StrEnum):
    """The software that shows a menu, by its common name."""

    GRUB = "GRUB"
    SYSLINUX = "syslinux"
    SYSTEMD_BOOT = "systemd-boot"
    REFIND = "rEFInd"
    LIMINE = "Limine"
    FREEBSD = "FreeBSD loader"
    WINDOWS = "Windows boot manager"
    PROMPT = "boot prompt"
    KEY_PAGE = "a page that asks for a key"
    UNKNOWN = "boot menu"


class Refusal(StrEnum):
    """Why a stable screen gets no key."""

    PASSPHRASE = "a passphrase prompt"  # noqa: S105 - words about one
    SHELL = "a shell"
    FIRMWARE = "the firmware's own screen"
    MEMORY_TEST = "a memory test"
    TOOL = "a tool that asks what to do"
    LOADER_FAILED = "a boot loader that reports an error"
    EDITOR = "the editor of a boot entry"
    SYSTEM = "a system that has started"


@dataclass(frozen=True, kw_only=True)
class Sign:
    """One row that identifies a screen.

    Attributes:
        pattern: searched in a single row of the screen, or in a line of the serial port.
        example: a row of the kind that the pattern is for.
        unlike: similar rows that are something else.
    """

    pattern: str
    example: str
    unlike: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MenuSign(Sign):
    """A row of a menu.

    Attributes:
        kind: whose.
        at_once: it waits only for a moment, and continues without the medium: no time to check whether it is stable.
    """

    kind: MenuKind
    at_once: bool = False


@dataclass(frozen=True, kw_only=True)
class RefusalSign(Sign):
    """A row of a screen that gets no key.

    Attributes:
        why: what it is.
        last: counts on the last row alone, where a prompt stands; else on any row.
    """

    why: Refusal
    last: bool = False


MENU_SIGNS: Final = (
    MenuSign(
        kind=MenuKind.WINDOWS,
        pattern=r"^\s{0,80}" + rows.KEY_FOR_MEDIUM,
        example="Press any key to boot from CD or DVD..",
        at_once=True,
    ),
    MenuSign(
        kind=MenuKind.GRUB,
        pattern=r"^\W{0,80}GNU GRUB {1,4}(?:version )?[\d~]",
        example="                       GNU GRUB  version 2.06-13+deb12u1",
        unlike=("Welcome to GRUB!", "GRUB loading."),
    ),
    MenuSign(
        kind=MenuKind.GRUB,
        pattern=rows.GRUB_HELP,
        example="      Use the ^ and v keys to select which entry is highlighted.",
    ),
    MenuSign(
        kind=MenuKind.SYSLINUX,
        pattern=rows.SYSLINUX_HELP,
        example="                  Press [Tab] to edit options",
    ),
    MenuSign(
        kind=MenuKind.SYSLINUX,
        pattern=rows.SYSLINUX_TEXT_HELP,
        example="          Press ENTER to boot or TAB to edit a menu entry",
    ),
    MenuSign(
        kind=MenuKind.SYSTEMD_BOOT,
        pattern=rf"^\s{{0,120}}(?:Boot in \d{{1,5}} (?:s\.|sec\.)|{rows.SYSTEMD_BOOT_ENTRY})\s*$",
        example="                     Reboot Into Firmware Interface",
    ),
    MenuSign(
        kind=MenuKind.REFIND,
        pattern=r"\b(?:Insert|Tab),? .{0,12}for more options\b",
        example="Insert, F2, or + for more options; Esc or Backspace to refresh",
    ),
    MenuSign(
        kind=MenuKind.REFIND,
        pattern=r"^\W{0,80}rEFInd - Main Menu\b",
        example="                                 rEFInd - Main Menu",
        unlike=("rEFInd - About",),
    ),
    MenuSign(
        kind=MenuKind.LIMINE,
        pattern=rf"{rows.LIMINE_TITLE}|^\W{{0,80}}\[?ARROWS?\]? Select {{2,}}",
        example="                        Limine 7.5.1 (x86-64, UEFI)",
        unlike=("Limine is a city",),
    ),
    MenuSign(
        kind=MenuKind.FREEBSD,
        pattern=r"^\W{0,40}\d\. Boot (?:Multi|Single) [uU]ser\b|^\W{0,40}(?:1\. )?Boot \[(?:Enter|ENTER)\]",
        example="    | 1. Boot Multi user [Enter]      |",
    ),
    MenuSign(
        kind=MenuKind.KEY_PAGE,
        pattern=(
            r"^\W{0,60}(?:Press|Hit|Strike) (?:\W{0,2}(?:ENTER|Enter|RETURN|Return|any key|a key|SPACE)\W{0,2}) "
            r"(?:to|key to) (?:boot(?! from| or TAB)|start|begin|continue|install|proceed)\b"
        ),
        example="Press <ENTER> to boot the default kernel",
        unlike=(
            "Hit any key to stop autoboot:  3",
            "Press any key to enter the Boot Manager Menu.",
            "Press any key to perform MOK management",
        ),
    ),
)

PROMPT: Final = re.compile(r"^boot: ?$")
"""The prompt of ISOLINUX and its variants, with nothing typed yet."""

COUNTDOWN: Final = re.compile(
    r"(?:\bin|\bafter|:|\bAutoboot)\W{0,3}(?P<s>\d{1,5})\W{0,2}(?:s\b|sec|second|Sekunde|seg\b|c\b|сек|秒|$)",
    re.IGNORECASE,
)
"""A number of seconds after which a menu continues, in one of its rows."""

REFUSAL_SIGNS: Final = (
    RefusalSign(
        why=Refusal.PASSPHRASE,
        pattern=(
            r"(?i)\b(?:pass ?(?:phrase|word)|passwort|mot de passe|contraseña|пароль|senha|hasło)\b"
            r"[^│|]{0,80}[:?>] ?\**\s*$"
        ),
        example="Enter passphrase for hd0,gpt2 (9f3a):",
        unlike=("Forgot password? Press F1",),
        last=True,
    ),
    RefusalSign(
        why=Refusal.PASSPHRASE,
        pattern=r"(?i)^\W{0,60}(?:Enter user ?name|Password required)\W{0,40}$",
        example="Enter username: ",
    ),
    RefusalSign(
        why=Refusal.PASSPHRASE,
        pattern=rows.UNLOCK_DISK,
        example="Please unlock disk cryptroot:",
    ),
    RefusalSign(
        why=Refusal.SHELL,
        pattern=(
            r"^\s{0,200}(?:grub(?: rescue)?>|Shell>|[fF][sS]\d{1,2}:(?:\\\S{0,80})?>|iPXE>|=>|U-Boot>|OK|limine>"
            r"|\(initramfs\)|(?:\S{1,40}@\S{1,40}(?: \S{1,40})?|sh-[\d.]{1,8}|bash-[\d.]{1,8}|[/~]) ?[#$]) ?\S{0,80}$"
        ),
        example="grub rescue> ",
        unlike=("boot: ", "Live system"),
        last=True,
    ),
    RefusalSign(
        why=Refusal.FIRMWARE,
        pattern=(
            r"^\W{0,200}(?:Device Manager|Boot Maintenance Manager|Select Language|Boot Manager Menu)\b"
            r"|\bF9=Reset to Defaults\b|\bBIOS SETUP UTILITY\b|^\W{0,80}Setup Utility\b"
        ),
        example="   Boot Maintenance Manager",
    ),
    RefusalSign(
        why=Refusal.FIRMWARE,
        pattern=(
            r"^\s{0,200}(?:No bootable device\.|Please select boot device:|Press any key to enter the Boot Manager Menu"
            r"|(?:Operating system not found|Missing operating system|Reboot and Select proper Boot device))"
        ),
        example="No bootable device.  Retrying in 60 seconds.",
    ),
    RefusalSign(
        why=Refusal.MEMORY_TEST,
        pattern=r"^\W{0,40}(?:PassMark )?Mem[tT]est ?86\+? {1,4}(?:v ?)?\d{1,2}\.|^\W{0,40}Memtest86\+? v?\d",
        example="        Memtest86+ v6.10      | Intel(R) Core(TM)",
        unlike=("Memory test (memtest86+)", "│ Memtest86+ (EFI) │"),
    ),
    RefusalSign(
        why=Refusal.TOOL,
        pattern=rf"^\W{{0,200}}(?:{rows.KEYTOOL}|{rows.HDT}\d)",
        example="│                              KeyTool main menu                              │",
        unlike=("│ Hardware Detection Tool (HDT)              │", "  KeyTool"),
    ),
    RefusalSign(
        why=Refusal.LOADER_FAILED,
        pattern=(
            r"^\s{0,200}(?:error: |Could not find (?:kernel|ramdisk) image|No DEFAULT or UI configuration directive"
            r"|Verification failed|Security Violation|Access Denied|No configuration file found"
            r"|Failed to load \S{1,80}\.c32)"
        ),
        example="error: file `/live/vmlinuz' not found.",
    ),
    RefusalSign(
        why=Refusal.EDITOR,
        pattern=r"Press Ctrl-x or F10 to boot, Ctrl-c or F2 for",
        example="      Press Ctrl-x or F10 to boot, Ctrl-c or F2 for a command-line or",
    ),
    RefusalSign(
        why=Refusal.SYSTEM,
        pattern=r"^\[ {0,6}\d{1,6}\.\d{6}\] |\blogin: ?\S{0,40}$|^Kernel panic - not syncing",
        example="[    0.000000] Linux version 6.1.0-demo",
    ),
)
