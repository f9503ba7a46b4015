"""Gives a log the shape in which a machine printed it: without the prefix of a collector, its wrapped lines whole.

A terminal breaks what is wider than itself, and what was copied from it holds the breaks. Kernel messages show it: the
longest of them are all equally long, and what follows them has no time stamp.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from hiperiso.analysis.attention import Attention
from hiperiso.analysis.lineprefix import MAX_LEARNED_BLOCKS, LinePrefix
from hiperiso.analysis.lines import STAMP_IN_BYTES
from hiperiso.contract.seriallog import SerialRow
from hiperiso.textblocks import Block, clean_blocks

_MAX_WIDTH: Final = 250
_MIN_WIDTH: Final = 38
_USUAL_WIDTH: Final = 80
_MIN_BREAKS: Final = 2  # of another width
_MAX_JOINED: Final = 8
_STAMP_CHARS: Final = 40


class LogShape:
    """Shapes the blocks of one log, as learned from the first of them."""

    def __init__(self, attention: Attention) -> None:
        self._prefix = LinePrefix(attention)
        self._width: int | None = None
        self._blocks = 0

    def shape(self, block: Block) -> Block:
        """The block in its shape: lines may be fewer, and shorter."""
        block = self._prefix.strip_block(block)
        if self._width is None:
            if self._blocks >= MAX_LEARNED_BLOCKS:
                return block
            self._blocks += 1
            self._width = width_of_terminal(block.text.split(b"\n"))
        return _joined(block, self._width) if self._width else block


def shaped_rows(path: Path, attention: Attention) -> Iterator[SerialRow]:
    """Yield the lines of a serial log in their shape, streamed.

    Raises:
        OSError: the file cannot be read.
    """
    shape = LogShape(attention)
    with path.open("rb") as file:
        for block in map(shape.shape, clean_blocks(file)):
            number_at, begin = block.numbers(), 0
            for line in block.text.removesuffix(b"\n").split(b"\n"):
                yield SerialRow(line.decode("utf-8", "replace").rstrip(), number_at(begin), block.whole)
                begin += len(line) + 1


def width_of_terminal(lines: Sequence[bytes]) -> int | None:
    """The width at which the kernel's messages are broken, None where they are not."""
    width = max(map(len, lines), default=0)
    if width == _USUAL_WIDTH - 1:
        width = _USUAL_WIDTH  # the space at the margin is lost
    if not _MIN_WIDTH <= width <= _MAX_WIDTH:
        return None
    breaks = [
        _is_broken(lines, number, width) for number, line in enumerate(lines[:-1]) if _is_full(line, width)
    ]
    enough = 1 if width == _USUAL_WIDTH else _MIN_BREAKS
    broken = sum(breaks)
    return width if broken >= enough and len(breaks) - broken <= broken // 4 else None


def _is_broken(lines: Sequence[bytes], number: int, width: int) -> bool:
    begin = number
    while begin > max(0, number - _MAX_JOINED) and _is_full(lines[begin - 1], width):
        begin -= 1
    follows = lines[number + 1]
    return _is_stamped(lines[begin]) and bool(follows.strip()) and not _is_stamped(follows)


def _is_full(line: bytes, width: int) -> bool:
    return len(line) == width or (len(line) == width - 1 and width == _USUAL_WIDTH)


def _is_stamped(line: bytes) -> bool:
    return STAMP_IN_BYTES.search(line[:_STAMP_CHARS]) is not None


def _joined(block: Block, width: int) -> Block:
    """A block whose broken kernel messages are whole."""
    number_at = block.numbers()
    parts: list[bytes] = []
    marks: list[tuple[int, int]] = []
    size = begin = joined = 0
    open_line = False
    for line in block.text.splitlines(keepends=True):
        text = line.rstrip(b"\n")
        if open_line and text.strip() and not _is_stamped(text):
            before = len(parts[-1])
            parts[-1] = parts[-1][:-1].ljust(width)  # a space at the margin is often lost
            size += len(parts[-1]) - before
            joined += 1
        else:
            marks.append((size, number_at(begin)))
            joined = 0
        open_line = _is_full(text, width) and joined < _MAX_JOINED and (joined > 0 or _is_stamped(text))
        parts.append(line)
        size += len(line)
        begin += len(line)
    return Block(b"".join(parts), tuple(marks), block.whole)
