"""One record of a kernel's log, and the text that the kernel's own console makes of it."""

from __future__ import annotations

from dataclasses import dataclass

LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_THREAD, _CPU = 0, 0x80000000


@dataclass(frozen=True, slots=True)
class KernelRecord:
    """One record, as the kernel stored it.

    Attributes:
        boot: number of the kernel: 0 for the first one found, incremented at each new one (reboot, kexec).
        seq: the kernel's own record number, from 0; counted here for the record buffer of 3.5 to 5.9.
        t_kernel_s: seconds since this kernel started its clock.
        level: 0 emergency to 7 debug; see `LEVELS`.
        facility: 0 the kernel, 1 and up a program that wrote to /dev/kmsg.
        raw: the text, without its time stamp; may hold several lines and any byte. Guest data: hostile.
        caller: thread id, or ``0x80000000 + CPU`` outside of threads; None where the kernel does not record it.
        missed: how many records directly before this one were overwritten before they could be read.
    """

    boot: int
    seq: int
    t_kernel_s: float
    level: int
    facility: int
    raw: bytes
    caller: int | None = None
    missed: int = 0

    @property
    def text(self) -> str:
        """The text; bytes that are not UTF-8 become U+FFFD."""
        return self.raw.decode("utf-8", "replace")

    @property
    def level_name(self) -> str:
        """The level as syslog names it."""
        return LEVELS[self.level]

    @property
    def caller_name(self) -> str:
        """The caller as the kernel prints it: ``T1`` a thread, ``C0`` a CPU; empty when unknown."""
        if self.caller is None:
            return ""
        return f"C{self.caller - _CPU}" if self.caller & _CPU else f"T{self.caller}"


def console_lines(record: KernelRecord, *, with_caller: bool = False) -> bytes:
    """The record as the kernel's console prints it: each line with its time stamp, newlines as ``\\n``.

    ``with_caller`` for kernels built with CONFIG_PRINTK_CALLER (they print it after the time).
    """
    caller = f"[{record.caller_name:>6}]" if with_caller and record.caller is not None else ""
    microseconds = round(record.t_kernel_s * 1e9) // 1000
    prefix = f"[{microseconds // 1000000:5}.{microseconds % 1000000:06}]{caller} ".encode()
    return b"".join(prefix + line + b"\n" for line in record.raw.split(b"\n"))
