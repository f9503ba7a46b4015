"""What a kernel prints with a report of trouble, and is not counted as another: the trace, and where it stopped.

A warning and a locked-up processor are printed with the same registers as a crash. Source: the kernel's
arch/x86/kernel/dumpstack.c, kernel/panic.c (``__warn``), kernel/watchdog.c.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.ledger import FindingBook
from hiperiso.analysis.signature import Signature
from hiperiso.analysis.signatures.trouble import STOPPED_IN
from hiperiso.contract.words import FindingKind

_WITH_REGISTERS: Final = (
    FindingKind.KERNEL_WARNING,
    FindingKind.LOCK_WARNING,
    FindingKind.HUNG_TASK,
    FindingKind.RCU_STALL,
    FindingKind.LOCKUP,
)
_CRASHES: Final = (FindingKind.KERNEL_PANIC, FindingKind.KERNEL_BUG, FindingKind.OOPS)
_WITH_TRACE: Final = (*_CRASHES, *_WITH_REGISTERS, FindingKind.MEMORY_SHORT, FindingKind.OUT_OF_MEMORY)


def is_part_of_a_dump(signature: Signature, book: FindingBook) -> bool:
    """Whether a match belongs to a finding that was recorded before."""
    if signature.kind is FindingKind.KERNEL_TRACE:
        return book.has(*_WITH_TRACE)
    if signature.summary == STOPPED_IN:
        return book.has(*_WITH_REGISTERS) and not book.has(*_CRASHES)
    return False
