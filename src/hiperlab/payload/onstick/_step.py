"""The chain's step ``hiperiso``: the recorder, with as little as possible done before it starts."""

# ruff: noqa: E402
# (The order is the purpose of this file.)

import gc
import os
import sys

gc.disable()  # imported modules are not garbage

sys.path.insert(0, "/usr/lib/bootchain")
sys.path.insert(0, "/usr/lib/hiperiso")
os.environ["PYTHONPATH"] = ":".join(sys.path[:2])  # for the analysis, a separate process
import prepared  # type: ignore[import-not-found]  # noqa: F401 - before anything that defines classes

from hiperiso.stick.step import main

gc.freeze()
gc.enable()
sys.exit(main())
