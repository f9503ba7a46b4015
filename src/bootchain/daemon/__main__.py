"""``python -m bootchain.daemon``; also ``python -I -S .../bootchain/daemon/__main__.py``, which starts faster."""

# ruff: noqa: PTH100, PTH120
# (pathlib and contextlib cost more CPU at the start than the whole daemon.)

import os
import sys

if not __package__:
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from bootchain.daemon.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
