"""Sanitizes untrusted text: terminal bytes to plain lines, names and fields to printable text.

The result is what a person would have read, without control sequences.

A serial console contains cursor movements, colours, progress bars and whole dialogs. ``TextCleaner`` turns its bytes,
in chunks of any size, into lines of text without control characters. The rules, after ECMA-48 and xterm's
"Control Sequences":

- escape, CSI, OSC, DCS, SOS, PM and APC sequences are removed, also when a chunk ends inside one;
- a carriage return starts the line again: of a redrawn progress bar, the last state remains;
- backspace moves back, the next character overwrites;
- moving the cursor to another row ends the line, so that words of a dialog are not joined;
- line-drawing characters of the DEC graphics set become spaces;
- bytes that are not UTF-8 become U+FFFD; characters that reorder or hide text are dropped.

An unfinished string sequence ends at the end of the line, and sequences have a bounded length, so that a guest cannot
hide what follows.
"""

from __future__ import annotations

import codecs
import re
from typing import Final, NamedTuple

from bootchain import printable as _printable

masked = _printable.masked
MAX_LINE_CHARS: Final = 4096
MAX_SEQUENCE_BYTES: Final = 4096
MAX_TITLE_CHARS: Final = 200


class CleanLine(NamedTuple):
    """One line: its text, and where its first byte is in the stream. Pieces of one overlong line share the offset."""

    text: str
    offset_bytes: int


_CSI, _STRING, _ESCAPE, _GROUND, _SKIP_ONE = "csi", "string", "escape", "ground", "skip"
_TOKEN: Final = re.compile(
    rb"\x1b\[[\x20-\x3f]{0,63}[\x40-\x7e]|[^\x07\x08\n\r\x0e\x0f\x1b]+|[\x07\x08\n\r\x0e\x0f\x1b]"
)
_PLAIN: Final = re.compile(rb"[\x20-\x7e]*\r*")
_JUNK: Final = bytes(b for b in [*range(0x20), 0x7F] if b != 0x09)
_CSI_BODY: Final = re.compile(rb"[\x20-\x3f]*")
_HIDDEN: Final = re.compile(
    "[\x80-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ue000-\ue0ff\U000e0000-\U000e007f]"
)
_SHIFTED: Final = re.compile("[\ue000-\ue0ff]+")
_SHIFT_BASE: Final = 0xE000
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_BOX: Final = frozenset("jklmnqtuvwxahfgopyz~`{|}+,-.0 ")
_ROW_MOVES: Final = frozenset(b"ABEFHdefSTLM")


