"""Words that an option takes: one of a list, or the nearest one is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from bootchain.nearest import nearest
from hiperiso.errors import UsageError

W = TypeVar("W", bound=str)


def completed(*words: str) -> Callable[[str], list[str]]:
    """The words that a shell offers for what was begun."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def one_of(words: Iterable[W], text: str, *, option: str) -> W:
    """The word that `text` is.

    Raises:
        UsageError: it is none of them; the hint lists them.
    """
    known = list(words)
    for word in known:
        if word == text:
            return word
    near = nearest(text[:64], known)
    meant = f"; did you mean {near}?" if near else ""
    raise UsageError(f"{option}: {text!r} is not known{meant}", hint=f"known: {', '.join(known)}")
