"""VMware ESXi and Windows as their consoles on a serial line show them: starts, purple and blue screens, prompts.

Sources: VMware's knowledge base on purple diagnostic screens and on the loader's errors; Microsoft's documentation of
the Special Administration Console and of Emergency Management Services.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, Signature
from hiperiso.analysis.signatures.loader_rows import failed, seen
from hiperiso.analysis.signatures.system_rows import started, stopped
from hiperiso.contract.words import BootStage, EndReason, FindingKind


def _waits(
    summary: str, pattern: str, literals: tuple[str, ...], *examples: str, unlike: str, software: str
) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        stage=BootStage.LOGIN,
        kind=FindingKind.LOGIN_PROMPT,
        summary=summary,
        software=software,
        effect=Effect.WAITING,
        reason=EndReason.EXPECTED_STAGE,
    )


SIGNATURES: Final = (
    seen(
        r"^(?:Loading VMware (?:ESXi|Hypervisor)|Loading ESXi installer)",
        ("Loading VMware ", "Loading ESXi"),
        "Loading VMware ESXi",
        "Loading ESXi installer",
        unlike="Loading VMware tools",
        software="ESXi",
    ),
    started(
        r"^VMware ESXi (?P<v>\d[\d.]{0,12}) [\[(](?:Releasebuild|VMKernel Release Build)[ -]\d",
        ("VMware ESXi ",),
        "VMware ESXi 8.0.0 (VMKernel Release Build 12345678)",
        "VMware ESXi 8.0.0 [Releasebuild-12345678 x86_64]",
        unlike="VMware ESXi is a product",
        family="ESXi",
        software="VMware ESXi {v}",
    ),
    failed(
        FindingKind.BOOTLOADER_FAILED,
        "ESXi's loader gave up: {0}",
        r"^(?:Fatal error: \d{1,3} \([A-Z][\w ,'-]{3,60}\)$|No hypervisor found\b)",
        ("Fatal error: ", "No hypervisor found"),
        "Fatal error: 33 (Inconsistent data)",
        "No hypervisor found.",
        unlike="Fatal error: 3 of the demo's files are missing",
        effect=Effect.FATAL,
        settle_s=0.7,
    ),
    stopped(
        r"^(?:@BlueScreen: .{0,100}|(?:#\w{2} )?Exception \d{1,3} in world \d.{0,100}|LINT1/NMI \(motherboard .{0,60}"
        r"|(?:PANIC|ASSERT|NOT_(?:IMPLEMENTED|REACHED)) bora/\S{1,80}|Panic requested by .{1,60}"
        r"|PCPU \d{1,4}: no heartbeat.{0,60}|Spin count exceeded .{0,60}possible deadlock)",
        ("@BlueScreen: ", "in world ", "LINT1/NMI", "PANIC bora/", "ASSERT bora/", "NOT_IMPLEMENTED bora/",
         "NOT_REACHED bora/", "Panic requested by", "no heartbeat", "possible deadlock"),
        "#PF Exception 14 in world 2097800:demo IP 0x41801a0000 addr 0x0",
        "@BlueScreen: demo",
        "PANIC bora/vmkernel/main/demo.c:123 - demo",
        unlike="no Exception 14 in world wide use",
        summary="ESXi stopped: {0}",
        settle_s=2.0,
    ),
    _waits(
        "ESXi's console waits for a person",
        r"^(?:To manage this host,? (?:go to|direct your browser)|<F2> Customize System)",
        ("To manage this host", "Customize System"),
        "To manage this host, go to:",
        "<F2> Customize System/View Logs",
        unlike="To manage this host you need a password",
        software="VMware ESXi",
    ),
    started(
        r"^(?:Computer is booting, SAC started and initialized|SAC> ?(?:$|\w)|<machine-info>$)",
        ("SAC started and", "SAC>", "<machine-info>"),
        "Computer is booting, SAC started and initialized.",
        "SAC>",
        "<machine-info>",
        unlike="the SAC started",
        family="Windows",
        software="Windows (SAC)",
    ),
    _waits(
        "Windows' administration console offers commands",
        r"^EVENT: The CMD command is now available",
        ("The CMD command is now",),
        "EVENT: The CMD command is now available.",
        unlike="The CMD command is not available.",
        software="Windows (SAC)",
    ),
    stopped(
        r'<INSTANCE CLASSNAME="BLUESCREEN">|<PROPERTY NAME="STOPCODE" TYPE="\w{1,10}"><VALUE>"?\w{1,18}',
        ("BLUESCREEN", "STOPCODE"),
        '<INSTANCE CLASSNAME="BLUESCREEN">',
        '<PROPERTY NAME="STOPCODE" TYPE="string"><VALUE>"0x7B"</VALUE></PROPERTY>',
        unlike='<INSTANCE CLASSNAME="DEMO">',
        summary="Windows stopped: {0}",
        kind=FindingKind.STOP_SCREEN,
        settle_s=2.0,
    ),
    stopped(
        r"^\*{3} STOP: 0x[0-9A-Fa-f]{8,16}\b.{0,80}",
        ("STOP: 0x",),
        "*** STOP: 0x0000007B (0xF78D2524,0xC0000034,0x00000000,0x00000000)",
        unlike="*** STOP: that is enough",
        requires=("Windows",),
        summary="Windows stopped: {0}",
        kind=FindingKind.STOP_SCREEN,
        settle_s=2.0,
    ),
)  # fmt: skip
