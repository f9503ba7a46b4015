"""Whole blocks of a log cleaned at once: the same lines as ``TextCleaner`` gives, many times as fast.

Most of a log is plain text with colours and carriage returns. What those do to a line is done to a whole block by a few
substitutions; a line with anything else in it goes through ``TextCleaner``. UTF-16 is recognised by its byte order
mark, or by its zero bytes, and read as UTF-8.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from hiperiso.text import MAX_LINE_CHARS, TextCleaner, without_hidden

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
_TABBED: Final = re.compile(rb"(?m)^[^\n]*\t[^\n]*")
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
        line: number of the physical line that the first one stands on, from 1.
        one_line: all of them come from that one physical line.
        whole: False for the unfinished last line of a log.
    """

    text: bytes
    line: int
    one_line: bool = False
    whole: bool = True


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
        yield from _clean(cleaner, block, line)
        line += block.count(b"\n")
        if len(rest) > CHUNK_BYTES // 4:  # a line without end
            yield from _clean(cleaner, rest, line)
            rest = b""
    if rest:
        yield from _rows(cleaner, _lightened(rest, at_ease=cleaner.at_ease), line)
    if left := [row.text for row in cleaner.flush()]:
        yield Block("\n".join(left).encode() + b"\n", line, one_line=True, whole=False)


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


def _clean(cleaner: TextCleaner, block: bytes, line: int) -> Iterator[Block]:
    block = _lightened(block, at_ease=cleaner.at_ease)
    if not cleaner.at_ease or not block.endswith(b"\n") or _is_odd(block) or _has_long_line(block):
        yield from _mixed(cleaner, block, line)
    else:
        yield Block(_plain(block), line)


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


def _mixed(cleaner: TextCleaner, block: bytes, line: int) -> Iterator[Block]:
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
            if done < begin:
                yield from _plain_part(block[done:begin], number)
            number += block.count(b"\n", done, begin)
            yield from _rows(cleaner, row, number)
            number += row.endswith(b"\n")
            done = end
        begin = end
    if done < len(block):
        yield from _plain_part(block[done:], number)


def _plain_part(part: bytes, number: int) -> Iterator[Block]:
    if b"\r" in part:
        part = _OVERWRITTEN.sub(b"", part)
    yield Block(_plain(part), number)


def _is_plain(row: bytes) -> bool:
    """Whether carriage returns are all that may be odd in a row."""
    if not _is_odd(row):
        return True
    return row.isascii() and not row.translate(None, _WITH_RETURNS) and row[-2:-1] != b"\r"


def _rows(cleaner: TextCleaner, row: bytes, number: int) -> Iterator[Block]:
    if texts := [row.text for row in cleaner.feed(row)]:
        yield Block("\n".join(texts).encode() + b"\n", number, one_line=True)


def _plain(block: bytes) -> bytes:
    """A block in which nothing acts on a terminal: text without junk, tabs expanded."""
    if block.translate(None, _KEPT):
        block = block.translate(None, _JUNK)
    if not block.isascii():
        block = without_hidden(block.decode("utf-8", "replace")).encode("utf-8", "replace")
    if b"\t" in block:
        block = _TABBED.sub(_expanded, block)
    return block


def _expanded(match: re.Match[bytes]) -> bytes:
    return match.group().decode("utf-8", "replace").expandtabs(8).encode()
