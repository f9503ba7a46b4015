"""The arguments with which a distribution's initramfs finds its medium inside an ISO file on a partition.

Only those documented by the distributions:

=================  =================================  ================================================================
recognised by      added                              documented in
=================  =================================  ================================================================
``boot=live``      ``findiso=/ISOs/x.iso``            live-boot(7)
``boot=casper``    ``iso-scan/filename=/ISOs/x.iso``  Ubuntu's loopback.cfg; help.ubuntu.com, Grub2/ISOBoot
``root=live:``     ``iso-scan/filename=/ISOs/x.iso``  dracut.cmdline(7)
``archisobasedir`` ``img_dev=... img_loop=/ISOs/..``  archiso, docs/README.bootparams
=================  =================================  ================================================================

A ``loopback.cfg`` names the parameter itself: nothing is added to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hiperiso.iso.menus.entries import MAX_ARGUMENTS_CHARS, joined


@dataclass(frozen=True)
class LoopArguments:
    """The arguments for a kernel started from an ISO file.

    Attributes:
        arguments: all of them.
        documented_in: where these arguments are documented; empty when unknown.
    """

    arguments: str
    documented_in: str = ""


_ISO_SCAN: Final = "iso-scan/filename="
_KNOWN: Final = (
    ("boot=live", ("findiso=",), "live-boot(7)"),
    ("boot=casper", (_ISO_SCAN,), "Ubuntu's loopback.cfg"),
    ("root=live:", (_ISO_SCAN,), "dracut.cmdline(7)"),
    ("archisobasedir=", ("img_dev=", "img_loop="), "archiso's README.bootparams"),
)
_ALREADY: Final = ("findiso=", "fromiso=", _ISO_SCAN, "img_loop=", "isofrom=", "isoboot=")


def partition_as_kernels_name_it(waitdev: str) -> str:
    """The partition that ``waitdev=`` names, if every initramfs supports its form; else ``""``."""
    return waitdev if waitdev.startswith(("PARTUUID=", "UUID=", "LABEL=", "PARTLABEL=")) else ""


def with_medium(arguments: str, iso_path: str, iso_device: str) -> LoopArguments:
    """The arguments of a menu entry, plus those needed to find the ISO file.

    Args:
        arguments: from the menu.
        iso_path: of the ISO from the root of its partition.
        iso_device: that partition, such as ``PARTUUID=...``; may be empty.
    """
    words = arguments.split(" ")
    for word in words:
        if word.strip('"').startswith(_ALREADY) and iso_path in arguments:
            return LoopArguments(arguments, "the ISO's own menu")
    for sign, names, documented_in in _KNOWN:
        if not any(word.startswith(sign) for word in words):
            continue
        values = {"img_dev=": iso_device}
        added = [f"{name}{values.get(name, iso_path)}" for name in names]
        if all(values.get(name, iso_path) for name in names):
            return LoopArguments(_insert(words, joined(added)), documented_in)
    return LoopArguments(arguments)


def _insert(words: list[str], added: str) -> str:
    """In front of ``--`` or ``---``: what follows is for init, or for the installed system."""
    at = next((at for at, word in enumerate(words) if word in ("--", "---")), len(words))
    return " ".join(word for word in [*words[:at], added, *words[at:]] if word)[:MAX_ARGUMENTS_CHARS]
