"""The screen over time as a film strip: texts as text, pictures inside the page as far as its budget goes."""

from __future__ import annotations

import base64
import re
from typing import Final

from hiperiso.analysis.html.markup import Markup, tag, weight
from hiperiso.analysis.html.recording import Recording, Screen
from hiperiso.contract.files import SCREEN_DIR

_PICTURES_BYTES: Final = 480_000  # of base64
_TEXTS_BYTES: Final = 200_000
_MAX_FRAMES: Final = 120
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_MAX_SIDE: Final = 16384
_NAME: Final = re.compile(rf"{SCREEN_DIR}/[A-Za-z0-9_-]{{1,40}}\.(?:png|txt)")


def screens(recording: Recording) -> Markup | None:
    """The section, or None for a boot whose screen was not seen."""
    strip = chosen(recording.screens)
    if not strip:
        return None
    evidence = _evidence(recording)
    order = sorted(strip, key=lambda s: (s.n not in evidence, s is not strip[-1], s.minor))
    pictures, texts = int(_PICTURES_BYTES * recording.scale), int(_TEXTS_BYTES * recording.scale)
    frames: dict[int, Markup] = {}
    for screen in order:  # the budget goes to the screens that say most
        if screen.kind == "image":
            picture = _picture(recording, screen, pictures)
            pictures -= len(picture)
            frames[screen.n] = _frame(recording, screen, picture or _missing(screen))
        else:
            body = screen.text if weight(screen.text) <= texts else ""
            texts -= weight(body)
            frames[screen.n] = _frame(recording, screen, _text(screen, body) if body else _missing(screen))
    left_out = len(recording.screens) - len(strip) + recording.screens_left_out
    note = f"{left_out} more screens are in {SCREEN_DIR}/." if left_out else ""
    return tag(
        "div",
        tag("ol", *(frames[screen.n] for screen in strip), class_="film", tabindex="0", aria_label="Screens"),
        tag("p", note, class_="hint") if note else None,
        tag(
            "dialog",
            tag("div", id="screen-body"),
            tag(
                "form",
                tag("button", "←", type="button", id="screen-before", aria_label="Screen before"),
                tag("span", "", id="screen-caption"),
                tag("button", "→", type="button", id="screen-after", aria_label="Screen after"),
                tag("button", "Close", value="close"),
                method="dialog",
            ),
            id="screen",
            aria_label="Screen",
        ),
    )


def _evidence(recording: Recording) -> set[int | None]:
    """Numbers of the events that the verdict rests on."""
    if recording.report is None:
        return set()
    found = [stage.evidence for stage in recording.report.stages]
    for finding in recording.report.findings:
        found += finding.evidence
    return {item.event for item in found}


def chosen(screens: list[Screen]) -> list[Screen]:
    """Up to a number of screens: those on which only counters changed go first, then the middle."""
    if len(screens) > _MAX_FRAMES:
        screens = [screen for screen in screens if not screen.minor] or screens
    if len(screens) > _MAX_FRAMES:
        screens = screens[: _MAX_FRAMES // 2] + screens[-_MAX_FRAMES // 2 :]
    return screens


def _frame(recording: Recording, screen: Screen, body: Markup) -> Markup:
    caption = [
        tag("span", f"{screen.t:.2f} s"),
        tag("small", "picture" if screen.kind == "image" else "text"),
    ]
    label = f"Screen at {screen.t:.2f} seconds, enlarge"
    return tag(
        "li",
        tag(
            "div", body, tag("button", "", type="button", class_="enlarge", aria_label=label), class_="frame"
        ),
        tag(
            "a",
            *caption,
            href=f"#e{screen.n}" if f"e{screen.n}" in recording.shown else None,
            class_="caption",
        ),
        id=f"s{screen.n}",
        data_t=f"{screen.t:.2f}",
    )


def _text(screen: Screen, body: str) -> Markup:
    width = 80 if screen.columns <= 80 else 132 if screen.columns <= 132 else 200
    return tag("pre", body, class_=f"console w{width}")


def _picture(recording: Recording, screen: Screen, budget: int) -> Markup:
    if not _NAME.fullmatch(screen.path):
        return Markup("")
    data = recording.session.read(screen.path, budget + 1)
    size = _png_size(data)
    if size is None or len(data) * 4 // 3 + 200 > budget:
        return Markup("")
    source = "data:image/png;base64," + base64.b64encode(data).decode("ascii")
    return tag(
        "img",
        src=source,
        width=size[0],
        height=size[1],
        alt=f"The screen at {screen.t:.2f} s",
        loading="lazy",
    )


def _missing(screen: Screen) -> Markup:
    return tag("span", screen.path or "not kept", class_="unkept")


def _png_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, or None when it is none."""
    if not data.startswith(_PNG) or data[12:16] != b"IHDR":
        return None
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    return (width, height) if 0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE else None
