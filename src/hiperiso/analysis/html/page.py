"""report.html: a whole session as one page that opens offline.

The page loads nothing and runs one script, its own, by the hash in its Content-Security-Policy: whatever a guest wrote
is text there, and would not run if it were not. It stays under `MAX_BYTES` for any session; what does not fit is in the
session's files, with a note on the page.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Final

from hiperiso.analysis.html.log import log
from hiperiso.analysis.html.machine import machine, processes
from hiperiso.analysis.html.markup import Markup, tag
from hiperiso.analysis.html.medium import medium
from hiperiso.analysis.html.recording import Recording, read_recording
from hiperiso.analysis.html.screens import screens
from hiperiso.analysis.html.timeline import timeline
from hiperiso.analysis.html.tracing import tracing
from hiperiso.analysis.html.verdict import banner, findings, ladder, phases, steps
from hiperiso.contract import files
from hiperiso.contract.network import NetworkSummary, network_lines
from hiperiso.contract.store import atomic_write
from hiperiso.text import plain
from hiperiso.version import __version__

MAX_BYTES: Final = 2_000_000
_SMALLEST_SCALE: Final = 0.02


def write_html(directory: Path) -> Path:
    """Write report.html into a session directory, from the files there; returns its path.

    Raises:
        OSError: the events cannot be read or the page cannot be written.
    """
    path = directory / files.REPORT_HTML
    atomic_write(path, render_html(directory).encode("utf-8", "replace"))
    return path


def render_html(directory: Path) -> str:
    """The page of a session directory.

    Raises:
        OSError: the events cannot be read.
    """
    scale = 1.0
    while True:
        html = _page(read_recording(directory, scale))
        if len(html.encode("utf-8", "replace")) < MAX_BYTES or scale < _SMALLEST_SCALE:
            return html
        scale /= 2  # rare: words that take much more room on a page than in a file, in many places at once


def _page(recording: Recording) -> str:
    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    sections = list(_sections(recording))
    name = str(recording.manifest.get("iso_basename") or recording.session.session_id)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{_mark(recording)}{name} – hiperiso"),
        Markup(f"<style>{style}</style>"),
    )
    links = [tag("a", title, href=f"#{anchor}") for anchor, title, _ in sections]
    body = tag(
        "body",
        tag("a", "To the log", href="#log-section", class_="skip") if recording.rows else None,
        tag("header", banner(recording)),
        tag("nav", *links, aria_label="Sections"),
        tag("main", *(_section(*section) for section in sections)),
        tag("footer", tag("p", f"hiperiso {__version__} · {_judged(recording)}")),
        Markup(f"<script>{script}</script>"),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _sections(recording: Recording) -> Iterator[tuple[str, str, Markup]]:
    report = recording.report
    parts: list[tuple[str, str, Markup | None]] = [
        ("next-steps", "What to do next", steps(report) if report else None),
        ("stages", "Stages", ladder(recording, report) if report else None),
        ("phases", "Phases", phases(report) if report else None),
        ("findings", "Findings", findings(recording, report) if report else None),
        ("timeline-section", "Timeline", timeline(recording)),
        ("screens", "Screens", screens(recording)),
        ("log-section", "Log", log(recording)),
        ("medium", "Files read", medium(recording.disk, recording.scale) if recording.disk else None),
        ("network", "Network", _network(report.network) if report and report.network else None),
        ("trace", "Trace", tracing(report.trace, recording.scale) if report and report.trace else None),
        ("processes", "Processes", processes(recording)),
        ("machine", "Machine", machine(recording)),
    ]
    for anchor, title, body in parts:
        if body is not None:
            yield anchor, title, body


def _network(summary: NetworkSummary) -> Markup:
    return tag("pre", "\n".join(plain(line, 400) for line in network_lines(summary)))


def _section(anchor: str, title: str, body: Markup) -> Markup:
    return tag("section", tag("h2", title), body, id=anchor)


def _mark(recording: Recording) -> str:
    return f"{recording.report.analysis.boot_result.value}: " if recording.report else ""


def _judged(recording: Recording) -> str:
    if recording.report is None:
        return "not judged"
    return f"{recording.report.session_id} · judged {recording.report.generated_utc}"


def _asset(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii")
