"""Runs all other programs: argv lists, a clean environment, no standard input, failed commands that can be pasted.

=============== ======================================= ==========================================
`run_tool`      to its end                              returns its standard output as bytes
`run_text`      to its end                              returns its standard output as text
`try_tool`      to its end, ignoring failure            returns exit code and output, or None
`run_attached`  to its end, sharing our output          returns its exit code
`running_tool`  during the block                        yields the process, to read its output
=============== ======================================= ==========================================
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from hiperiso.errors import HarnessFault
from hiperiso.packages import install_hint

SOURCE_DATE_EPOCH: Final = "1700000000"
"""The time stamp of generated files, so that the same inputs give the same bytes."""

TIMEOUT_S: Final = 600.0
_STDERR_SHOWN: Final = 400
_SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"

Process = subprocess.Popen[bytes]
PIPE: Final = subprocess.PIPE
DISCARD: Final = subprocess.DEVNULL
WITH_OUTPUT: Final = subprocess.STDOUT
"""Standard error is merged into standard output."""


@dataclass(frozen=True)
class Ended:
    """The result of a program. A negative exit code is the signal that ended it."""

    exit_code: int
    output: bytes
    errors: bytes

    @property
    def last_output(self) -> str:
        """The end of what it printed, errors first."""
        return (self.errors.strip() or self.output.strip()).decode(errors="replace")[-_STDERR_SHOWN:]


class ToolTimeout(HarnessFault):
    """A program did not end in its time."""


def run_tool(
    argv: Sequence[str],
    *,
    package: str,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    accept: frozenset[int] = frozenset({0}),
    timeout_s: float | None = TIMEOUT_S,
    cwd: Path | None = None,
) -> bytes:
    """Run a system tool and return its standard output.

    Raises:
        HarnessFault: it is missing (the hint names `package`), fails with an exit code not in `accept`, or takes
            longer than `timeout_s`.
    """
    program = tool_path(argv[0], package=package)
    try:
        done = subprocess.run(
            [program, *argv[1:]],
            input=stdin,
            capture_output=True,
            env=clean_environment(environment),
            timeout=timeout_s,
            cwd=cwd,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise HarnessFault(f"{shlex.join(argv)} did not end within {timeout_s:.0f} s") from None
    except OSError as error:
        raise HarnessFault(f"{program} cannot be run: {error.strerror}", hint=install_hint(package)) from None
    ended = Ended(done.returncode, done.stdout, done.stderr)
    if ended.exit_code not in accept:
        raise HarnessFault(
            f"{argv[0]} failed ({ended.exit_code}): {ended.last_output or 'no message'}",
            hint=f"the command was: {shlex.join(argv)}",
        )
    return ended.output


def run_text(
    argv: Sequence[str], *, package: str, cwd: Path | None = None, timeout_s: float = TIMEOUT_S
) -> str:
    """Like `run_tool`, for tools that print text."""
    return run_tool(argv, package=package, cwd=cwd, timeout_s=timeout_s).decode(errors="replace")


def try_tool(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Ended | None:
    """Run a program that may be missing or fail; None when it could not be run or did not end in time."""
    try:
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            env=clean_environment(environment),
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Ended(done.returncode, done.stdout, done.stderr)


def run_attached(
    argv: Sequence[str],
    *,
    package: str,
    output: IO[bytes] | IO[str] | int | None = None,
    errors: IO[bytes] | int | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_s: float | None = TIMEOUT_S,
    cwd: Path | None = None,
) -> int:
    """Run a program whose output goes to our own, or to the files given; returns its exit code.

    Raises:
        ToolTimeout: it takes longer than `timeout_s`.
        HarnessFault: it is missing or cannot be run.
    """
    program = tool_path(argv[0], package=package)
    try:
        return subprocess.run(
            [program, *argv[1:]],
            stdin=DISCARD,
            stdout=output,
            stderr=errors,
            env=clean_environment(environment),
            timeout=timeout_s,
            cwd=cwd,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        raise ToolTimeout(f"{argv[0]} did not end within {timeout_s:.0f} s") from None
    except OSError as error:
        raise HarnessFault(f"{program} cannot be run: {error.strerror}", hint=install_hint(package)) from None


@contextmanager
def running_tool(
    argv: Sequence[str],
    *,
    package: str,
    stdin: int = DISCARD,
    errors: int = DISCARD,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[Process]:
    """A running program for the block, with a pipe as standard output; the caller reads it and checks the exit code.

    Raises:
        HarnessFault: it is missing or cannot be run.
    """
    program = tool_path(argv[0], package=package)
    try:
        process = subprocess.Popen(
            [program, *argv[1:]],
            stdin=stdin,
            stdout=PIPE,
            stderr=errors,
            env=clean_environment(environment),
            cwd=cwd,
            pass_fds=pass_fds,
        )
    except OSError as error:
        raise HarnessFault(f"{program} cannot be run: {error.strerror}", hint=install_hint(package)) from None
    with process:
        yield process


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every tool: nothing that makes its output depend on user or locale."""
    return {
        "PATH": _search_path(),
        "LC_ALL": "C.UTF-8",
        "HOME": os.environ.get("HOME", "/"),
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH,
        "MTOOLS_SKIP_CHECK": "1",
        "MTOOLSRC": "/dev/null",
        **(more or {}),
    }


_KEPT: Final = (
    *("TMPDIR", "XDG_CACHE_HOME", "HIPERISO_QEMU"),
    *("http_proxy", "https_proxy", "no_proxy", "ftp_proxy", "APT_CONFIG"),
)
"""Variables for locations, not for presentation."""


def tool_path(name: str, *, package: str) -> str:
    """The path of a tool.

    Raises:
        HarnessFault: it is not installed; the hint names `package`.
    """
    program = shutil.which(name, path=_search_path())
    if program is None:
        raise HarnessFault(f"{name} is not installed", hint=install_hint(package))
    return program


def has_tool(name: str) -> bool:
    """Whether a tool can be found."""
    return shutil.which(name, path=_search_path()) is not None


def _search_path() -> str:
    """File system tools are in directories that are not on every user's PATH."""
    return f"{os.environ.get('PATH', '')}:{_SBIN}"
