"""The purpose of a boot menu entry, and whether a boot fulfilled it. Pure.

Arguments and kernels are more significant than titles: "Arch Linux install medium" starts a live system, and "Try or
Install Ubuntu" does, too. Sources: live-boot(7), casper(7), dracut.cmdline(7) (``rd.live.*``), Anaconda's boot options
(``inst.*``), linuxrc, debian-installer's manual, archiso; titles on media of the distributions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from hiperiso import rows
from hiperiso.contract.words import BootResult, EndReason, FindingKind
from hiperiso.iso.menus.entries import MenuRow


class Purpose(StrEnum):
    """The purpose of an entry."""

    LIVE = "live"
    INSTALL = "install"
    RESCUE = "rescue"
    MEMORY_TEST = "memory test"
    LOCAL_DISK = "local disk"
    MEDIA_CHECK = "media check"
    POWER = "power"
    FIRMWARE = "firmware"
    TOOL = "tool"
    MENU = "menu"
    UNKNOWN = "unknown"


EXPECTS: Final = {
    Purpose.LIVE: "a login, or the desktop where one is started",
    Purpose.INSTALL: "the installer's first question, or a login",
    Purpose.RESCUE: "a login, a question, or a shell",
    Purpose.MEMORY_TEST: "the program on its screen",
    Purpose.LOCAL_DISK: "the system of a disk; without one (--disk FILE) there is nothing to judge",
    Purpose.MEDIA_CHECK: "a login if it continues; else not evaluated",
    Purpose.POWER: "the machine is switched off or reset",
    Purpose.FIRMWARE: "nothing that can be judged",
    Purpose.TOOL: "the program on its screen; else there is nothing to judge",
    Purpose.MENU: "nothing that can be judged",
    Purpose.UNKNOWN: "a login, a question, or a program on its screen",
}
"""The expected outcome of a boot of such an entry."""

_RUNS: Final = (
    (Purpose.POWER, r"^(?:halt|poweroff|reboot)\b|\b(?:poweroff|reboot)\.c32\b"),
    (Purpose.FIRMWARE, r"^fwsetup\b"),
    (Purpose.MEMORY_TEST, r"(?i)memtest|mt86|memdiag"),
    (Purpose.MENU, r"^menu (?:goto|exit|quit)\b|^configfile\b"),
    (Purpose.LOCAL_DISK, rows.BOOTS_DISK),
    (Purpose.TOOL, r"(?i)\b(?:hdt|memdisk|ipxe|gpxe|pwd|cpuid|ifcpu\w*)\b|shell\w*\.efi|ipxe"),
)
_ARGUMENTS: Final = (
    (
        Purpose.RESCUE,
        r"(?:^| )(?:rescue(?:/enable=true|=1)?|inst\.rescue|single|emergency"
        r"|systemd\.unit=(?:rescue|emergency)\S*)(?: |$)",
    ),
    (Purpose.MEDIA_CHECK, r"(?:^| )(?:integrity-check|mediacheck(?:=1)?|verify-checksums)(?: |$)"),
    (
        Purpose.LIVE,
        r"(?:^| )(?:boot=(?:live|casper)|rd\.live\.\S+|root=live:\S+|archiso\S+=\S+|misolabel=\S+|iso-scan/\S+"
        r"|findiso=\S+|cdroot\S*|live-media\S*|root=/dev/loop\S*)(?: |$)",
    ),
    (
        Purpose.INSTALL,
        r"(?:^| )(?:inst\.(?:stage2|repo|ks)=\S+|install=\S+|priority=\S+|auto=true|url=\S+|autoyast\S*|theme=dark"
        r"|DEBIAN_FRONTEND=\S+)(?: |$)",
    ),
)
_KERNELS: Final = (
    (Purpose.MEMORY_TEST, r"(?i)memtest|mt86|memdiag"),
    (Purpose.INSTALL, r"(?i)^/(?:install(?:\.\w+)?|d-i|images/pxeboot)/"),
)
_LIVE_FOLDER: Final = re.compile(r"(?i)^/(?:live|casper|arch|antix|porteus|liveos)/")
_TITLES: Final = (
    (
        Purpose.MEMORY_TEST,
        r"mem(?:ory|test)?[ -]?(?:86\+?|test|diagnostic)|test (?:the )?memory|speichertest|тест памяти|test mémoire",
    ),
    (
        Purpose.LOCAL_DISK,
        r"(?:boot|start)\w* .*(?:local|first|hard|existing|next volume|installed)|hard ?dis[ck]|festplatte|disque dur"
        r"|disco duro|жестк|жёстк|existing os|from next volume|chainload",
    ),
    (Purpose.FIRMWARE, r"firmware|uefi settings|bios setup"),
    (
        Purpose.POWER,
        r"^(?:re-?boot|restart|power ?off|shut ?down|halt)\b|neu ?start|ausschalten|^выключ|^перезагр",
    ),
    (
        Purpose.MEDIA_CHECK,
        r"(?:check|verify|integrity).*(?:medi|dis[ck]|cd|dvd)|integrity check|medien? prüf",
    ),
    (
        Purpose.RESCUE,
        r"rescue|recovery|repair|emergency|single[ -]user|rettung|secours|rescate|спасен|восстановл",
    ),
    (
        Purpose.TOOL,
        r"hardware (?:information|detection)|\bhdt\b|(?:uefi|efi) shell|network boot|\bi?pxe\b|diagnos",
    ),
    (Purpose.LIVE, r"\btry\b|\blive\b"),
    (Purpose.INSTALL, r"install|setup|einrichten|установ|\boem\b"),
    (
        Purpose.LIVE,
        r"without installing|start |boot (?!from)|safe|nomodeset|fail-?safe|compatib|жив|персист",
    ),
)


def purpose_of(row: MenuRow) -> Purpose:
    """The purpose of a row of a menu."""
    if row.submenu:
        return Purpose.MENU
    entry, title = row.entry, row.path[-1] if row.path else ""
    if entry is None:
        return _first(_RUNS, row.runs) or _first(_TITLES, title.lower()) or Purpose.UNKNOWN
    kernel = _first(_KERNELS, entry.kernel)
    if kernel is Purpose.MEMORY_TEST:
        return kernel
    if certain := _first(_ARGUMENTS, entry.arguments) or kernel:
        return certain
    called = _first(_TITLES, title.lower()) or Purpose.UNKNOWN
    if _LIVE_FOLDER.match(entry.kernel) and called is Purpose.UNKNOWN:
        return Purpose.LIVE
    return called


class Judgement(StrEnum):
    """The evaluation of an entry by its boot."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    NOT_JUDGED = "not judged"


