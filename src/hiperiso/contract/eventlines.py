"""Lines of events.jsonl to events and back. Nothing here raises for the content of a line; the reader bounds them."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import msgspec
from msgspec import UNSET

from hiperiso.contract.events import (
    EVENTS,
    NOT_GIVEN,
    NOT_YET,
    Event,
    FirmwareLine,
    IsoRead,
    KernelLine,
    SerialLine,
    StreamLine,
    UnknownEvent,
)
from hiperiso.contract.words import LineForm, Source
from hiperiso.text import plain

_MAX_WORD: Final = 40
_BAD: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError)


class _Line(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A line as it is written."""

    n: int
    t: float
    source: str
    kind: str
    text: str = ""
    path: str = ""
    data: Any = UNSET


def encode_event(event: Event) -> bytes:
    """The event as one line of events.jsonl, without its newline.

    Raises:
        UnicodeEncodeError: a text holds a lone surrogate.
    """
    return msgspec.json.encode(line_of(event))


def line_of(event: Event) -> msgspec.Struct:
    """The event as an object to be encoded as JSON."""
    data = getattr(event, "data", None)
    source, kind = event.source, event.kind
    written = data if data and data != type(data)() else UNSET
    return _Line(
        n=event.n, t=event.t, source=source, kind=kind, text=event.text, path=event.path, data=written
    )


def decode_events(lines: bytes) -> list[Event | None]:
    """Whole lines of events.jsonl at once; None for each that is not an event. Faster than one by one."""
    try:
        found = _DECODER.decode_lines(lines)
    except _BAD:
        return [decode_event(line) for line in lines.splitlines() if line.strip()]
    return [_completed(event) for event in found]


def decode_event(line: bytes) -> Event | None:
    """One line of events.jsonl; None where it is not an event. Unknown ones become an `UnknownEvent`."""
    try:
        return _completed(_DECODER.decode(line))
    except _BAD:
        pass  # an unknown event, a value that its class does not expect, or no event at all
    try:
        parts = _PARTS.decode(line)
    except _BAD:
        return None
    given = parts.data
    return event_of(parts.n, parts.t, parts.source, parts.kind, text=parts.text, path=parts.path, data=given)


def event_of(
    n: int,
    t: float,
    source: str,
    kind: str,
    *,
    text: str = "",
    path: str = "",
    data: dict[str, Any] | None = None,
) -> Event:
    """The event for a line with these parts; values that its class does not expect are dropped."""
    chosen = _BY_WORDS.get((source, kind))
    if chosen is None:
        words = (plain(source, _MAX_WORD), plain(kind, _MAX_WORD))
        return UnknownEvent(n=n, t=t, words=words, text=text, path=path, data=data or {})
    parts: dict[str, Any] = {"n": n, "t": t, "text": text, "path": path}
    if issubclass(chosen, StreamLine):
        parts["form"] = LineForm(kind)
    form = _DATA.get(chosen)
    if form is dict:
        parts["data"] = data or {}
    elif form is not None:
        parts["data"] = _usable(form, data or {})
    return chosen(**parts)


def _usable(form: Any, data: dict[str, Any]) -> Any:
    """The data without values that do not match its class."""
    kept = {}
    for field in msgspec.structs.fields(form):
        if field.name in data:
            try:
                kept[field.name] = msgspec.convert(data[field.name], field.type)
            except _BAD:
                continue
    return form(**kept)


class _OfSeveralKinds(msgspec.Struct, kw_only=True, tag_field="source"):
    """A line of a source whose kinds have classes of their own."""

    n: int
    t: float
    kind: str
    text: str = ""
    path: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    SOURCE: ClassVar[Source]


class _Screen(_OfSeveralKinds, kw_only=True, tag="screen"):
    SOURCE: ClassVar = Source.SCREEN


class _Process(_OfSeveralKinds, kw_only=True, tag="process"):
    SOURCE: ClassVar = Source.PROCESS


class _Qmp(_OfSeveralKinds, kw_only=True, tag="qmp"):
    SOURCE: ClassVar = Source.QMP


class _Harness(_OfSeveralKinds, kw_only=True, tag="harness"):
    SOURCE: ClassVar = Source.HARNESS


class _Chain(_OfSeveralKinds, kw_only=True, tag="chain"):
    SOURCE: ClassVar = Source.CHAIN


_Any = SerialLine | FirmwareLine | KernelLine | IsoRead | _Screen | _Process | _Qmp | _Harness | _Chain


class _Parts(msgspec.Struct, kw_only=True):
    """A line as written by any version."""

    n: int
    t: float
    source: str
    kind: str
    text: str = ""
    path: str = ""
    data: dict[str, Any] = {}


def _completed(event: _Any) -> Event | None:
    if not isinstance(event, _OfSeveralKinds):
        return None if event.n == NOT_GIVEN or event.t == NOT_YET else event
    chosen = _BY_WORDS.get((event.SOURCE, event.kind))
    if chosen is None:
        return _salvaged(event)
    parts: dict[str, Any] = {"n": event.n, "t": event.t, "text": event.text, "path": event.path}
    if event.data and (decoder := _DATA_DECODERS.get(chosen)):
        try:
            parts["data"] = decoder.decode(event.data)
        except _BAD:
            return _salvaged(event)
    return chosen(**parts)


def _salvaged(event: _OfSeveralKinds) -> Event | None:
    try:
        data = msgspec.json.decode(event.data, type=dict[str, Any]) if event.data else {}
    except _BAD:
        return None
    return event_of(event.n, event.t, event.SOURCE, event.kind, text=event.text, path=event.path, data=data)


_DECODER: Final = msgspec.json.Decoder(_Any)
_PARTS: Final = msgspec.json.Decoder(_Parts)
_BY_WORDS: Final[dict[tuple[str, str], type[Event]]] = {
    (source, kind): event
    for event in EVENTS
    for source, one in [event.WORDS]
    for kind in ([one] if one else LineForm)
}
_DATA: Final[dict[type[Event], Any]] = {
    event: type(field.default) if isinstance(field.default, msgspec.Struct) else dict
    for event in EVENTS
    for field in msgspec.structs.fields(event)
    if field.name == "data"
}
_DATA_DECODERS: Final = {event: msgspec.json.Decoder(form) for event, form in _DATA.items()}

FORMS: Final = tuple((source, kind, _DATA.get(event, dict)) for (source, kind), event in _BY_WORDS.items())
"""Source, kind and the type of ``data`` (dict for any object) of every event that is known."""
