"""Programs that run without an operating system: what the image is for, not a boot loader that got stuck.

Sources: recordings of memtest86+ 6.10 (screen and serial), of Syslinux's HDT 0.5.2 and of KeyTool (efitools 1.9.2).
"""

from __future__ import annotations

from typing import Final

from hiperiso import rows
from hiperiso.analysis.signature import Effect, Signature
from hiperiso.contract.words import BootStage, FindingKind


def _program(
    summary: str,
    pattern: str,
    literals: tuple[str, ...],
    example: str,
    *,
    unlike: str,
    software: str,
    family: str = "",
) -> Signature:
    """A program that the image is for, once its screen is seen."""
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=(example,),
        unlike=unlike,
        stage=BootStage.USERSPACE,
        kind=FindingKind.APPLICATION,
        summary=summary,
        software=software,
        family=family,
        effect=Effect.APPLICATION,
    )


SIGNATURES: Final = (
    _program(
        "the memory tester Memtest86+ is running",
        r"^\s{0,20}Memtest86\+ v?(?P<v>\d[\w.]{0,10})(?:\s{2,20}\S|\s{0,20}[|│])",  # not a menu entry
        ("Memtest86+",),
        "      Memtest86+ v6.10      │ QEMU TCG CPU version 2.5+",
        unlike="Memtest86+ (memory test)",
        software="Memtest86+ {v}",
        family="Memtest86+",
    ),
    _program(
        "the memory tester MemTest86 is running",
        r"\bPassMark MemTest86\b",
        ("PassMark MemTest86",),
        "PassMark MemTest86 V9.4 Free",
        unlike="MemTest86 is made by PassMark",
        software="MemTest86",
    ),
    _program(
        "the memory tester Memtest86+ is running",
        r"^\s{0,4}CLK(?:/Temp)?:\s{1,8}\d{3,5}\s?MHz",
        ("CLK/Temp:", "CLK:"),
        "CLK/Temp: 2603MHz           │ Pass  9% ###",
        unlike="CLK: not known",
        software="Memtest86+",
        family="Memtest86+",
    ),
    _program(
        "the Hardware Detection Tool waits at its menu",
        rf"^\W{{0,60}}{rows.HDT}(?P<v>\d[\w.]{{0,10}}) \(",
        ("Hardware Detection Tool",),
        "                     Hardware Detection Tool 0.5.2 (Manon)",
        unlike="│ Hardware Detection Tool (HDT)              │",
        software="Hardware Detection Tool {v}",
    ),
    _program(
        "KeyTool waits at its menu",
        rf"^\W{{0,200}}{rows.KEYTOOL}",
        ("KeyTool main menu",),
        "│                              KeyTool main menu                              │",
        unlike="  KeyTool",
        software="KeyTool",
    ),
)
