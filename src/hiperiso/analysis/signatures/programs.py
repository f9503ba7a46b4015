"""Programs that run without an operating system: what the image is for, not a boot loader that got stuck.

Sources: recordings of memtest86+ 6.10 (screen and serial), of Syslinux's HDT 0.5.2 and of KeyTool (efitools 1.9.2).
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, Signature
from hiperiso.contract.words import BootStage, FindingKind

SIGNATURES: Final = (
    Signature(
        pattern=r"^\s{0,20}Memtest86\+ v?(?P<v>\d[\w.]{0,10})(?:\s{2,20}\S|\s{0,20}[|│])",  # not a menu entry,
        literals=("Memtest86+",),
        examples=("      Memtest86+ v6.10      │ QEMU TCG CPU version 2.5+",),
        unlike="Memtest86+ (memory test)",
        stage=BootStage.USERSPACE,
        kind=FindingKind.APPLICATION,
        summary="the memory tester Memtest86+ is running",
        software="Memtest86+ {v}",
        family="Memtest86+",
        effect=Effect.APPLICATION,
    ),
    Signature(
        pattern=r"\bPassMark MemTest86\b",
        literals=("PassMark MemTest86",),
        examples=("PassMark MemTest86 V9.4 Free",),
        unlike="MemTest86 is made by PassMark",
        stage=BootStage.USERSPACE,
        kind=FindingKind.APPLICATION,
        summary="the memory tester MemTest86 is running",
        software="MemTest86",
        effect=Effect.APPLICATION,
    ),
    Signature(
        pattern=r"^\s{0,4}CLK(?:/Temp)?:\s{1,8}\d{3,5}\s?MHz",
        literals=("CLK/Temp:", "CLK:"),
        examples=("CLK/Temp: 2603MHz           │ Pass  9% ###",),
        unlike="CLK: not known",
        stage=BootStage.USERSPACE,
        kind=FindingKind.APPLICATION,
        summary="the memory tester Memtest86+ is running",
        software="Memtest86+",
        family="Memtest86+",
        effect=Effect.APPLICATION,
    ),
    Signature(
        pattern=r"^\W{0,60}Hardware Detection Tool (?P<v>\d[\w.]{0,10}) \(",
        literals=("Hardware Detection Tool",),
        examples=("                     Hardware Detection Tool 0.5.2 (Manon)",),
        unlike="│ Hardware Detection Tool (HDT)              │",
        stage=BootStage.USERSPACE,
        kind=FindingKind.APPLICATION,
        summary="the Hardware Detection Tool waits at its menu",
        software="Hardware Detection Tool {v}",
        effect=Effect.APPLICATION,
    ),
    Signature(
        pattern=r"^\W{0,200}KeyTool main menu\b",
        literals=("KeyTool main menu",),
        examples=("│                              KeyTool main menu                              │",),
        unlike="  KeyTool",
        stage=BootStage.USERSPACE,
        kind=FindingKind.APPLICATION,
        summary="KeyTool waits at its menu",
        software="KeyTool",
        effect=Effect.APPLICATION,
    ),
)
