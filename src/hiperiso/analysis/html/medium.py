"""What was read from the ISO: totals, the medium as a strip of heat, and the files."""

from __future__ import annotations

import math
from typing import Final

from hiperiso.analysis.html.markup import Markup, tag
from hiperiso.contract.disk import DiskSummary, FileRead, Place

_MAX_ROWS: Final = 100


def medium(disk: DiskSummary, scale: float = 1.0) -> Markup:
    """The section."""
    rows = disk.files[: int(_MAX_ROWS * scale)]
    most = max((row.bytes_read for row in rows), default=1) or 1
    left_out = len(disk.files) - len(rows) + disk.files_left_out
    return tag(
        "div",
        _facts(disk),
        _strip(disk),
        tag(
            "div",
            tag(
                "table",
                tag(
                    "thead",
                    tag(
                        "tr",
                        *(tag("th", name, scope="col", class_=kind) for name, kind in _COLUMNS),
                    ),
                ),
                tag("tbody", *(_row(row, most) for row in rows)),
                class_="files sortable",
            ),
            class_="scroll high",
            tabindex="0",
            role="region",
            aria_label="Files read",
        ),
        tag("p", f"{left_out} more places are in disk.json.", class_="hint") if left_out > 0 else None,
    )


_COLUMNS: Final = (
    ("File", ""),
    ("Read", "number"),
    ("of it", "number"),
    ("Requests", "number"),
    ("First at", "number"),
    ("Last at", "number"),
    ("Order", "number"),
)


def size(count: float) -> str:
    """Bytes for people: 1.4 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _facts(disk: DiskSummary) -> Markup:
    share = disk.bytes_unique / disk.iso_bytes if disk.iso_bytes else 0.0
    facts = [
        ("Read", f"{size(disk.bytes_read)} in {disk.requests} requests"),
        (
            "Of the medium",
            f"{size(disk.bytes_unique)} of {size(disk.iso_bytes)} ({share:.0%})" if disk.iso_bytes else "",
        ),
        ("Waiting for it", _waiting(disk)),
        ("Reading", f"{disk.busy_s:.2f} s"),
        (
            "First and last",
            f"{disk.first_s:.2f} s, {disk.last_s:.2f} s"
            if disk.first_s is not None and disk.last_s is not None
            else "",
        ),
        (
            "Root image",
            f"{disk.root_image.path} at {disk.root_image.first_s:.2f} s" if disk.root_image else "",
        ),
        ("File systems", ", ".join(name.replace("_", " ") for name in disk.file_systems)),
        ("Map", "" if disk.complete or not disk.mapped else "incomplete: the image asked for too much"),
    ]
    return tag(
        "dl", *(tag("div", tag("dt", key), tag("dd", value)) for key, value in facts if value), class_="facts"
    )


def _waiting(disk: DiskSummary) -> str:
    if disk.waiting_s is None or disk.waiting_estimated:
        return f"{disk.busy_s:.2f} s at most (estimated)"
    longest = (
        ""
        if disk.longest_wait_s is None
        else f", {disk.longest_wait_s * 1000:.1f} ms for the longest request"
    )
    return f"{disk.waiting_s:.2f} s{longest}"


def _strip(disk: DiskSummary) -> Markup | None:
    """The medium from its first to its last sector; the warmer, the more was read there, on a logarithmic scale."""
    most = max(disk.heat, default=0)
    used = [index for index, count in enumerate(disk.heat) if index * disk.bucket_bytes < disk.iso_bytes]
    if most <= 0 or not used:
        return None
    cells = []
    for index in used[:4096]:
        heat = disk.heat[index]
        if heat <= 0:
            continue
        step = 1 + int(8 * math.log1p(heat) / math.log1p(most))
        covered = disk.covered[index] if index < len(disk.covered) else 0
        title = f"from {size(index * disk.bucket_bytes)}: {size(heat)} read, {size(covered)} covered"
        cells.append(_cell(index, step, title))
    return tag(
        "figure",
        tag(
            "svg",
            *cells,
            viewBox=f"0 0 {len(used)} 1",
            preserveAspectRatio="none",
            role="img",
            aria_label="Where on the medium was read",
        ),
        tag("figcaption", tag("span", "start of the medium"), tag("span", size(disk.iso_bytes))),
        class_="heat",
    )


def _cell(index: int, step: int, title: str) -> Markup:
    return tag(
        "g",
        tag("rect", x=index, y=0, width="1", height="1"),
        tag("title", title),
        class_=f"h{min(step, 9)}",
    )


def _row(row: FileRead, most: int) -> Markup:
    of_it = f"{min(row.bytes_unique / row.size_bytes, 1):.0%}" if row.size_bytes else ""
    share = f"{row.bytes_read / most * 100:.1f}"
    name = tag("span", row.path, class_="path" if row.place is Place.FILE else "path other")
    return tag(
        "tr",
        tag("td", name, _bar(share)),
        tag("td", size(row.bytes_read), data_v=row.bytes_read),
        tag("td", of_it, data_v=of_it.removesuffix("%") or "0"),
        tag("td", str(row.requests), data_v=row.requests),
        tag("td", f"{row.first_s:.2f} s", data_v=row.first_s),
        tag("td", f"{row.last_s:.2f} s", data_v=row.last_s),
        tag("td", str(row.order), data_v=row.order),
    )


def _bar(percent: str) -> Markup:
    return tag(
        "svg",
        tag("rect", width=percent, height="1"),
        viewBox="0 0 100 1",
        preserveAspectRatio="none",
        class_="share",
        aria_hidden="true",
    )
