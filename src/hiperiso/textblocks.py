"""Whole blocks of a log cleaned at once: the same lines as ``TextCleaner`` gives, many times as fast.

Most of a log is plain text with colours and carriage returns. What those do to a line is done to a whole block by a few
substitutions; a line with anything else in it goes through ``TextCleaner``. UTF-16 is recognised by its byte order
mark, or by its zero bytes, and read as UTF-8.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from hiperiso.text import MAX_LINE_CHARS, CleanLine, TextCleaner, without_hidden

CHUNK_BYTES: Final = 1 << 18
_SNIFFED_BYTES: Final = 4096

_COLOUR: Final = re.compile(rb"\x1b(?<!\x1b\x1b)(?<!\x1b\[\x1b)(?:\[[0-9;:]{0,40}m|\[\?[0-9;]{1,20}[hl]|\(B)")
_TORN: Final = re.compile(rb"\x1b(?:\[[\x20-\x3f]{0,63}(?![\x20-\x7e])|[()]0|[\]PX^_]|(?![\x20-\x7e]))")
_FLOOD: Final = re.compile(rb"(?:\x1b\[)+(?=\x1b)")
_ERASED: Final = re.compile(
    rb"\x1b(?:(?<=\r\x1b)\[[0-2]?K(?=[\x20-\x7e])|(?<=[\x20-\x7e]\x1b)\[0?K(?=\r*\n))"
)
_ENDS: Final = re.compile(rb"\r+\n")
_REDRAWN: Final = re.compile(rb"\r(?:[\t\x20-\x7e]{0,4000}\r)+(?=[\x20-\x7e])")
_OVERWRITTEN: Final = re.compile(rb"(?m)^[^\n]*\r(?=[^\n])")
_HIGH: Final = bytes(range(0x80, 0x100))
_HIGH_BYTES: Final = re.compile(rb"[\x80-\xff]+")
_FEW: Final = 100  # up to one byte of so many
_ODD_BYTE: Final = re.compile(rb"[\x08\x0e\x0f\x1b\r]")
_ODD: Final = b"\x08\x0e\x0f\x1b\r"
_KEPT: Final = bytes(b for b in range(256) if b >= 0x20 and b != 0x7F) + b"\t\n"
_WITH_RETURNS: Final = _KEPT + b"\r"
_JUNK: Final = bytes(b for b in (*range(0x20), 0x7F) if b not in b"\x08\t\n\r\x0e\x0f\x1b")


@dataclass(frozen=True, slots=True)
class Block:
    """Cleaned lines.

    Attributes:
        text: the lines in UTF-8, each with its newline; a line that vanished is empty.
        marks: offsets in the text, and the number (from 1) of the physical line that each stands on; those after it
            follow one by one until the next mark.
        whole: False for the unfinished last line of a log.
    """

    text: bytes
    marks: tuple[tuple[int, int], ...]
    whole: bool = True

    def numbers(self) -> Callable[[int], int]:
        """A function for the number of the physical line at an offset; fast for offsets that grow."""
        text, marks = self.text, self.marks
        last, number = marks[0]

        def number_at(offset: int) -> int:
            nonlocal last, number
            mark = marks[bisect_right(marks, offset, key=_offset_of) - 1]
            if mark[0] > last or offset < last:
                last, number = mark
            number += text.count(b"\n", last, offset)
            last = offset
            return number

        return number_at


def _offset_of(mark: tuple[int, int]) -> int:
    return mark[0]


class _Builder:
    """Puts a block together from parts."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._marks: list[tuple[int, int]] = []
        self._size = 0

    def add(self, text: bytes, line: int) -> None:
        """Add lines; the first one stands on this physical line."""
        if text:
            self._marks.append((self._size, line))
            self._parts.append(text)
            self._size += len(text)

    def add_rows(self, rows: Iterable[CleanLine], line: int) -> None:
        """Add lines that all come from this physical one."""
        for row in rows:
            self.add(row.text.encode() + b"\n", line)

    def blocks(self, *, whole: bool = True) -> Iterator[Block]:
        """What was added, as a block; nothing if it is nothing."""
        if self._parts:
            yield Block(b"".join(self._parts), tuple(self._marks), whole)


def clean_blocks(file: BinaryIO) -> Iterator[Block]:
    """Yield the cleaned lines of an open log, streamed.

    Raises:
        OSError: the file cannot be read.
    """
    cleaner = TextCleaner()
    line = 1
    rest = b""
    for chunk in utf8_chunks(file):
        data = rest + chunk if rest else chunk
        end = data.rfind(b"\n") + 1
        if not end and len(data) <= CHUNK_BYTES // 4:
            rest = data
            continue
        block, rest = (data[:end], data[end:]) if end else (data, b"")
        out = _Builder()
        _clean(cleaner, block, line, out)
        line += block.count(b"\n")
        if len(rest) > CHUNK_BYTES // 4:  # a line without end
            _clean(cleaner, rest, line, out)
            rest = b""
        yield from out.blocks()
    out = _Builder()
    if rest:
        out.add_rows(cleaner.feed(_lightened(rest, at_ease=cleaner.at_ease)), line)
    yield from out.blocks()
    end_of_log = _Builder()
    end_of_log.add_rows(cleaner.flush(), line)
    yield from end_of_log.blocks(whole=False)


