"""The one door to system tools: argv lists, a clean environment, bytes in and out, failures that can be pasted."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from hiperiso.errors import HarnessFault

SOURCE_DATE_EPOCH = "1700000000"
"""The time that made files carry, so that the same inputs give the same bytes."""

_STDERR_SHOWN = 400
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def run_tool(
    argv: Sequence[str],
    *,
    package: str,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    accept: frozenset[int] = frozenset({0}),
    timeout_s: float = 600.0,
) -> bytes:
    """Run a system tool and return its standard output.

    Raises:
        HarnessFault: it is missing (the hint names `package`), fails with an exit code not in `accept`, or takes
            longer than `timeout_s`.
    """
    program = tool_path(argv[0], package=package)
    clean = {
        "PATH": _search_path(),
        "LC_ALL": "C.UTF-8",
        "HOME": os.environ.get("HOME", "/"),
        "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH,
        "MTOOLS_SKIP_CHECK": "1",
        "MTOOLSRC": "/dev/null",
        **(environment or {}),
    }
    try:
        done = subprocess.run(
            [program, *argv[1:]], input=stdin, capture_output=True, env=clean, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise HarnessFault(f"{shlex.join(argv)} did not end within {timeout_s:.0f} s") from None
    except OSError as error:
        raise HarnessFault(
            f"{program} cannot be run: {error.strerror}", hint=f"apt install {package}"
        ) from None
    if done.returncode not in accept:
        said = (done.stderr.strip() or done.stdout.strip()).decode(errors="replace")[-_STDERR_SHOWN:]
        raise HarnessFault(
            f"{argv[0]} failed ({done.returncode}): {said or 'no message'}",
            hint=f"the command was: {shlex.join(argv)}",
        )
    return done.stdout


def tool_path(name: str, *, package: str) -> str:
    """Where a tool is.

    Raises:
        HarnessFault: it is not installed; the hint names `package`.
    """
    program = shutil.which(name, path=_search_path())
    if program is None:
        raise HarnessFault(f"{name} is not installed", hint=f"apt install {package}")
    return program


def has_tool(name: str) -> bool:
    """Whether a tool can be found."""
    return shutil.which(name, path=_search_path()) is not None


def _search_path() -> str:
    """The tools for file systems are in folders that are not on every user's PATH."""
    return f"{os.environ.get('PATH', '')}:{_SBIN}"
