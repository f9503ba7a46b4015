"""Plans how an ISO can be started without a hypervisor, from its files. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import Final

from hiperiso.contract.kernel_cmdline import PARAMETERS
from hiperiso.contract.words import DirectWay
from hiperiso.errors import UsageError
from hiperiso.iso.menus.entries import MenuEntry
from hiperiso.iso.menus.read import read_menus
from hiperiso.iso.tree import Tree
from hiperiso.stick.direct.live import LiveImage, find_live_images
from hiperiso.stick.direct.loopboot import with_medium

_HEADER_BYTES: Final = 1 << 16
_MAX_TRIED: Final = 60
_RELEASE: Final = re.compile(r"(?:[2-9]|[1-9]\d)\.\d[!-~]{0,100}")

HINT: Final = (
    f"boot it emulated: it needs no KVM then ({PARAMETERS['accel']}=tcg, or the menu's entry for it)"
)


@dataclass(frozen=True, kw_only=True)
class DirectFacts:
    """Facts other than the medium.

    Attributes:
        iso_path: of the ISO from the root of its partition.
        iso_device: that partition as kernels name it (``PARTUUID=...``); may be empty.
        way: the requested way.
        efi: whether this machine was started by UEFI.
        label: the volume label.
    """

    iso_path: str
    iso_device: str = ""
    way: DirectWay = DirectWay.AUTO
    efi: bool = False
    label: str = ""


@dataclass(frozen=True)
class LivePlan:
    """Mount the stacked images of the live system and switch to it, under the kernel of the stick."""

    image: LiveImage

    @property
    def receiver(self) -> str:
        """A description of what takes over the machine."""
        return f"the live system {self.image.name}, under the kernel of the stick"


@dataclass(frozen=True, kw_only=True)
class KexecPlan:
    """Start the ISO's own kernel.

    Attributes:
        entry: of its menu, with real paths.
        release: of the kernel, from its header.
        arguments: its full command line.
        documented_in: where these arguments are documented; empty when unknown.
    """

    entry: MenuEntry
    release: str
    arguments: str
    documented_in: str

    @property
    def receiver(self) -> str:
        """A description of what takes over the machine."""
        return f"Linux {self.release} of the ISO ({self.entry.kernel}, menu entry {self.entry.title!r})"

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user."""
        if self.documented_in:
            return ()
        return ("it is not known how this system finds an ISO file: it may not find its medium",)


Plan = LivePlan | KexecPlan


def plan_direct(tree: Tree, facts: DirectFacts) -> tuple[Plan, ...]:
    """The ways to start the ISO, best first.

    Raises:
        UsageError: there is none; the message describes the ISO.
    """
    entries = _bootable(tree, facts)
    images = find_live_images(tree, tuple(entry.arguments for entry, _ in entries))
    live: list[Plan] = [LivePlan(image) for image in images]
    kexec: list[Plan] = []
    for entry, release in entries[:1]:
        found = with_medium(entry.arguments, facts.iso_path, facts.iso_device)
        kexec.append(
            KexecPlan(
                entry=entry, release=release, arguments=found.arguments, documented_in=found.documented_in
            )
        )
    plans = {
        DirectWay.AUTO: live + kexec,
        DirectWay.LIVE: live,
        DirectWay.KEXEC: kexec,
    }[facts.way]
    if not plans:
        raise UsageError(
            f"this ISO cannot be booted directly: {_why_not(tree, facts.label, live, kexec)}", hint=HINT
        )
    return tuple(plans)


def linux_release(head: bytes) -> str:
    """The release in the first 64 KB of a Linux kernel for PCs, else ``""``.

    Memory tests and network loaders have the same header, so that boot loaders take them for a kernel; their text
    does not have the form ``6.1.0 (builder) #1 SMP ...``.
    Source: Documentation/arch/x86/boot.rst, ``header`` and ``kernel_version``.
    """
    if head[0x202:0x206] != b"HdrS":
        return ""
    start = 0x200 + int.from_bytes(head[0x20E:0x210], "little")
    text = head[start : start + 512].partition(b"\0")[0].decode("ascii", "replace")
    match = _RELEASE.match(text) if start > 0x200 else None
    return match[0] if match and " #" in text else ""


def _bootable(tree: Tree, facts: DirectFacts) -> list[tuple[MenuEntry, str]]:
    """Menu entries whose files exist and whose kernel is Linux, the one to start first."""
    found: list[tuple[MenuEntry, str]] = []
    for menu in read_menus(tree, iso_path=facts.iso_path, efi=facts.efi):
        for entry in islice(menu.in_order, _MAX_TRIED):
            kernel = tree.find(entry.kernel)
            initrds = tuple(tree.find(path) for path in entry.initrds)
            release = linux_release(tree.read(kernel, _HEADER_BYTES)) if kernel and all(initrds) else ""
            if release:
                real = MenuEntry(
                    title=entry.title,
                    kernel=kernel,
                    initrds=initrds,
                    arguments=entry.arguments,
                    source=entry.source,
                )
                found.append((real, release))
        if len(found) >= _MAX_TRIED:
            break
    return found


def _why_not(tree: Tree, label: str, live: list[Plan], kexec: list[Plan]) -> str:
    if live:
        return "it has a live system, but no Linux kernel that its menu starts"
    if kexec:
        return "it has a Linux kernel, but no live system"
    names = {label.casefold(), *(path.casefold() for path in tree)}
    if names & {"/sources/boot.wim", "/sources/install.wim", "/sources/install.esd", "/bootmgr"}:
        return "it is a Windows medium, and only Linux can be started by Linux"
    if any("memtest" in name or "mt86" in name for name in names):
        return "it is a memory test, which needs the machine in the state left by the firmware"
    if any(name.endswith(("/kernel.gz", "/cdboot", "/loader.conf")) for name in names):
        return "it contains another system, not Linux"
    return "neither a Linux kernel nor a live system was found on it"