def judge(
    purpose: Purpose,
    result: BootResult,
    end: EndReason | None,
    found: frozenset[FindingKind],
    *,
    starts_linux: bool,
    has_disk: bool,
) -> tuple[Judgement, str]:
    """Whether a boot fulfilled the purpose of its entry, with a remark if that differs from the recorder's verdict.

    Args:
        purpose: of the entry.
        result: the verdict of the recorder.
        end: why the recording ended.
        found: what its report names.
        starts_linux: the entry starts a Linux kernel, as far as is known.
        has_disk: a disk with something on it was given to the guest.
    """
    if end is EndReason.MENU_ENTRY_MISSING:
        return Judgement.UNDECIDED, "the menu does not show this entry"
    if result is BootResult.SUCCESS:
        return Judgement.PASSED, ""
    if purpose is Purpose.RESCUE and FindingKind.EMERGENCY_SHELL in found:
        return Judgement.PASSED, "a shell was started, as expected of a rescue entry"
    if purpose is Purpose.POWER:
        done = end in (EndReason.POWERED_OFF, EndReason.RESET_LOOP)
        return (Judgement.PASSED, "the machine was switched off or reset") if done else _plain(result)
    if _says_nothing(purpose, starts_linux=starts_linux, has_disk=has_disk):
        return Judgement.NOT_JUDGED, f"expected: {EXPECTS[purpose]}"
    return _plain(result)


def _says_nothing(purpose: Purpose, *, starts_linux: bool, has_disk: bool) -> bool:
    if purpose is Purpose.LOCAL_DISK:
        return not has_disk
    if purpose is Purpose.UNKNOWN:
        return not starts_linux
    return purpose in (Purpose.FIRMWARE, Purpose.TOOL, Purpose.MEDIA_CHECK, Purpose.MENU)


def _plain(result: BootResult) -> tuple[Judgement, str]:
    return (Judgement.FAILED if result is BootResult.FAILURE else Judgement.UNDECIDED), ""


def _first(rows: tuple[tuple[Purpose, str], ...], text: str) -> Purpose | None:
    search: Callable[[str], object] = lambda pattern: re.search(pattern, text[:4096])  # noqa: E731
    return next((purpose for purpose, pattern in rows if text and search(pattern)), None)
