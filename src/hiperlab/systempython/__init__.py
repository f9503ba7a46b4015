"""Programs for the system's own Python, which is copied into initramfs images: started by path, never imported.

Each takes one argument, a JSON object, and prints one JSON value. They may only import the standard library.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from hiperlab.run import run_text

INTERPRETER: Final = Path("/usr/bin/python3")


def run_program(name: str, order: dict[str, Any]) -> Any:
    """Run the program `name` of this directory; returns its output.

    Raises:
        HarnessFault: the system has no Python, or the program failed.
    """
    program = Path(__file__).with_name(f"{name}.py")
    argv = [str(INTERPRETER), "-I", "-S", "-X", "no_debug_ranges", str(program), json.dumps(order)]
    return json.loads(run_text(argv, package="python3"))
