"""The text of configuration files on a medium, within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hiperiso.iso.tree import Tree

MAX_ENTRIES: Final = 500
MAX_LINES: Final = 20_000
_MAX_CONFIG_BYTES: Final = 512 << 10


def text_of(tree: Tree, path: str) -> str:
    """The text of a file; empty where there is none."""
    return tree.read(path, _MAX_CONFIG_BYTES).decode("utf-8", "replace").removeprefix("\ufeff")


def absolute(path: str, folder: str) -> str:
    """An absolute path unchanged, or a relative one below `folder`."""
    return path if path.startswith("/") else f"{folder}/{path}"


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """Keyword, in small letters, and value of each line of two words or more; comments are left out."""
    for line in text.splitlines()[:MAX_LINES]:
        words = line.split(None, 1)
        if len(words) == 2 and not words[0].startswith("#"):
            yield words[0].lower(), words[1].strip()
