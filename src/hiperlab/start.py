"""The entry of `hiperiso`: see bootchain.start."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bootchain.start import run


def main() -> int:
    """``hiperiso``. Returns its exit code."""

    def load() -> Callable[[], None]:
        from hiperlab.cli.main import main as command

        return command

    return run(load)


if __name__ == "__main__":
    sys.exit(main())
