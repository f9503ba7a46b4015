"""What an unmodified Linux guest has in its memory: its log, its processes, its text console.

Nothing runs in the guest and nothing stops it: the RAM file is read while the guest runs. Everything in it is guest
data, changing and hostile: every count and pointer is bounded, and what does not fit together gives no result.
"""

from hiperiso.observe.memory.ram import GuestRam, Unreadable, i440fx_below_4g_bytes, q35_below_4g_bytes
from hiperiso.observe.memory.records import KernelRecord, console_lines
from hiperiso.observe.memory.watcher import POLL_INTERVAL_S, FoundKernel, KernelLogWatcher

__all__ = [
    "POLL_INTERVAL_S",
    "FoundKernel",
    "GuestRam",
    "KernelLogWatcher",
    "KernelRecord",
    "Unreadable",
    "console_lines",
    "i440fx_below_4g_bytes",
    "q35_below_4g_bytes",
]
