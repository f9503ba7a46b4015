"""Feeds a judge with whole blocks of a log: the same result as an event for each line, many times as fast."""

from __future__ import annotations

from functools import partial
from typing import BinaryIO, Final

from hiperiso.analysis.alike import form_of
from hiperiso.analysis.attention import Sight
from hiperiso.analysis.blockwalk import BlockWalk
from hiperiso.analysis.judge import Judge
from hiperiso.analysis.knownlines import KnownLines
from hiperiso.analysis.lastwords import QUOTED_LINES
from hiperiso.analysis.lines import last_stamp_before
from hiperiso.analysis.logshape import LogShape
from hiperiso.analysis.repeats import Repeats
from hiperiso.analysis.signature import On, Row
from hiperiso.contract.eventdata import LineData
from hiperiso.contract.events import SerialLine
from hiperiso.contract.words import LineForm, Source
from hiperiso.textblocks import Block, clean_blocks

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
    feed = LogFeed(judge, name)
    for block in clean_blocks(file):
        feed.take(block)


class LogFeed:
    """Takes the cleaned lines of one log."""

    def __init__(self, judge: Judge, name: str) -> None:
        self._judge = judge
        self._name = name
        self._known = KnownLines(judge.attention)
        self._repeats = Repeats(judge)
        self._shape = LogShape(judge.attention)

    def take(self, block: Block) -> None:
        """Take some lines; the unfinished last one of a log is never skipped."""
        block = self._shape.shape(block)
        judge, text = self._judge, block.text
        if not text.strip():
            return
        judge.show_sign_of_life(Source.SERIAL, 0.0)
        forms = form_of(text)
        walk = BlockWalk(text, forms, self._known.with_literals(forms))
        number_at = block.numbers()
        seen = 0
        while True:
            every, stamps = judge.wants_next, judge.wants_stamp
            spent = judge.attention.spent(judge.attempt, judge.recognised)
            line = self._next_line(walk, block, forms, spent=spent, every=every, stamps=stamps)
            if line is None:
                break
            begin, end, sight = line
            rows = [row for row in sight.rows if row.number not in spent]
            self._catch_up(text, seen, begin)
            seen = begin
            words = text[begin:end].decode("utf-8", "replace").rstrip()
            take = partial(self._take_line, words, number_at(begin), rows, whole=block.whole)
            self._repeats.take(forms[begin:end], words, sight, take)
        self._catch_up(text, seen, len(text))
        tail = text[-_TAIL_BYTES:].decode("utf-8", "replace").split("\n")
        judge.last_words.take_serial(tail[-2 * QUOTED_LINES :])

    def _next_line(
        self, walk: BlockWalk, block: Block, forms: bytes, *, spent: frozenset[int], every: bool, stamps: bool
    ) -> tuple[int, int, Sight] | None:
        """The next line that is to be judged; those that say again what is known are counted on the way."""
        known, text = self._known, block.text
        while line := walk.advance(every=every, stamps=stamps, dull=known.dull(spent)):
            begin, end = line
            if block.whole and (after := self._repeats.skip(forms, text, begin)) > begin:
                walk.at = after
                continue
            form = forms[begin:end]
            sight = known.sight(form, text[begin:end])
            if every or sight.watched or any(row.number not in spent for row in sight.rows):
                return begin, end, sight
            if stamps and b"[" in form:
                return begin, end, sight
            if not sight.by_digits and not stamps:
                known.note_dull(form, spent)
        return None

    def _take_line(self, text: str, number: int, rows: list[Row], *, whole: bool) -> None:
        data = LineData(file=self._name, line=number)
        for form in (LineForm.LINE,) if whole else (LineForm.PARTIAL, LineForm.LINE):
            event = SerialLine(n=number - 1, t=0.0, form=form, text=text, data=data)
            self._judge.on_text(event, text, On.ANY, prompt=event.partial, rows=rows if whole else None)

    def _catch_up(self, text: bytes, begin: int, end: int) -> None:
        """Take over the last time stamp of lines that say nothing else."""
        if (kernel_s := last_stamp_before(text, begin, end)) is not None:
            self._judge.last_kernel_s = kernel_s
