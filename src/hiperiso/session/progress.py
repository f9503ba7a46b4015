"""Makes an immutable snapshot of the judge for observers."""

from __future__ import annotations

from hiperiso.analysis.judge import Judge
from hiperiso.session.request import BootProgress, StageSeen


def progress_of(judge: Judge) -> BootProgress:
    """The part of the judge's state that observers get."""
    stages = [
        StageSeen(mark.stage, mark.seconds, mark.evidence.text.partition("\n")[0])
        for mark in judge.attempt.marks
    ]
    return BootProgress(
        boots=judge.progress.boots,
        stages=tuple(stages),
        waiting_for=judge.waiting_for,
        troubles=judge.book.troubles,
    )