def utf8_chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of a log, those of UTF-16 as UTF-8."""
    chunk = file.read(CHUNK_BYTES)
    decoder = _utf16_decoder(chunk[:_SNIFFED_BYTES])
    while chunk:
        yield decoder.decode(chunk).encode("utf-8", "replace") if decoder else chunk
        chunk = file.read(CHUNK_BYTES)


def _utf16_decoder(head: bytes) -> codecs.IncrementalDecoder | None:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return codecs.getincrementaldecoder("utf-16")("replace")
    half = len(head) // 2
    if half >= 16:
        for order, zeros in (("utf-16-le", head[1::2].count(0)), ("utf-16-be", head[0::2].count(0))):
            if zeros > half * 0.7 and head.count(0) < len(head) * 0.6:
                return codecs.getincrementaldecoder(order)("replace")
    return None


def _lightened(block: bytes, *, at_ease: bool) -> bytes:
    """The block without what changes no line: colours, floods of sequences, texts that are drawn over."""
    if b"\x1b" in block:
        if b"\x1b[\x1b" in block:
            block = _FLOOD.sub(b"", block)
        if at_ease and b"\x0e" not in block and not _TORN.search(block):
            block = _COLOUR.sub(b"", block)
            if b"\x1b[" in block:
                block = _ERASED.sub(b"", block)
    elif at_ease and block.translate(None, _KEPT):
        block = block.translate(None, _JUNK)
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
        if b"\r" in block:
            block = _REDRAWN.sub(b"\r", _ENDS.sub(b"\n", block))
    return block


def _clean(cleaner: TextCleaner, block: bytes, line: int, out: _Builder) -> None:
    block = _lightened(block, at_ease=cleaner.at_ease)
    if not cleaner.at_ease or not block.endswith(b"\n") or _is_odd(block) or _has_long_line(block):
        _mixed(cleaner, block, line, out)
    else:
        out.add(_plain(block), line)


def _has_long_line(block: bytes) -> bool:
    """Whether a line is longer than ``TextCleaner`` keeps in one piece."""
    begin = 0
    while len(block) - begin > MAX_LINE_CHARS:
        end = block.rfind(b"\n", begin, begin + MAX_LINE_CHARS + 1)
        if end < 0:
            return True
        begin = end + 1
    return False


def _is_odd(text: bytes) -> bool:
    """Whether anything in it acts on a terminal."""
    return len(text.translate(None, _ODD)) != len(text)


def _mixed(cleaner: TextCleaner, block: bytes, line: int, out: _Builder) -> None:
    """A block in which some lines need the state machine."""
    begin = done = 0
    number = line
    slow = not block.endswith(b"\n") or _has_long_line(block)
    while begin < len(block):
        if not slow and cleaner.at_ease:
            odd = _ODD_BYTE.search(block, begin)
            if odd is None:
                break
            begin = block.rfind(b"\n", begin, odd.start()) + 1 or begin
        end = block.find(b"\n", begin) + 1 or len(block)
        row = block[begin:end]
        if not cleaner.at_ease or not row.endswith(b"\n") or len(row) > MAX_LINE_CHARS or not _is_plain(row):
            out.add(_plain_part(block[done:begin]), number)
            number += block.count(b"\n", done, begin)
            out.add_rows(cleaner.feed(row), number)
            number += row.endswith(b"\n")
            done = end
        begin = end
    out.add(_plain_part(block[done:]), number)


def _plain_part(part: bytes) -> bytes:
    return _plain(_OVERWRITTEN.sub(b"", part) if b"\r" in part else part)


def _is_plain(row: bytes) -> bool:
    """Whether carriage returns are all that may be odd in a row."""
    if not _is_odd(row):
        return True
    return row.isascii() and not row.translate(None, _WITH_RETURNS) and row[-2:-1] != b"\r"


def _plain(block: bytes) -> bytes:
    """A block in which nothing acts on a terminal: text without junk, tabs expanded."""
    if block.translate(None, _KEPT):
        block = block.translate(None, _JUNK)
    if block.isascii():
        return block.expandtabs(8) if b"\t" in block else block
    if len(block.translate(None, _HIGH)) > len(block) - len(block) // _FEW:
        block = _HIGH_BYTES.sub(_readable, block)
    else:
        block = without_hidden(block.decode("utf-8", "replace")).encode("utf-8", "replace")
    return block.decode().expandtabs(8).encode() if b"\t" in block else block


def _readable(match: re.Match[bytes]) -> bytes:
    return without_hidden(match.group().decode("utf-8", "replace")).encode("utf-8", "replace")
