"""The entry of `hiperiso-log`: Ctrl-C while its modules are imported ends it, without a traceback."""

from __future__ import annotations

import signal

_MEANT = signal.getsignal(signal.SIGINT)
if _MEANT is signal.default_int_handler:  # ignored under nohup, and then it stays so
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def log() -> int:
    """``hiperiso-log``."""
    from hiperiso.streams import open_standard_streams

    open_standard_streams()  # closed by the caller: the exit code is what is asked for
    from hiperiso.analysis.cli import main

    signal.signal(signal.SIGINT, _MEANT)
    return main()
