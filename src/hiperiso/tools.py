"""Programs that the recorder runs for what it needs: their errors are faults of ours, with the package to install."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final

from hiperiso.errors import HarnessFault
from hiperiso.packages import install_hint

_FURTHER_PLACES: Final = ("/usr/sbin", "/sbin")


def run_tool(
    argv: Sequence[str], *, package: str, timeout_s: float, environment: Mapping[str, str] | None = None
) -> None:
    """Run a program to its end; `package` is where it comes from.

    Raises:
        HarnessFault: it is not installed, fails (the text is its own) or takes too long.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_FURTHER_PLACES])
    tool = shutil.which(argv[0], path=path)
    if tool is None:
        raise HarnessFault(f"{argv[0]} is not installed", hint=install_hint(package))
    try:
        done = subprocess.run(
            [tool, *argv[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            env={**os.environ, **(environment or {})},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise HarnessFault(f"{argv[0]} did not end within {timeout_s:g} s") from None
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise HarnessFault(f"{argv[0]} failed: {words[-1] if words else done.returncode}")
