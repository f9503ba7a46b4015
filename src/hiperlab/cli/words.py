"""Words that an option takes: one of a list, or the nearest one is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TypeVar

from bootchain.nearest import nearest
from hiperiso.errors import UsageError

W = TypeVar("W", bound=str)


def completed(module: str, name: str) -> Callable[[str], list[str]]:
    """The words that a shell offers for what was begun: those of `name` in a module, imported when a shell asks."""

    def offered(incomplete: str) -> list[str]:
        words: Iterable[str] = getattr(import_module(module), name)
        return [str(word) for word in words if word.startswith(incomplete)]

    return offered


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
