"""QEMU's text trace (``trace.log``) as the records that its binary backend would have written.

A line is ``tid@seconds.microseconds:event arguments`` (``-msg timestamp=on``), seconds since the epoch. The arguments
are taken out of the text by the event's declaration, so that both backends give the very same columns.
``hiperiso.trace._textlog``, compiled where a compiler was at hand, is the fast way; `PythonConverter` gives the same.

In text a string ends where the declaration's next words begin, for the first time, or at the first digit where a number
follows at once; a width is the count of digits. What is not as declared becomes a
record whose arguments are the text as it is, or, in a file for others to read, is counted as lost.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

from hiperiso.trace.decoder import DROPPED
from hiperiso.trace.formats import WIDTH, EventFormat, template_parts

Part = tuple[bytes, str, int, bool, bool]
"""Words, then an argument: ``d``, ``x``, ``X`` (with a 0x of its own), ``p``, ``c``, ``s``, or ``*`` for the width of
the next one; its bits (of strings: whether spaces may be before it), whether it is signed, whether spaces may follow
it. The last text is followed by no argument: its letter is empty."""

HEADER: Final = struct.pack("<QQQ", 2**64 - 1, 0xF2B177CB0AA429B4, 4)
PIECE_BYTES: Final = 1 << 19
_MAX_LINE: Final = 4096
_MAX_EVENTS: Final = 1 << 16
_RECORD: Final = struct.Struct("<QQQII")
_HEAD: Final = re.compile(
    rb"(?:(\d{1,12}+)@)?(\d{1,12}+)\.(\d{1,9}+):([A-Za-z0-9_]{1,128}+)(?: ([^\n]*)|)", re.ASCII
)
_NUMBERS: Final = {
    "d": rb" *+(-?\d{1,20}+)(?!\d)",
    "x": rb" *+([0-9a-fA-F]{1,16}+)(?![0-9a-fA-F])",
    "X": rb" *+((?:0[xX](?=.))?+[0-9a-fA-F]{1,16}+)(?![0-9a-fA-F])",
    "p": rb" *+(\(nil\)|0x[0-9a-fA-F]{1,16}+(?![0-9a-fA-F]))",
    "c": rb"(.)",
    WIDTH: rb"(?= *+([0-9a-fA-F]{1,16}+))",
}
_BEFORE_0X: Final = {
    "x": rb" *+((?:(?!0x)[0-9a-fA-F]){1,16}+)(?=0x)",
    "X": rb" *+((?:0[xX](?=.))?+(?:(?!0x)[0-9a-fA-F]){1,16}+)(?=0x)",
}
_BASES: Final = {"d": 10, "x": 16, "X": 16, "p": 16}


class Converter(Protocol):
    """Lines to records."""

    def event(self, name: bytes, number: int, parts: tuple[Part, ...] | None, /) -> None:
        """Give an event its id, and how its text is taken apart; None where it is not."""

    def convert(
        self, data: bytes | bytearray | memoryview, begin: int, end: int, /
    ) -> tuple[int, bytes, int, int, int, bytes]:
        """The records of the whole lines up to `end`.

        Returns:
            Where it stopped, the records, how many lines they are of, how many lines were not of a trace, how many were
            not as declared and left out, and, where it stopped for an event without an id, its name.
        """


class TextLog:
    """Takes a text trace in pieces and returns a binary one.

    Args:
        formats: how arguments are declared, by event.
        raw: what becomes of text that is not as declared: kept as it is, or left out and counted as lost.
        compiled: whether the compiled converter may be used.

    Attributes:
        lines: how many have become records.
        others: how many lines were not of a trace.
        refused: how many were left out.
    """

    def __init__(
        self, formats: Mapping[str, EventFormat], *, raw: bool = True, compiled: bool = True
    ) -> None:
        self.lines = self.others = self.refused = 0
        self._formats = formats
        self._converter = _new_converter(raw=raw, compiled=compiled)
        self._ids: dict[bytes, int] = {}
        self._rest = b""
        self._begun = False

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; returns what their whole lines become."""
        data = self._rest + data if self._rest else data
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        if len(self._rest) > _MAX_LINE:  # its end will not be a line of a trace either
            self._rest = self._rest[: _MAX_LINE + 1]
        found = [] if self._begun else [HEADER]
        self._begun = True
        at = 0
        while at < end:
            at, records, lines, others, refused, name = self._converter.convert(data, at, end)
            found.append(records)
            self.lines += lines
            self.others += others
            self.refused += refused
            if name:
                found.append(self._declare(name))
        return b"".join(found)

    def finish(self) -> bytes:
        """The last line, where no newline ends it, and a record of how many were left out."""
        rest = self.feed(b"\n") if self._rest else b""
        if not self.refused:
            return rest
        return rest + _RECORD.pack(1, DROPPED, 0, 32, 0) + struct.pack("<Q", self.refused)

    def _declare(self, name: bytes) -> bytes:
        known = self._formats.get(name.decode())
        number = self._ids.setdefault(name, min(len(self._ids), _MAX_EVENTS - 1))
        self._converter.event(name, number, text_parts(known) if known else None)
        return struct.pack("<QQI", 0, number, len(name)) + name


