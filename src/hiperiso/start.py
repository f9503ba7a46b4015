"""The entry of `hiperiso-log`: Ctrl-C while its modules are imported ends it, without a traceback."""

from __future__ import annotations

import os
import signal
import sys

_MEANT = signal.getsignal(signal.SIGINT)
if _MEANT is signal.default_int_handler:  # ignored under nohup, and then it stays so
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def log() -> int:
    """``hiperiso-log``."""
    if sys.stdout is None:  # closed by the caller: the exit code is what is asked for
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the life of the process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    from hiperiso.analysis.cli import main

    signal.signal(signal.SIGINT, _MEANT)
    return main()
