"""Sessions as lines for a terminal or a pipe, and as CSV: pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Sequence
from typing import Any, Final

from hiperiso.contract.manifest import Analysis, Manifest
from hiperiso.contract.words import BootResult, SessionStatus
from hiperiso.text import printable
from hiperlab.sessions.select import duration_s

RESULT_STYLE: Final = {
    "success": "bold green",
    "failure": "bold red",
    "incomplete": "bold yellow",
    "no_serial": "bold yellow",
    "fault": "bold yellow",
}
"""How a result is coloured on a terminal."""

_GAP: Final = "  "
_RUNS: Final = "the session runs"
_LOST: Final = "its recorder was killed, and it cannot be finalized here"
CSV_COLUMNS: Final = (
    *("session_id", "result", "status", "boot_stage_final", "failure_domain", "duration_s", "start_time_utc"),
    *("iso_basename", "iso_path", "accel", "firmware", "guest_ram_mb", "guest_cpus", "cause"),
)


def cells(manifest: Manifest) -> tuple[str, str, str, str, str]:
    """Result, session, stage, duration and cause."""
    analysis = manifest.analysis if isinstance(manifest.analysis, Analysis) else None
    seconds = duration_s(manifest)
    return (
        _result(manifest),
        printable(manifest.session_id),
        analysis.boot_stage_final.value if analysis else "",
        f"{seconds:.1f} s" if seconds else "",
        printable(_cause(manifest, analysis), 400),
    )


def lines(
    manifests: Sequence[Manifest], width: int | None = None, lost: Container[str] = ()
) -> list[tuple[str, str]]:
    """One line a session, as its result and the rest; only the cause is cut, where a width is given.

    ``lost`` are the names of those whose recorder was killed, and which cannot be finalized.
    """
    rows = [cells(manifest) for manifest in manifests]
    rows = [(*row[:4], _LOST) if row[1] in lost else row for row in rows]
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(4)]
    found = []
    for result, session, stage, seconds, cause in rows:
        head = _GAP.join((session.ljust(widths[1]), stage.ljust(widths[2]), seconds.rjust(widths[3])))
        room = None if width is None else width - widths[0] - len(head) - 2 * len(_GAP)
        found.append((result.ljust(widths[0]), f"{_GAP}{head}{_GAP}{_cut(cause, room)}".rstrip()))
    return found


def csv_text(manifests: Sequence[Manifest]) -> str:
    """CSV with a heading (RFC 4180, but for the line ends)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows([_csv_cell(manifest, name) for name in CSV_COLUMNS] for manifest in manifests)
    return out.getvalue()


def _csv_cell(manifest: Manifest, name: str) -> str:
    analysis = manifest.analysis if isinstance(manifest.analysis, Analysis) else None
    if name == "duration_s":
        seconds = duration_s(manifest)
        return "" if seconds is None else f"{seconds:.3f}"
    value: Any = getattr(manifest, name, None) if hasattr(manifest, name) else getattr(analysis, name, None)
    if name == "cause":
        value = _cause(manifest, analysis)
    text = printable(str(value), 1000) if isinstance(value, str | int | float) else ""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text  # no formula for a spreadsheet


def _result(manifest: Manifest) -> str:
    """In a word. Where the recorder failed, the success of its guest cannot be relied on: `boot` exits 4."""
    if not isinstance(manifest.result, str):
        return str(manifest.status)
    lost = manifest.status is SessionStatus.FAILED and manifest.result is BootResult.SUCCESS
    return "fault" if lost else str(manifest.result)


def _cause(manifest: Manifest, analysis: Analysis | None) -> str:
    if analysis is None:
        return _RUNS
    return manifest.fault_detail if isinstance(manifest.fault_detail, str) else analysis.cause


def _cut(text: str, room: int | None) -> str:
    if room is None or len(text) <= room:
        return text
    return text[: room - 1] + "…" if room > 1 else ""
