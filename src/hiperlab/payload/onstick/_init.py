#!/usr/bin/python3 -IS
"""``/init`` of a stick: bootchain as PID 1, its modules from the bundle."""

import sys

sys.path.insert(0, "/usr/lib/hiperiso")
import bundle  # type: ignore[import-not-found]  # noqa: F401 - from here on modules are found in it

sys.path.pop(0)
sys.path.insert(0, "/usr/lib/bootchain")
from bootchain.init.main import main

sys.exit(main(sys.argv[1:]))
