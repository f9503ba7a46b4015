"""Boot sectors that show the screen of a boot loader and poll the keyboard: stand-ins for loaders that no package has.

They are replicas, not those loaders. Real are: the words on the screen, that they wait, and for which key. After the
key the stand-in starts ISOLINUX, the second boot image of the same medium, which boots a system without a word.

::

    7C00  loaded by the BIOS; copies itself to 0600 and goes on there
    8000  El Torito's boot record, then its catalogue, with the position of ISOLINUX
    7C00  the first sector of ISOLINUX, as the BIOS would have loaded it

Source: El Torito 1.0; Ralf Brown's interrupt list (int 10h/0Eh, int 13h/42h, int 16h/01h, int 18h).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_SIZE_BYTES: Final = 2048
_AT: Final = 0x0600
_ENTER: Final = 0x0D
_DOTS: Final = 6
_TICKS_A_DOT: Final = 18

_START: Final = """
    fa 31c0 8ed0 bc0070 8ed8       # cli; ss:sp = 0:7000; ds = 0
    52 06 57                       # what the BIOS gave in dx, es and di is for ISOLINUX
    8ec0 fb fc be007c bf0006 b90004 f3a5 ea =moved 0000
    :moved 8816 =drive b80300 cd10 # keep the drive; text mode
    be =text e8 >print
"""
_WAIT_FOR_ENTER: Final = """
    :wait b401 cd16 74 <wait       # poll the keyboard
    b400 cd16 3c0d 75 <wait
    b80300 cd10                    # what starts now has an empty screen
"""
_WAIT_FOR_ANY_KEY: Final = """
    bd0600                         # so many dots, a second each
    :dot b82e0e bb0700 cd10 8b166c04
    :poll b401 cd16 75 <key
    a16c04 29d0 3d1200 72 <poll 4d 75 <dot
    cd18                           # no key: the next boot device
    :key b400 cd16
"""
_GO_ON: Final = """
    e8 >read 66a14780 66a3 =lba    # the catalogue
    e8 >read 66a16880 66a3 =lba    # its second boot image
    c706 =to 007c e8 >read
    5f 07 5a ea 007c0000
    :read be =dap 8a16 =drive b442 cd13 c3
    :print ac 84c0 74 <printed b40e bb0700 cd10 eb <print
    :printed c3
    :dap 1000 0100 :to 0080 0000 :lba 1100000000000000
    :drive 00
    :text
"""


@dataclass(frozen=True)
class StandIn:
    """A screen, and the key that it waits for.

    Attributes:
        screen: rows, of code page 437.
        any_key: accepts any key, and gives up after some seconds without one; else it waits for Enter forever.
    """

    screen: tuple[str, ...]
    any_key: bool = False

    def boot_sector(self) -> bytes:
        """The program, one sector of a CD."""
        text = "\r\n".join(self.screen).encode("cp437") + b"\0"
        code = assembled(_START + (_WAIT_FOR_ANY_KEY if self.any_key else _WAIT_FOR_ENTER) + _GO_ON) + text
        if len(code) > _SIZE_BYTES:
            raise ValueError(f"a stand-in has {len(code)} bytes, more than {_SIZE_BYTES}")
        return code.ljust(_SIZE_BYTES, b"\0")


def assembled(source: str) -> bytes:
    """Bytes in hexadecimal, with labels: ``:a`` is here, ``=a`` its address, ``<a`` and ``>a`` how far (8, 16 bits)."""
    words = [word for line in source.splitlines() for word in line.partition("#")[0].split()]
    widths = {"=": 2, "<": 1, ">": 2}
    labels: dict[str, int] = {}
    at = 0
    for word in words:
        if word[0] == ":":
            labels[word[1:]] = at
        else:
            at += widths.get(word[0], len(word) // 2)
    code = b""
    for word in words:
        mark, name = word[0], word[1:]
        if mark == "=":
            code += (_AT + labels[name]).to_bytes(2, "little")
        elif mark in "<>":
            width = widths[mark]
            code += (labels[name] - len(code) - width).to_bytes(width, "little", signed=True)
        elif mark != ":":
            code += bytes.fromhex(word)
    return code


LIMINE: Final = StandIn(
    (
        "                              Limine 7.5.1 (x86-64, BIOS)",
        "",
        "",
        "   ARROWS Select    ENTER Boot    E Edit",
        "",
        "",
        "                              \x10 Sample system",
        "                                Sample system (fallback)",
    )
)
FREEBSD: Final = StandIn(
    (
        "  ______               ____   _____ _____",
        " |  ____|             |  _ \\ / ____|  __ \\",
        " | |___ _ __ ___  ___ | |_) | (___ | |  | |",
        "",
        " +---------- Welcome to FreeBSD -----------+",
        " |                                         |",
        " |  1. Boot Multi user [Enter]             |",
        " |  2. Boot Single user                    |",
        " |  3. Escape to loader prompt             |",
        " |  4. Reboot                              |",
        " |                                         |",
        " |  Options:                               |",
        " |  5. Kernel: default/kernel (1 of 1)     |",
        " +-----------------------------------------+",
    )
)
WINDOWS: Final = StandIn(("Press any key to boot from CD or DVD..",), any_key=True)
