"""What ``data`` of an event holds, for each class of `hiperiso.contract.events`.

Every value may be missing, if another tool or an older version wrote it. Values that are None are not written;
those that may be null in a line are UNSET if they are missing. Sizes are in bytes, times in seconds.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from hiperiso.contract.faults import FaultKind, kind_of_fault
from hiperiso.errors import HiperisoError


class Data(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The common base: missing values are not written."""


class LineData(Data, frozen=True, kw_only=True):
    """The position of a line in a log. ``file`` and ``line`` (from 1) are set for events from a log without times."""

    offset_bytes: int | None = None
    file: str | None = None
    line: int | None = None


class KernelData(Data, frozen=True, kw_only=True):
    """A record of the kernel's log: its level (a word), its facility, which kernel, how many were lost before it."""

    level: str | None = None
    facility: int | None = None
    boot: int | None = None
    missed: int | None = None


class ScreenData(Data, frozen=True, kw_only=True):
    """A picture of the screen, in pixels."""

    width: int | None = None
    height: int | None = None


class BlankData(Data, frozen=True, kw_only=True):
    """A screen on which nothing is drawn: its size in pixels, its colour, ``#rrggbb``, whether a detail is on it."""

    width: int | None = None
    height: int | None = None
    colour: str | None = None
    detail: bool | None = None


class ConsoleData(Data, frozen=True, kw_only=True):
    """A text screen: its picture in pixels, its size in characters, and how it was read."""

    width: int | None = None
    height: int | None = None
    cols: int | None = None
    rows: int | None = None
    decoder: str | None = None
    minor: bool | None = None
    partial: bool | None = None
    reader: str | None = None


class ProcessData(Data, frozen=True, kw_only=True):
    """A process of the guest."""

    pid: int | None = None
    ppid: int | None = None
    comm: str | None = None
    start_s: float | None = None
    state: str | None = None
    boot: int | None = None
    argv: list[str] | None = None
    root: str | None = None


class LeftOutData(Data, frozen=True, kw_only=True):
    """Missing facts about processes: how many changes were left out, or of which kernel."""

    left_out: int | None = None
    boot: int | None = None


class CpuRow(msgspec.Struct, frozen=True, kw_only=True):
    """One vCPU. ``rip`` is written in hexadecimal; ``symbol`` is the function it is in, empty when unknown."""

    index: int = 0
    halted: bool = False
    interrupts: bool = True
    user: bool = False
    rip: str = ""
    symbol: str = ""


class CpuData(Data, frozen=True, kw_only=True):
    """What a quiet guest does."""

    cpus: list[CpuRow] | None = None
    quiet_s: float | None = None
    read_bytes_s: float | None = None
    written_bytes_s: float | None = None
    reading_share: float | None = None


class PlanData(Data, frozen=True, kw_only=True):
    """How the machine was chosen."""

    accel: str | None = None
    accel_reason: str | None = None
    firmware: str | None = None
    firmware_reason: str | None = None
    vga: str | None = None
    timeout_s: float | None = None
    expect: str | UnsetType | None = UNSET
    expect_text: str | UnsetType | None = UNSET
    notes: list[str] | None = None


class StartData(Data, frozen=True, kw_only=True):
    """QEMU's process and the time of day; early recordings have the data of the plan here."""

    pid: int | None = None
    wall_s: float | None = None
    recorder_cpu_s: float | None = None
    expect: str | UnsetType | None = UNSET
    expect_text: str | UnsetType | None = UNSET


class LoadData(Data, frozen=True, kw_only=True):
    """How much of the host the guest got, as shares of the time since the sample before."""

    load: float | None = None
    cpus: int | None = None
    stolen_share: float | None = None
    waited_share: float | None = None
    used_share: float | None = None


class ExitData(Data, frozen=True, kw_only=True):
    """QEMU's exit code; null if unknown."""

    code: int | UnsetType | None = UNSET
    ended_by_us: bool | None = None


class TpmData(Data, frozen=True, kw_only=True):
    """The event log against the TPM: number of events, banks; PCRs that are equal, differ, or were extended later."""

    events: int | None = None
    banks: list[str] | None = None
    equal: list[int] | None = None
    different: list[int] | None = None
    later: list[int] | None = None


class HandoverData(Data, frozen=True, kw_only=True):
    """A direct boot: what was prepared, and the alternatives."""

    way: str | None = None
    files: list[str] | None = None
    kind: str | None = None
    kernel: str | None = None
    arguments: str | None = None
    menu: str | None = None
    told_by: str | None = None
    notes: list[str] | None = None
    tried: list[str] | None = None
    not_tried: list[str] | None = None


class MenuData(Data, frozen=True, kw_only=True):
    """A boot menu: whose it is, its entries as far as they are known, the number of the highlighted one from 0.

    ``counting_s`` is the number of seconds that it shows; ``seen_by`` is how it was recognised.
    """

    kind: str | None = None
    entries: list[str] | None = None
    chosen: int | None = None
    counting_s: int | None = None
    seen_by: str | None = None


class KeysData(Data, frozen=True, kw_only=True):
    """Keys that were pressed, by QEMU's names; those held down together are joined by ``-``."""

    keys: list[str] | None = None
    entry: str | None = None
    menu: str | None = None
    answers: bool | None = None


class FallbackData(Data, frozen=True, kw_only=True):
    """The entries that a boot loader starts by itself where its default entry fails, and its configuration file."""

    entries: list[str] | None = None
    config: str | None = None


class OutcomeData(Data, frozen=True, kw_only=True):
    """Why nothing further is done about a menu, and its entries."""

    outcome: str | None = None
    entries: list[str] | None = None


class FaultData(Data, frozen=True, kw_only=True):
    """The kind of a harness fault, where it has one, and what to do about it, in words."""

    kind: FaultKind | None = None
    hint: str | None = None


def fault_data(error: HiperisoError) -> FaultData:
    """The data of a fault that is an error of ours."""
    return FaultData(kind=kind_of_fault(error), hint=error.hint or None)


class EndData(Data, frozen=True, kw_only=True):
    """The end of a recording."""

    detail: str | None = None
    recorder_cpu_s: float | None = None


class TraceData(Data, frozen=True, kw_only=True):
    """A change of the trace: why, or the limit."""

    detail: str | None = None
    bytes: int | None = None


class DiskData(Data, frozen=True, kw_only=True):
    """Reads of one file of the ISO within a second, or of ``files`` further ones."""

    place: str | None = None
    lba: int | None = None
    bytes: int | None = None
    requests: int | None = None
    first_s: float | None = None
    files: int | None = None
