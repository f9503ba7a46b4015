"""Runs a program that gets a signal when its parent ends: for machines without a setpriv that can do so.

`hiperiso.session.child` starts it in a process of its own, with the path of modules that it has itself: on a stick
there are no files of source.
Source: prctl(2), PR_SET_PDEATHSIG.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main(words: Sequence[str]) -> None:
    """Become the program; end with 1 where the parent had ended before the signal was asked for."""
    number, parent, *argv = words
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number))
    if os.getppid() != int(parent):
        os._exit(1)
    os.execvp(argv[0], argv)  # noqa: S606 - the program of an argument list, never a shell
