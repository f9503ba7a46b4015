"""The timeline: one lane for each channel, all on the same clock.

Each lane is an SVG of its own whose user space is time (x, in seconds) and level (y, 0 to 1), stretched to its box: the
script zooms all of them by changing one number. Without the script the whole boot is shown.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.html.markup import Markup, tag
from hiperiso.analysis.html.recording import ERROR, WARNING, Lane, Recording
from hiperiso.contract.report import StageReached

LANES: Final = (
    ("serial", "Serial"),
    ("kernel", "Kernel log"),
    ("process", "Processes"),
    ("firmware", "Firmware"),
    ("chain", "Boot chain"),
    ("screen", "Screen"),
    ("disk", "Medium"),
    ("net", "Network"),
    ("trace", "Trace"),
    ("qmp", "QEMU"),
    ("harness", "Recorder"),
)
_MEDIUM = "disk"
_KINDS: Final = (("info", 0, WARNING), ("warning", WARNING, ERROR), ("error", ERROR, ERROR + 1))


def timeline(recording: Recording) -> Markup | None:
    """The section, or None where there is nothing on a clock."""
    span_s = recording.end_s
    if not recording.lanes or span_s <= 0:
        return None
    span_s = max(span_s * 1.01, 0.1)
    if (
        recording.disk and _MEDIUM not in recording.lanes
    ):  # a session recorded without live events of its reads
        lane = recording.lanes.setdefault(_MEDIUM, Lane())
        for row in recording.disk.files:
            lane.add(row.first_s, 1)
    rows = [_stages(recording, span_s)]
    known = dict(LANES)
    names = [name for name, _ in LANES if name in recording.lanes]
    names += [name for name in recording.lanes if name not in known]
    rows += [_lane(recording, name, known.get(name, name), span_s) for name in names]
    return tag(
        "div",
        tag(
            "div", *_buttons(), class_="tools only-script", role="toolbar", aria_label="Zoom of the timeline"
        ),
        tag(
            "div",
            *rows,
            tag("div", tag("span", "", class_="label"), _axis(span_s), class_="lane axis"),
            id="timeline",
            data_span=f"{span_s:.3f}",
            tabindex="0",
            role="group",
            aria_label="Timeline: arrow keys move, plus and minus zoom, 0 shows all",
        ),
        tag("p", "Drag to zoom into a range, click to go to the line.", class_="hint only-script"),
        tag("div", id="tip", class_="tip", hidden=True),
    )


def _buttons() -> list[Markup]:
    buttons = (
        ("in", "+", "Zoom in"),
        ("out", "−", "Zoom out"),
        ("left", "←", "Earlier"),
        ("right", "→", "Later"),
    )
    return [
        *(
            tag("button", sign, type="button", data_zoom=name, title=title, aria_label=title)
            for name, sign, title in buttons
        ),
        tag("button", "Whole boot", type="button", data_zoom="all"),
    ]


def _stages(recording: Recording, span_s: float) -> Markup:
    marks = [stage for stage in recording.report.stages if stage.t is not None] if recording.report else []
    bands = []
    for index, mark in enumerate(marks):
        begin = min(max(mark.t or 0.0, 0.0), span_s)
        following = marks[index + 1].t if index + 1 < len(marks) else None
        stop = min(following if following is not None and following > begin else recording.end_s, span_s)
        width = max(stop - begin, 0.0)
        name = mark.stage.value
        bands.append(
            tag(
                "g",
                tag(
                    "rect",
                    x=_percent(begin, span_s),
                    width=_percent(width, span_s),
                    y="0",
                    height="100%",
                    rx="3",
                ),
                tag(
                    "text",
                    name if width > span_s * 0.055 else "",
                    x=_percent(begin + width / 2, span_s),
                    y="50%",
                ),
                tag("title", f"{name} from {begin:.2f} s"),
                class_=f"band stage-{name}",
                data_from=f"{begin:.3f}",
                data_to=f"{begin + width:.3f}",
                data_name=name,
            )
        )
    return tag(
        "div",
        tag("span", "Stage", class_="label"),
        tag("svg", *bands, class_="bands", role="img", aria_label=_spoken(marks)),
        class_="lane stages",
    )


def _spoken(marks: list[StageReached]) -> str:
    return "Stages: " + (", ".join(f"{mark.stage} at {mark.t:.2f} s" for mark in marks) or "none was seen")


def _lane(recording: Recording, name: str, label: str, span_s: float) -> Markup:
    lane = recording.lanes[name]
    count = f"{lane.count} event{'' if lane.count == 1 else 's'}"
    shape = _bars(recording.disk_bytes) if name == "disk" and recording.disk_bytes else _ticks(lane)
    svg = tag(
        "svg",
        *shape,
        viewBox=f"0 0 {span_s:.3f} 1",
        preserveAspectRatio="none",
        class_="ticks",
        role="img",
        aria_label=f"{label}: {count}",
    )
    return tag(
        "div",
        tag("span", label, class_="label", title=count),
        svg,
        class_=f"lane of-{_word(name)}",
        data_source=name,
    )


def _ticks(lane: Lane) -> list[Markup]:
    """One path for each level; the worst is drawn last and longest."""
    paths = []
    for kind, low, high in _KINDS:
        times = sorted(
            slot * lane.step_ms / 1000 for slot, level in lane.ticks.items() if low <= level < high
        )
        top = ".25" if kind == "info" else ".1"
        if times:
            paths.append(tag("path", d="".join(f"M{t:g} {top}V.9" for t in times), class_=f"tick {kind}"))
    return paths


def _bars(per_second: dict[int, int]) -> list[Markup]:
    most = max(per_second.values())
    parts = []
    for second, size in sorted(per_second.items()):
        top = 1 - max(size / most, 0.06) * 0.9
        parts.append(f"M{second} 1V{top:.3f}h1V1z")
    return [tag("path", d="".join(parts), class_="bar")]


def _axis(span_s: float) -> Markup:
    step = nice_step(span_s / 8)
    marks = []
    for index in range(int(span_s / step) + 1):
        t = index * step
        label = f"{t:g} s" if index else "0"
        end = "end" if t > span_s * 0.96 else None
        marks.append(tag("text", label, x=_percent(t, span_s), y="14", class_=end))
    return tag("svg", *marks, class_="scale", aria_hidden="true")


def nice_step(at_least: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** (len(str(int(at_least))) - 1 if at_least >= 1 else -3)
    while True:
        for factor in (1, 2, 5):
            if factor * power >= at_least:
                return factor * power
        power *= 10


def _percent(value: float, span: float) -> str:
    return f"{value / span * 100:.3f}%"


def _word(name: str) -> str:
    return "".join(c for c in name if c.isalnum())
