"""Makes an immutable snapshot of the judge for observers."""

from __future__ import annotations

import re
from typing import Final

from hiperiso.analysis.judge import Judge
from hiperiso.session.request import BootProgress, StageSeen

_DRAWN: Final = re.compile(r"\s*[\u2500-\u259f][\u2500-\u259f\s]*")
"""The frames of dialogs: Unicode's box drawing and block elements."""


def progress_of(judge: Judge) -> BootProgress:
    """The part of the judge's state that observers get."""
    stages = [
        StageSeen(mark.stage, mark.seconds, sign_of(mark.evidence.text)) for mark in judge.attempt.marks
    ]
    return BootProgress(
        boots=judge.progress.boots,
        stages=tuple(stages),
        waiting_for=judge.waiting_for,
        troubles=judge.book.troubles,
    )


def sign_of(text: str) -> str:
    """The first line of a text that has words, without the frame around them."""
    words = (_DRAWN.sub(" ", line).strip() for line in text.split("\n"))
    return next((line for line in words if any(map(str.isalnum, line))), text.partition("\n")[0])
