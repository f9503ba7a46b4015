"""Makes corpus cases of raw recordings: ``python pack.py RAW_DIR CORPUS_DIR [CASE ...]``.

Serial bytes, screens and QMP events are merged by their time into ``events.jsonl``, in the form that the recorder
writes. To keep the cases small, the middle of each long run of kernel lines and the middle of long runs of screens
are left out.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from hiperiso.text import TextCleaner

KEEP_KERNEL: Final = (12, 45)
KEEP_SCREENS: Final = (6, 6)
QUIET_S: Final = 0.15
KERNEL: Final = re.compile(r"\[ *\d+\.\d+\] ")
TELLING: Final = re.compile(r"Run /|panic|nit(?:ramfs|rd)|rror|ail|fb0|\[drm\]|Console:|mode is|emory")
Row = tuple[float, dict[str, Any]]


def pack(raw: Path, case: Path) -> None:
    """Write ``case/events.jsonl`` from the raw recording of a case."""
    rows: list[Row] = [(0.0, {"source": "harness", "kind": "started"})]
    rows += sorted([*_thinned(list(_serial(raw))), *_screens(raw), *_qmp(raw)], key=lambda row: row[0])
    case.mkdir(parents=True, exist_ok=True)
    with (case / "events.jsonl").open("w") as file:
        for number, (t, fields) in enumerate(rows):
            file.write(json.dumps({"n": number, "t": round(t, 3), **fields}, ensure_ascii=False) + "\n")


def _serial(raw: Path) -> Iterator[Row]:
    data = (raw / "serial.log").read_bytes()
    cleaner = TextCleaner()
    times = [(t, size) for t, size in _rows(raw / "serial.chunks.jsonl")]
    position, reported = 0, ""
    for number, (t, size) in enumerate(times):
        for line in cleaner.feed(data[position : position + size]):
            yield t, _event("serial", "line", line.text, {"offset_bytes": line.offset_bytes})
            reported = ""
        position += size
        quiet = number + 1 == len(times) or times[number + 1][0] - t > QUIET_S
        if quiet and cleaner.partial.strip() and cleaner.partial != reported:
            reported = cleaner.partial
            yield t + QUIET_S, _event("serial", "partial", reported, {"offset_bytes": position})


def _thinned(rows: list[Row]) -> Iterator[Row]:
    """Drop kernel lines from the middle of long runs, all but those that speak of what may be wrong."""
    first, last = KEEP_KERNEL
    for is_kernel, group in groupby(rows, key=lambda row: bool(KERNEL.match(row[1]["text"]))):
        run = list(group)
        for number, row in enumerate(run):
            if not is_kernel or number < first or number >= len(run) - last or TELLING.search(row[1]["text"]):
                yield row


def _screens(raw: Path) -> list[Row]:
    rows = [
        (t, _event("screen", "text", text, {"cols": 80, "rows": 25, "decoder": "vga_text"}))
        for t, text in _rows(raw / "screens.jsonl")
    ]
    first, last = KEEP_SCREENS
    return rows if len(rows) <= first + last else [*rows[:first], *rows[-last:]]


def _qmp(raw: Path) -> list[Row]:
    return [(t, _event("qmp", "event", name, data)) for t, name, data in _rows(raw / "qmp.jsonl")]


def _event(source: str, kind: str, text: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"source": source, "kind": kind, "text": text, **({"data": data} if data else {})}


def _rows(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    for name in sys.argv[3:] or sorted(p.name for p in source.iterdir() if (p / "qmp.jsonl").exists()):
        pack(source / name, target / name)
