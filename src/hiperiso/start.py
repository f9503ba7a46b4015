"""The entry of `hiperiso-log`: see bootchain.start."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bootchain.start import run


def log() -> int:
    """``hiperiso-log``. Returns its exit code."""

    def load() -> Callable[[], int]:
        from hiperiso.streams import open_standard_streams

        open_standard_streams()  # closed by the caller: the exit code is what is asked for
        from hiperiso.analysis.cli import main as command

        return command

    return run(load)


if __name__ == "__main__":
    sys.exit(log())