def pieces_of_log(path: Path, log: TextLog) -> Iterator[bytes]:
    """A text trace of any size as a binary one, in pieces.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        while data := file.read(PIECE_BYTES):
            yield log.feed(data)
    yield log.finish()


def text_parts(known: EventFormat) -> tuple[Part, ...] | None:
    """How an event's text is taken apart; None where it does not hold each argument once."""
    literals, specs = template_parts(known.template)
    if len(specs) != len(known.kinds):
        return None
    parts: list[Part] = []
    for literal, (flags, precision, written), kind, bits in zip(
        literals, specs, known.kinds, known.bits, strict=False
    ):
        letter = {"i": "d", "u": "d", "X": "x"}.get(written, written)
        if letter not in "dxpcs*" or (letter == "s") != (kind == "str") or (letter == "s" and precision):
            return None
        text, left = letter == "s", "-" in flags
        own = letter == "x" and "#" in flags
        padded = int(text and not left and bool(flags))
        parts.append(
            (literal.encode(), "X" if own else letter, bits or padded, kind == "int", left and not text)
        )
    return (*parts, (literals[-1].encode(), "", 0, False, False))


def _new_converter(*, raw: bool, compiled: bool) -> Converter:
    if compiled:
        try:
            from hiperiso.trace import _textlog
        except ImportError:
            pass
        else:
            return _textlog.Converter(raw)
    return PythonConverter(raw=raw)


class PythonConverter:
    """See `Converter`."""

    def __init__(self, *, raw: bool) -> None:
        self._raw = raw
        self._events: dict[bytes, tuple[int, tuple[Part, ...] | None, re.Pattern[bytes] | None]] = {}

    def event(self, name: bytes, number: int, parts: tuple[Part, ...] | None, /) -> None:
        """See `Converter.event`."""
        self._events[name] = (number, parts, _pattern(parts) if parts else None)

    def convert(
        self, data: bytes | bytearray | memoryview, begin: int, end: int, /
    ) -> tuple[int, bytes, int, int, int, bytes]:
        """See `Converter.convert`."""
        if not 0 <= begin <= end <= len(data):
            raise ValueError("begin and end are not within the data")
        found: list[bytes] = []
        others = refused = 0
        at = begin
        lines = bytes(data[begin:end]).split(b"\n")
        for line in lines[:-1]:
            head = _HEAD.fullmatch(line) if len(line) <= _MAX_LINE else None
            if not head or int(head[1] or 0) >> 32 or int(head[2]) > 9_000_000_000:
                others += 1
            else:
                event = self._events.get(head[4])
                if event is None:
                    return at, b"".join(found), len(found), others, refused, head[4]
                record = self._record(head, *event)
                if record:
                    found.append(record)
                else:
                    refused += 1
            at += len(line) + 1
        return at, b"".join(found), len(found), others, refused, b""

    def _record(
        self,
        head: re.Match[bytes],
        number: int,
        parts: tuple[Part, ...] | None,
        pattern: re.Pattern[bytes] | None,
    ) -> bytes:
        text = head[5] or b""
        match = pattern.fullmatch(text) if pattern else None
        if match and parts:
            arguments = b"".join(
                _packed(value, part) for value, part in zip(match.groups(), parts, strict=False)
            )
        elif self._raw:
            arguments = text + b"\n" if len(text) % 8 == 0 else text  # must not look like numbers
        else:
            return b""
        t_ns = int(head[2]) * 1_000_000_000 + int(head[3].ljust(9, b"0"))
        return _RECORD.pack(1, number, t_ns, 24 + len(arguments), int(head[1] or 0)) + arguments


def _pattern(parts: tuple[Part, ...]) -> re.Pattern[bytes]:
    pieces = []
    for i, (literal, letter, bits, _signed, left) in enumerate(parts):
        following = parts[i + 1][:2] if letter else (b"", "")
        pieces.append(re.escape(literal))
        if letter == "s":
            pieces.append(rb" *+" if bits else b"")
        if letter == "s" and i + 2 == len(parts):
            pieces.append(rb"(.*)")
        elif letter == "s" and following == (b"", "d"):
            pieces.append(rb"([^0-9-]*+)")
        elif letter == "s":
            pieces.append(rb"((?:(?!%s).)*+)" % re.escape(following[0]))
        elif letter:
            numbers = _BEFORE_0X if letter in _BEFORE_0X and following[0].startswith(b"0x") else _NUMBERS
            pieces.append(numbers[letter] + (rb" *+" if left else b""))
    return re.compile(b"".join(pieces), re.DOTALL)


def _packed(value: bytes, part: Part) -> bytes:
    _, letter, bits, signed, _ = part
    if letter == "s":
        value = b"" if value == b"(null)" else value
        return struct.pack("<I", len(value)) + value
    if letter == "c":
        number = value[0]
    elif letter == WIDTH:
        number = len(value)
    else:
        number = 0 if value == b"(nil)" else int(value, _BASES[letter])
    if bits < 64:
        number &= (1 << bits) - 1
        if signed and number >> (bits - 1):
            number -= 1 << bits
    return struct.pack("<Q", number % (1 << 64))
