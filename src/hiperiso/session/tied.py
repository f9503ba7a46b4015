"""Runs a program that gets a signal when its parent ends: for machines without a setpriv that can do so.

Run by its path, ``python -I -S tied.py SIGNAL PARENT PROGRAM [ARGUMENT...]``, so that nothing else is loaded.
Source: prctl(2), PR_SET_PDEATHSIG.
"""

from __future__ import annotations

import ctypes
import os
import sys
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


if __name__ == "__main__":
    main(sys.argv[1:])