class TextCleaner:
    """Cleans one stream. The lines do not depend on the sizes of the chunks."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._cut_off = False  # the decoder may contain the first bytes of a character
        self._state = _GROUND
        self._sequence = bytearray()
        self._line = ""
        self._column = 0
        self._returned = False  # the last byte was a carriage return
        self._start = -1
        self._position = 0
        self._graphic_sets = [False, False]
        self._shift = 0
        self._out: list[CleanLine] = []

    @property
    def partial(self) -> str:
        """The current unfinished line, with trailing spaces: mostly a prompt."""
        return _finish(self._line)

    @property
    def at_ease(self) -> bool:
        """Whether nothing is pending, and what comes next is text as it stands."""
        return (
            not self._line
            and self._state is _GROUND
            and self._start < 0
            and not self._column
            and not self._returned
            and not self._cut_off
            and not any(self._graphic_sets)
            and not self._shift
        )

    def feed(self, data: bytes) -> list[CleanLine]:
        """Process the next bytes; return the completed lines (blank lines are left out)."""
        start = 0
        base = self._position
        while (end := data.find(b"\n", start)) >= 0:
            row = data[start:end]
            if self._is_plain(row):
                text = row.rstrip(b"\r").decode("ascii")
                if text and not text.isspace():
                    self._out.append(CleanLine(text.rstrip(), base + start))
            else:
                self._tokens(row, base + start)
                self._control(0x0A)
            start = end + 1
        if start < len(data):
            self._tokens(data[start:], base + start)
        self._position = base + len(data)
        out, self._out = self._out, []
        return out

    def flush(self) -> list[CleanLine]:
        """End the stream: return what was unfinished."""
        self._state = _GROUND
        self._break()
        out, self._out = self._out, []
        return out

    def _is_plain(self, row: bytes) -> bool:
        """True when nothing is pending and the row is ASCII text alone: then no state machine is needed."""
        return (
            not self._line
            and self._state is _GROUND
            and not self._graphic_sets[self._shift]
            and self._start < 0
            and len(row) <= MAX_LINE_CHARS
            and _PLAIN.fullmatch(row) is not None
        )

    def _tokens(self, data: bytes, base: int) -> None:
        for match in _TOKEN.finditer(data):
            token = match.group()
            at = base + match.start()
            if len(token) > 2 and token[0] == 0x1B:  # a whole CSI sequence
                self._ground()
                self._settle_decoder()
                self._perform(token[-1], token[2:-1])
                continue
            while token and self._state is not _GROUND:
                used = self._in_sequence(token)
                token, at = token[used:], at + used
                if not used:
                    break
            if not token:
                continue
            if token[0] in b"\x07\x08\n\r\x0e\x0f\x1b":
                self._control(token[0])
            else:
                self._text(token, at)

    # ── sequences ──

    def _in_sequence(self, token: bytes) -> int:
        """Consume the part of a token that belongs to the open sequence; return how many bytes that was."""
        first = token[0]
        if self._state is _SKIP_ONE:
            if 0x20 <= first < 0x7F:
                self._graphic_sets[self._sequence[0] == 0x29] = first == 0x30  # ESC ( 0, ESC ) 0
                self._ground()
                return 1
            self._ground()
            return 0
        if self._state is _ESCAPE:
            return self._after_escape(first)
        if self._state is _STRING:
            return self._in_string(token)
        return self._in_csi(token)

    def _after_escape(self, first: int) -> int:
        if first == 0x5B:  # [
            self._state = _CSI
        elif first in b"]PX^_":
            self._state = _STRING
        elif first in b"()":
            self._sequence[:] = bytes([first])
            self._state = _SKIP_ONE
        elif first in b"*+-./#% ":
            self._sequence[:] = b"*"
            self._state = _SKIP_ONE
        elif 0x30 <= first < 0x7F:
            self._ground()
            if first in b"8DEMc":
                self._break()
            if first == 0x63:  # full reset
                self._graphic_sets, self._shift = [False, False], 0
        else:
            self._ground()
            return 0
        return 1

    def _in_string(self, token: bytes) -> int:
        first = token[0]
        if first == 0x07:
            self._ground()
            return 1
        if first in b"\n\r\x1b":  # ESC \ ends it; a new line ends what was never closed
            self._ground()
            return 0
        take = min(len(token), MAX_SEQUENCE_BYTES - len(self._sequence))
        self._sequence += token[:take]
        if take < len(token):
            self._ground()
        return take

    def _in_csi(self, token: bytes) -> int:
        match = _CSI_BODY.match(token)
        body = match.group() if match else b""
        room = 64 - len(self._sequence)
        if len(body) >= room:
            self._ground()
            return room
        self._sequence += body
        if len(body) == len(token):
            return len(body)
        final = token[len(body)]
        if not 0x40 <= final <= 0x7E:
            self._ground()
            return len(body)
        parameters = bytes(self._sequence)
        self._ground()
        self._perform(final, parameters)
        return len(body) + 1

    def _ground(self) -> None:
        self._state = _GROUND
        self._sequence.clear()

    def _perform(self, final: int, parameters: bytes) -> None:
        """Act on a CSI sequence as far as it moves text about."""
        if parameters[:1] in (b"<", b"=", b">", b"?"):
            return
        number = int(parameters) if parameters.isdigit() and len(parameters) < 5 else 0
        letter = chr(final)
        if final in _ROW_MOVES or (letter == "J" and number >= 2):
            self._break()
        elif letter == "K":
            self._settle_decoder()
            self._line = "" if number == 2 else self._line[: self._column] if number == 0 else self._line
        elif letter in "CaG`":
            self._settle_decoder()
            self._returned = False
            target = self._column + max(number, 1) if letter in "Ca" else max(number, 1) - 1
            self._column = min(target, MAX_LINE_CHARS - 1)
        elif letter == "D":
            self._settle_decoder()
            self._column = max(self._column - max(number, 1), 0)

    # ── text ──

    def _control(self, byte: int) -> None:
        if byte == 0x1B:
            self._settle_decoder()
            self._state = _ESCAPE
        elif byte == 0x0A:
            self._ground()
            self._break()
        elif byte == 0x0D:
            self._settle_decoder()
            self._column = 0
            self._returned = True
        elif byte == 0x08:
            self._settle_decoder()
            self._column = max(self._column - 1, 0)
        elif byte in (0x0E, 0x0F):
            self._settle_decoder()
            self._shift = int(byte == 0x0E)

    def _text(self, raw: bytes, at: int) -> None:
        stripped = raw.lstrip(_JUNK)
        if not stripped:
            return
        at += len(raw) - len(stripped)
        raw = stripped.translate(None, _JUNK)
        if raw.isascii() and not self._cut_off:
            self._write(raw.decode("ascii"), at)
        else:
            self._cut_off = True
            self._write(self._decoder.decode(raw), at)

    def _settle_decoder(self) -> None:
        """A control ends an incomplete character."""
        if self._cut_off:
            self._cut_off = False
            tail = self._decoder.decode(b"", final=True)
            self._decoder.reset()
            if tail:
                self._write(tail, self._position)

    def _write(self, text: str, at: int) -> None:
        if self._start < 0:
            self._start = at
        if not text.isascii():
            text = _HIDDEN.sub("", text)
        if not text:
            return
        if self._graphic_sets[self._shift]:
            text = "".join(chr(_SHIFT_BASE + ord(c)) if ord(c) < 0x80 else c for c in text)
        if self._returned:
            self._line, self._returned = "", False
        while text:
            room = MAX_LINE_CHARS - self._column
            piece, text = text[:room], text[room:]
            line = self._line.ljust(self._column) if self._column > len(self._line) else self._line
            self._line = line[: self._column] + piece + line[self._column + len(piece) :]
            self._column += len(piece)
            if self._column >= MAX_LINE_CHARS:
                self._emit()

    def _break(self) -> None:
        """End the line, wherever the cursor goes next."""
        self._settle_decoder()
        self._emit()
        self._start = -1

    def _emit(self) -> None:
        if self._line:
            text = _finish(self._line).rstrip()
            if text:
                self._out.append(CleanLine(text, max(self._start, 0)))
        self._line, self._column, self._returned = "", 0, False


def without_hidden(text: str) -> str:
    """The text without characters that hide or reorder it."""
    return _HIDDEN.sub("", text)


def clean_text(data: bytes) -> str:
    """Return a short piece of terminal output as plain text, lines joined by newlines."""
    cleaner = TextCleaner()
    return "\n".join(line.text for line in cleaner.feed(data) + cleaner.flush())


def plain(text: str, limit: int = 400) -> str:
    """Return a string that is safe on a terminal and on one line: no control characters, bounded length."""
    if not text.isprintable():  # it holds controls, or characters that hide or reorder text
        text = clean_text(text[: limit * 4].encode("utf-8", "replace")).replace("\n", " ")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def printable(text: str, limit: int = MAX_TITLE_CHARS) -> str:
    """A name or title on one line: control and direction characters become a space, surrogates a ``?``."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return _CONTROLS.sub(" ", clean).strip()[:limit]


def harmless(text: str) -> str:
    """As `printable`, line by line: line breaks stay."""
    return "\n".join(printable(line) for line in text.split("\n"))


def made_visible(text: str) -> str:
    """Characters that hide, reorder or control text replaced by U+FFFD; line breaks and tabs stay."""
    return text if text.isprintable() else _UNSEEN.sub("\ufffd", text.replace("\r\n", "\n"))


def ascii_field(field: bytes) -> str:
    """A padded text field of a binary format as printable ASCII, up to its first NUL; anything else becomes ``?``."""
    raw = field.split(b"\0")[0].strip()
    return "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in raw)


def _finish(line: str) -> str:
    if not line.isascii():
        line = _SHIFTED.sub(_undraw, line)
    return line.expandtabs(8) if "\t" in line else line


def _undraw(match: re.Match[str]) -> str:
    """Line drawing to spaces; text printed in the graphics set by mistake stays text."""
    text = "".join(chr(ord(c) - _SHIFT_BASE) for c in match.group())
    return " " * len(text) if _BOX.issuperset(text) else text
