"""Bounds of processor time that hold on any machine: where one is missed, the machine is measured, too."""

from __future__ import annotations

import time

REFERENCE_S = 0.02
"""What `_reference` takes on a machine for which the bounds of the tests are written."""
BESIDE_OTHERS = 3.0
"""How much more a piece of work may cost while others use the same caches."""


def assert_cheap(spent_s: float, bound_s: float) -> None:
    """`spent_s` of processor time is below the bound, or below what the bound is on this machine, at this moment."""
    if spent_s >= bound_s:
        here_s = bound_s * BESIDE_OTHERS * max(1.0, min(_reference() for _ in range(5)) / REFERENCE_S)
        assert spent_s < here_s, (
            f"{spent_s:.3f} s of processor time; the bound is {bound_s:g} s, {here_s:.3f} s here"
        )


def _reference() -> float:
    began_s = time.thread_time()
    for _ in range(1_000_000):
        pass
    return time.thread_time() - began_s
