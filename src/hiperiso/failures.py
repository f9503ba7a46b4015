"""Errors as a person reads them; what failed of several things that a command does one after another."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from hiperiso.errors import HiperisoError

_MAX_ENDS: Final = 1000


def error_text(error: HiperisoError) -> str:
    """The lines for standard error. File names may contain control sequences: they are masked."""
    from hiperiso.text import masked

    text = f"hiperiso: {cut(error.message)}" + (f"\n  hint: {cut(error.hint)}" if error.hint else "")
    return masked(text, keep="\n")


def cut(text: str) -> str:
    """The beginning and the end: the reason of an error is often there."""
    left_out = len(text) - 2 * _MAX_ENDS
    return f"{text[:_MAX_ENDS]} [{left_out} characters] {text[-_MAX_ENDS:]}" if left_out > 0 else text


def print_error(error: HiperisoError) -> None:
    """Print it to standard error."""
    print(error_text(error), file=sys.stderr)


class Failures:
    """Collects the errors of single things; the others are done all the same.

    Args:
        show: what is done with each error at once.
    """

    def __init__(self, show: Callable[[HiperisoError], object] = print_error) -> None:
        self._show = show
        self._found: list[tuple[str, HiperisoError]] = []

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Do the work for one thing in this block: an error there is shown, and kept."""
        try:
            yield
        except HiperisoError as error:
            if os.environ.get("HIPERISO_DEBUG"):
                raise
            self._found.append((name, error))
            self._show(error)

    def rows(self, key: str) -> list[dict[str, Any]]:
        """For JSON: each thing under `key`, its error, the hint, and the exit code that it alone would have."""
        return [
            {key: name, "error": error.message, "hint": error.hint, "exit_code": int(error.exit_code)}
            for name, error in self._found
        ]

    @property
    def exit_code(self) -> int:
        """That of the worst error; 0 if there was none."""
        return max((int(error.exit_code) for _, error in self._found), default=0)
