"""What QEMU's trace says: where the guest stopped, its devices, drives and PCI functions, silences, polling loops."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hiperiso.analysis.html.markup import Markup, tag
from hiperiso.analysis.html.medium import size
from hiperiso.contract.tracereport import DeviceUse, TraceReport

_MAX_ROWS: Final = 60


def tracing(trace: TraceReport, scale: float = 1.0) -> Markup:
    """The section."""
    rows = max(5, int(_MAX_ROWS * scale))
    return tag(
        "div",
        _stopped(trace),
        _table(
            "Devices",
            ("Device", "Reads", "Writes", "First at", "Last at", "Phases", "Most used registers"),
            (_device(device) for device in trace.devices[:rows]),
        ),
        _table(
            "Drives",
            ("Drive", "Reads", "Read", "Writes", "Written", "First at", "Last at"),
            (
                (
                    one.drive,
                    one.reads,
                    size(one.bytes_read),
                    one.writes,
                    size(one.bytes_written),
                    _at(one.first_s),
                    _at(one.last_s),
                )
                for one in trace.drives[:rows]
            ),
        ),
        _table(
            "PCI functions",
            ("Place", "Device", "IDs", "Found at", "Mapped at"),
            (
                (
                    one.place,
                    one.name,
                    f"{one.vendor}:{one.device}",
                    _at(one.found_s),
                    ", ".join(f"{bar.bar}: {bar.address} ({_at(bar.mapped_s)})" for bar in one.bars),
                )
                for one in trace.pci[:rows]
            ),
        ),
        _table(
            "Firmware",
            ("Step", "From", "To", "Accesses"),
            ((one.name, _at(one.start_s), _at(one.end_s), one.accesses) for one in trace.firmware),
        ),
        _table(
            "Longest silences",
            ("From", "Lasted", "After", "Before"),
            (
                (_at(one.start_s), f"{one.duration_s:.3f} s", one.after, one.before or "the end")
                for one in trace.silences
            ),
        ),
        _table(
            "Polling loops",
            ("Registers", "Times", "From", "Lasted"),
            (
                (", ".join(one.registers[:6]), one.rounds, _at(one.start_s), f"{one.duration_s:.3f} s")
                for one in trace.loops
            ),
        ),
        tag("p", f"This tier does not show: {', '.join(trace.unseen)}.", class_="hint")
        if trace.unseen
        else None,
    )


def _stopped(trace: TraceReport) -> Markup:
    suspect = trace.suspect
    lost = f", {trace.lost} lost" if trace.lost else ""
    part = "" if trace.complete else "; only the beginning was read"
    return tag(
        "div",
        tag("p", f"{trace.records} records in {trace.file}{lost}{part}.", class_="hint"),
        tag(
            "p",
            tag("strong", f"{suspect.device}: {suspect.register}"),
            f" – {suspect.why}, since {suspect.since_s:.2f} s.",
        )
        if suspect
        else None,
        tag("p", f"The last device that was used: {trace.talking_to}.") if trace.talking_to else None,
    )


def _device(device: DeviceUse) -> tuple[str | int, ...]:
    return (
        device.device,
        device.reads,
        device.writes,
        _at(device.first_s),
        _at(device.last_s),
        ", ".join(f"{name} {count}" for name, count in device.phases.items()),
        ", ".join(f"{one.register} {one.reads + one.writes}" for one in device.registers[:4]),
    )


def _at(t_s: float) -> str:
    return f"{t_s:.2f} s"


def _table(title: str, names: Iterable[str], rows: Iterable[tuple[str | int, ...]]) -> Markup | None:
    found = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    if not found:
        return None
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in names)))
    return tag(
        "div",
        tag("h3", title),
        tag("div", tag("table", head, tag("tbody", *found), class_="files"), class_="scroll", tabindex="0"),
    )
