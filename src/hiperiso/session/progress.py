"""From the judge to what whoever watches may know of it: a picture that never changes."""

from __future__ import annotations

from hiperiso.analysis.judge import Judge
from hiperiso.session.request import BootProgress, StageSeen


def progress_of(judge: Judge) -> BootProgress:
    """What whoever watches may know of the judge."""
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
