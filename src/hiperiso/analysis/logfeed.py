"""Feeds a judge with whole blocks of a log: the same result as an event for each line, many times as fast."""

from __future__ import annotations

from functools import partial
from typing import BinaryIO, Final

from hiperiso.analysis.blockwalk import BlockWalk
from hiperiso.analysis.judge import Judge
from hiperiso.analysis.lastwords import QUOTED_LINES
from hiperiso.analysis.lines import last_stamp
from hiperiso.analysis.repeats import Repeats, masked
from hiperiso.analysis.signature import On
from hiperiso.contract.eventdata import LineData
from hiperiso.contract.events import SerialLine
from hiperiso.contract.words import LineForm, Source
from hiperiso.textblocks import Block, clean_blocks

_PART_BYTES: Final = 1 << 13  # the relevant rules are selected again for each part
_TAIL_BYTES: Final = 1 << 15


def feed_file(judge: Judge, name: str, file: BinaryIO) -> None:
    """Take an open log, whole.

    Args:
        judge: who judges it.
        name: the file, for the evidence.
        file: the log as it was recorded.

    Raises:
        OSError: it cannot be read.
    """
    repeats = Repeats(judge)
    for block in clean_blocks(file):
        feed_block(judge, name, block, repeats)


def feed_block(judge: Judge, name: str, block: Block, repeats: Repeats) -> None:
    """Take cleaned lines of a log; ``repeats`` is what this log has said again so far."""
    if not block.text.strip():
        return
    judge.show_sign_of_life(Source.SERIAL, 0.0)
    begin, number = 0, block.line
    while begin < len(block.text):
        end = block.text.find(b"\n", begin + _PART_BYTES) + 1 or len(block.text)
        part = block.text[begin:end]
        _feed_part(judge, name, part, number, block, repeats=repeats)
        if not block.one_line:
            number += part.count(b"\n")
        begin = end
    tail = block.text[-_TAIL_BYTES:].decode("utf-8", "replace").split("\n")
    judge.last_words.take_serial(tail[-2 * QUOTED_LINES :])


def _feed_part(judge: Judge, name: str, text: bytes, number: int, block: Block, *, repeats: Repeats) -> None:
    """Take some lines; the unfinished last one of a log is never skipped."""
    like = masked(text) if block.whole else b""
    known = repeats.skip(like, 0)
    if known == len(text):
        _catch_up(judge, text)
        return
    walk = BlockWalk(text, judge.attention.anchors(judge.attempt, judge.recognised))
    walk.at = known
    boots, seen = judge.progress.boots, 0
    while line := walk.advance(every=judge.wants_next, stamps=judge.wants_stamp):
        begin, end = line
        if (known := repeats.skip(like, begin)) > begin:
            walk.at = known
            continue
        words = text[begin:end].decode("utf-8", "replace").rstrip()
        if not judge.matters(words):
            continue
        if not block.one_line:
            number += text.count(b"\n", seen, begin)
        _catch_up(judge, text[seen:begin])
        judge_line = partial(_take_line, judge, name, number, words, block)
        repeats.take(like[begin:end], words, judge_line)
        seen = begin
        if judge.progress.boots != boots:  # rules that were spent count again
            boots = judge.progress.boots
            walk.look_for(judge.attention.everything)
    _catch_up(judge, text[seen:])


def _take_line(judge: Judge, name: str, number: int, text: str, block: Block) -> None:
    data = LineData(file=name, line=number)
    for form in (LineForm.LINE,) if block.whole else (LineForm.PARTIAL, LineForm.LINE):
        event = SerialLine(n=number - 1, t=0.0, form=form, text=text, data=data)
        judge.on_text(event, text, On.ANY, prompt=event.partial)


def _catch_up(judge: Judge, skipped: bytes) -> None:
    """Take over the last time stamp of lines that say nothing else."""
    end = len(skipped)
    while (at := skipped.rfind(b"[", 0, end)) >= 0:
        end = skipped.rfind(b"\n", 0, at) + 1
        stop = skipped.find(b"\n", at)
        line = skipped[end : stop if stop >= 0 else len(skipped)].decode("utf-8", "replace")
        if (kernel_s := last_stamp(line)) is not None:
            judge.last_kernel_s = kernel_s
            return
