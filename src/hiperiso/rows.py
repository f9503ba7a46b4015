"""Rows that two parts of hiperiso know: the judge rates them, the hands at the boot menu act on them.

What a row means to one of them stands there (`hiperiso.analysis.signatures`, `hiperiso.drive.signs`); how it reads
stands here, as a regular expression with bounded repeats that is searched in a row of a screen or in a line.

Sources: GRUB's manual, "Menu interface"; syslinux, doc/menu.txt; systemd-boot(7); Limine's USAGE.md; Microsoft's
bootfix.bin; EDK2's BdsDxe; cryptsetup-initramfs (cryptroot-unlock); the screens of HDT 0.5.2 and of efitools 1.9.2.
"""

from __future__ import annotations

from typing import Final

GRUB_HELP: Final = (
    r"^\W{0,60}Use the .{1,12} and .{1,12} keys to (?:select which entry is|change the selection)"
)
"""Below the menu of GRUB."""

SYSLINUX_HELP: Final = (
    r"^\W{0,60}(?:Press [\[<]?(?:Tab|TAB)[\]>]? to edit options|Automatic boot in \d{1,5} seconds?)"
)
"""Below the graphical menu of syslinux."""

SYSLINUX_TEXT_HELP: Final = r"^\W{0,60}Press ENTER to boot or TAB to edit a menu entry"
"""Below its menu in text mode."""

SYSTEMD_BOOT_ENTRY: Final = r"\bReboot Into Firmware Interface\b"
"""The entry that systemd-boot adds to its menu."""

LIMINE_TITLE: Final = r"^\W{0,120}Limine (?P<v>\d{1,3}\.\d[\w.]{0,16})\b"
"""Above the menu of Limine."""

HDT: Final = r"Hardware Detection Tool "
KEYTOOL: Final = r"KeyTool main menu\b"
"""Above the menus of two tools, which are started as boot loaders are and take keys as boot menus do."""

KEY_FOR_MEDIUM: Final = r"\bPress any key to boot from (?:the )?(?:CD|DVD|USB|EFI)\b"
"""The boot loader of Windows media, which continues without the medium unless a key is pressed."""

UEFI_LOADS: Final = r"\bBdsDxe: loading Boot[0-9A-F]{4} "
UEFI_STARTS: Final = r"\bBdsDxe: starting Boot[0-9A-F]{4} "
"""UEFI firmware hands over to a boot loader."""
UEFI_FAILED: Final = r"\bBdsDxe: failed to (?:load|start) Boot[0-9A-F]{4}"
"""Control returned to the firmware, or the start failed."""

BOOTS_DISK: Final = (
    r"(?i:^localboot\b|\bchain\.c32\b|^chainloader .*(?:\+1$|bootmgfw)|^exit\b|\bwhichsys\.c32\b)"
)
"""What an entry of a boot menu runs to start the system of a disk, or what the firmware tries next."""

UNLOCK_DISK: Final = r"(?i:^\W{0,60}please unlock disk \S{1,80}:\W{0,100}$)"
"""The initramfs waits for the passphrase of a disk."""
