"""Which files of the ISO the guest reads, when, and how much."""

from hiperiso.observe.disk.channel import DiskChannel
from hiperiso.observe.disk.stored import disk_of_session, write_disk_json
from hiperiso.observe.disk.trace import DiskRead, TraceReads

__all__ = [
    "DiskChannel",
    "DiskRead",
    "TraceReads",
    "disk_of_session",
    "write_disk_json",
]
