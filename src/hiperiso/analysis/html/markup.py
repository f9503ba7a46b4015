"""Markup that cannot carry anything but what it was built from: every text is escaped where it enters.

`tag` is the only way to make an element. Children that are `Markup` stay as they are, everything else is text. Tag and
attribute names come from this program and never from a recording.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any, Final

from hiperiso.text import made_visible

_VOID: Final = frozenset({"img", "meta", "input", "br"})
_SHAPES: Final = frozenset({"path", "rect", "line", "circle"})
"""Of SVG: empty too, but there the parser needs an explicit end."""

Child = str | int | float | None | Iterable[Any]


class Markup(str):
    """A string that is markup already."""

    __slots__ = ()


def text(value: object) -> Markup:
    """`value` as text: escaped, characters that hide, reorder or control text replaced by U+FFFD."""
    return Markup(escape(made_visible(str(value)), quote=True))


def weight(value: str) -> int:
    """How many bytes `value` takes on the page, within a few: for budgets."""
    size = len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
    return size + 4 * (
        value.count("&") + value.count("<") + value.count(">") + value.count('"') + value.count("'")
    )


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """An element.

    Attributes: a trailing underscore of a name is dropped, other underscores become dashes; None and False leave the
    attribute out, True gives it no value.
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        parts.append(f" {attribute}" if value is True else f' {attribute}="{text(value)}"')
    parts.append("/>" if name in _SHAPES else ">")
    if name not in _VOID | _SHAPES:
        parts.append(join(children))
        parts.append(f"</{name}>")
    elif children:
        raise ValueError(f"<{name}> must be empty")
    return Markup("".join(parts))


def join(children: Iterable[Child]) -> Markup:
    """Children in a row: markup as it is, sequences one after the other, None as nothing, all else as text."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, Markup):
            parts.append(child)
        elif child is None:
            continue
        elif isinstance(child, str | int | float):
            parts.append(text(child))
        else:
            parts.append(join(child))
    return Markup("".join(parts))
