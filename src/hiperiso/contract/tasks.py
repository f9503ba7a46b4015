"""``tasks.json``: the guest's processes in their last state, a list in the kernel's order."""

from __future__ import annotations

import msgspec


class TaskEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the guest. Its texts are guest data, cleaned of control characters and bounded.

    Attributes:
        pid: its process id.
        ppid: its parent's; 0 for none.
        comm: its name.
        argv: its arguments; empty for kernel threads and for what has ended.
        start_s: when it was started, in seconds of the guest kernel's clock.
        state: one letter as ``ps`` shows it, ``?`` for others.
        kernel_thread: whether it belongs to the kernel.
        root_type: of pid 1: the type of the file system at its root, ``rootfs`` in an initramfs; else empty.
    """

    pid: int
    ppid: int
    comm: str
    argv: list[str]
    start_s: float
    state: str
    kernel_thread: bool
    root_type: str = ""
