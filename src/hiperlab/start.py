"""The entry of the programs: Ctrl-C while their modules are imported ends them, without a traceback."""

from __future__ import annotations

import signal

_MEANT = signal.getsignal(signal.SIGINT)
if _MEANT is signal.default_int_handler:  # ignored under nohup, and then it stays so
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    """``hiperiso``."""
    from hiperlab.cli.main import main as run

    signal.signal(signal.SIGINT, _MEANT)
    run()
