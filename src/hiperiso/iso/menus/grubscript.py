"""The words of a GRUB script, and its nested blocks. Source: the GRUB manual, "Shell-like scripting"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_NAME: Final = re.compile(r"\{([A-Za-z0-9_?]{1,64})\}|([A-Za-z_][A-Za-z0-9_]{0,63}|[0-9?])")
_BEFORE: Final = frozenset(("then", "else", "elif", "do", "if", "while", "until"))

Part = tuple[str, bool, bool]


@dataclass(frozen=True)
class Word:
    """One word, or a mark between words.

    Attributes:
        parts: text, whether it is a variable name, whether it is quoted.
        mark: ``;``, ``{`` or ``}`` where it is not a word.
    """

    parts: tuple[Part, ...] = ()
    mark: str = ""

    @property
    def plain(self) -> str:
        """The text of a word without variables and quotes, as keywords are written."""
        if len(self.parts) != 1 or self.parts[0][1] or self.parts[0][2]:
            return ""
        return self.parts[0][0]


def split_script(text: str, limit: int) -> list[Word]:
    """Words and marks of a script."""
    found: list[Word] = []
    at = 0
    while at < len(text) and len(found) < limit:
        char = text[at]
        if char in " \t\r":
            at += 1
        elif char == "\\" and text[at + 1 : at + 2] == "\n":
            at += 2
        elif char == "#":
            at = _line_end(text, at)
        elif char in ";\n{}" or text[at : at + 2] in ("||", "&&"):
            found.append(Word(mark=char if char in "{}" else ";"))
            at += 1 if char in ";\n{}" else 2
        else:
            word, at = _word(text, at)
            found.append(word)
    return found


def end_of_command(words: list[Word], at: int) -> int:
    """Where the command that begins here ends."""
    while at < len(words) and not words[at].mark:
        at += 1
    return at


def block_end(words: list[Word], at: int) -> int:
    """The ``}`` that closes the first ``{`` from here on."""
    depth = 0
    while at < len(words):
        depth += {"{": 1, "}": -1}.get(words[at].mark, 0)
        if depth <= 0 and words[at].mark == "}":
            return at
        at += 1
    return len(words)


def matching(words: list[Word], at: int, opening: tuple[str, ...], closing: str) -> int:
    """The end of the block that begins here; keywords count only where a command may begin."""
    depth = 0
    while at < len(words):
        if _begins(words, at):
            depth += words[at].plain in opening
            depth -= words[at].plain == closing
            if depth <= 0:
                return at
        at += 1
    return len(words)


def own_keywords(words: list[Word], at: int, end: int) -> list[tuple[int, str]]:
    """``then``, ``elif`` and ``else`` of one ``if``, not those nested in it."""
    found: list[tuple[int, str]] = []
    depth = 0
    for here in range(at, min(end, len(words))):
        if _begins(words, here):
            keyword = words[here].plain
            depth += keyword == "if"
            depth -= keyword == "fi"
            if depth == 0 and keyword in ("then", "elif", "else"):
                found.append((here, keyword))
    return found


def _begins(words: list[Word], at: int) -> bool:
    return at == 0 or bool(words[at - 1].mark) or words[at - 1].plain in _BEFORE


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _word(text: str, at: int) -> tuple[Word, int]:
    parts: list[Part] = []
    literal: list[str] = []
    quoted = False
    was_quoted = False

    def flush(*, force: bool = False) -> None:
        if literal or force:
            parts.append(("".join(literal), False, was_quoted))
            literal.clear()

    while at < len(text):
        char = text[at]
        if char == "'" and not quoted:
            end = text.find("'", at + 1)
            end = len(text) if end < 0 else end
            flush()
            parts.append((text[at + 1 : end], False, True))
            at = end + 1
        elif char == '"':
            quoted = not quoted
            flush()
            if quoted:
                parts.append(("", False, True))
            was_quoted = quoted
            at += 1
        elif char == "\\" and at + 1 < len(text):
            following = text[at + 1]
            if following != "\n":
                literal.append(following if not quoted or following in '"$\\' else f"\\{following}")
            at += 2
        elif char == "$" and (match := _NAME.match(text, at + 1)):
            flush()
            parts.append((match[1] or match[2], True, quoted))
            at = match.end()
        elif not quoted and char in " \t\r\n;{}":
            break
        else:
            literal.append(char)
            at += 1
    flush()
    return Word(tuple(parts)), at
