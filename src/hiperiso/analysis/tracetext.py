"""The answers of a trace, as lines of report.txt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hiperiso.contract.tracereport import TraceReport
from hiperiso.text import plain

_ROWS: Final = 12
_LAST: Final = 5


def trace_lines(trace: TraceReport) -> Iterator[str]:
    """The section, from its heading on; plain text."""
    lost = f", {trace.lost} lost" if trace.lost else ""
    part = "" if trace.complete else ", the beginning only"
    yield f"Trace ({trace.file}: {trace.records} records{lost}{part})"
    if trace.suspect:
        suspect = trace.suspect
        where = f" at {suspect.address}" if suspect.address else ""
        yield plain(f"  stopped at  {suspect.device}, {suspect.register}{where}: {suspect.why}", 300)
        yield f"              since {suspect.since_s:.2f} s"
    if trace.talking_to:
        yield plain(f"  last used   {trace.talking_to}")
    for access in trace.last[:_LAST]:
        verb = "wrote" if access.write else "read"
        yield plain(f"    {access.t:9.3f} s  {access.device} {access.register}: {verb} {access.value}", 200)
    yield from _drives(trace)
    yield from _devices(trace)
    for function in trace.pci[:40]:
        ids = f"{function.vendor or '????'}:{function.device or '????'}"
        bars = ", ".join(f"{bar.bar}: {bar.address}" for bar in function.bars)
        yield plain(
            f"  PCI {function.place}  {ids} {function.name} at {function.found_s:.3f} s  {bars}".rstrip(), 200
        )
    for step in trace.firmware:
        yield plain(
            f"  firmware    {step.start_s:8.3f} to {step.end_s:8.3f} s  {step.name} ({step.accesses})"
        )
    for silence in trace.silences:
        after = f"after {silence.after}" if silence.before else f"at the end, after {silence.after}"
        yield plain(f"  silence     {silence.duration_s:8.3f} s from {silence.start_s:.3f} s, {after}")
    for loop in trace.loops:
        names = ", ".join(loop.registers[:4])
        yield plain(
            f"  polling     {loop.duration_s:8.3f} s from {loop.start_s:.3f} s, {loop.rounds} times: {names}",
            300,
        )
    if trace.unseen:
        yield f"  this tier does not show: {', '.join(trace.unseen)}"


def _drives(trace: TraceReport) -> Iterator[str]:
    for drive in trace.drives:
        written = f", {drive.writes} writes ({drive.bytes_written} bytes)" if drive.writes else ""
        errors = f", {drive.errors} errors" if drive.errors else ""
        yield plain(
            f"  drive       {drive.drive}: {drive.reads} reads ({drive.bytes_read} bytes){written}{errors}, "
            f"{drive.first_s:.2f} to {drive.last_s:.2f} s",
            200,
        )


def _devices(trace: TraceReport) -> Iterator[str]:
    for device in trace.devices[:_ROWS]:
        most = ", ".join(f"{use.register} {use.reads + use.writes}" for use in device.registers[:3])
        yield plain(
            f"  device      {device.device}: {device.reads} reads, {device.writes} writes, {device.first_s:.2f} to "
            f"{device.last_s:.2f} s ({most})",
            300,
        )
    if len(trace.devices) > _ROWS:
        yield f"  {len(trace.devices) - _ROWS} more devices are in report.json"
