"""What is read from the memory of an unmodified Linux guest: its log, its processes, its text console.

Nothing runs in the guest and nothing stops it: the RAM file is read while the guest runs. Everything in it is guest
data, changing and hostile: every count and pointer is bounded, and inconsistent data gives no result.
"""

from hiperiso.observe.memory.console import ConsoleScreen, console_text, read_console
from hiperiso.observe.memory.index import KernelIndex, build_of, index_kernel
from hiperiso.observe.memory.kernel import KernelMemory
from hiperiso.observe.memory.ram import GuestRam, Unreadable, i440fx_below_4g_bytes, q35_below_4g_bytes
from hiperiso.observe.memory.records import KernelRecord, console_lines
from hiperiso.observe.memory.tasks import Task, TaskChange, TaskReader, task_changes
from hiperiso.observe.memory.watcher import POLL_INTERVAL_S, FoundKernel, KernelLogWatcher

__all__ = [
    "POLL_INTERVAL_S",
    "ConsoleScreen",
    "FoundKernel",
    "GuestRam",
    "KernelIndex",
    "KernelLogWatcher",
    "KernelMemory",
    "KernelRecord",
    "Task",
    "TaskChange",
    "TaskReader",
    "Unreadable",
    "build_of",
    "console_lines",
    "console_text",
    "i440fx_below_4g_bytes",
    "index_kernel",
    "q35_below_4g_bytes",
    "read_console",
    "task_changes",
]
