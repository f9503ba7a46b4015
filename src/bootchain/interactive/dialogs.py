"""The dialogs as values: what is asked, without how. Plain classes: the import has to be cheap.

Every text may come from a medium: :func:`clean` takes out what could act on a terminal.
"""

from __future__ import annotations

from bootchain.printable import masked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OK, CANCEL, ERROR = 0, 1, 2
"""Exit codes: answered, the way back (or interrupted), not possible."""


class Answer:
    """How a dialog ended: ``code`` is OK, CANCEL or ERROR; ``text`` what was entered, or why it was not possible."""

    __slots__ = ("code", "text")

    def __init__(self, code: int, text: str = "") -> None:
        self.code = code
        self.text = text

    def __repr__(self) -> str:
        return f"Answer({self.code}, {self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Answer) and (self.code, self.text) == (other.code, other.text)

    def __hash__(self) -> int:
        return hash((self.code, self.text))


class Choice:
    """One of several. The answer is its tag.

    ``timeout_s`` above 0: without a key in that time, ``default`` is the answer.
    """

    def __init__(
        self,
        text: str,
        items: Sequence[tuple[str, str]],
        *,
        title: str = "",
        default: str = "",
        timeout_s: float = 0,
        back: str = "Back",
    ) -> None:
        if not items:
            raise ValueError("a choice needs something to choose from")
        self.text = text
        self.items = list(items)
        self.title = title
        self.timeout_s = timeout_s
        self.back = back
        tags = [tag for tag, _ in items]
        self.default = tags.index(default) if default in tags else 0


class Field:
    """One field of a form; a secret one is not shown."""

    __slots__ = ("label", "name", "secret", "value")

    def __init__(self, name: str, label: str, value: str = "", *, secret: bool = False) -> None:
        self.name = name
        self.label = label
        self.value = value
        self.secret = secret


class Form:
    """Several values. The answer is ``NAME=VALUE``, one a line, in the order of the fields."""

    def __init__(self, text: str, fields: Sequence[Field], *, title: str = "", back: str = "Back") -> None:
        if not fields:
            raise ValueError("a form needs fields")
        self.text = text
        self.fields = list(fields)
        self.title = title
        self.back = back


class Message:
    """Something to read; with ``question``, to agree to (OK) or not (CANCEL)."""

    def __init__(self, text: str, *, title: str = "", question: bool = False, back: str = "Back") -> None:
        self.text = text
        self.title = title
        self.question = question
        self.back = back


class Gauge:
    """Progress: ``source`` is a descriptor with lines ``PERCENT [TEXT]``; it ends with the last one."""

    def __init__(self, text: str, source: int, *, title: str = "") -> None:
        self.text = text
        self.source = source
        self.title = title


class Wait:
    """Waiting: for ``command`` to end, or (a countdown) for ``timeout_s`` to pass.

    A key ends a countdown with CANCEL; the way back ends a command with CANCEL, as does ``timeout_s``; a command that
    fails is ERROR.
    """

    def __init__(
        self, text: str, *, timeout_s: float = 0, command: Sequence[str] = (), title: str = ""
    ) -> None:
        if not command and timeout_s <= 0:
            raise ValueError("nothing to wait for: neither a command nor a time")
        self.text = text
        self.timeout_s = timeout_s
        self.command = list(command)
        self.title = title


Dialog = Choice | Form | Message | Gauge | Wait


def clean(text: str) -> str:
    """The text without control and other unprintable characters; tabs become spaces, newlines stay."""
    return masked(text, " ", keep="\n")


def wrap(text: str, width: int) -> list[str]:
    """Break cleaned text into lines of at most ``width`` characters, between words where possible."""
    lines = []
    for paragraph in clean(text).split("\n"):
        line = ""
        for word in _pieces(paragraph.split(" "), max(1, width)):
            joined = f"{line} {word}" if line else word
            if line and len(joined) > width:
                lines.append(line)
                line = word
            else:
                line = joined
        lines.append(line)
    return lines


def parse_progress(line: str) -> tuple[int, str] | None:
    """One line of a gauge: percent (0 to 100) and text; None for any other line."""
    number, _, text = line.strip().partition(" ")
    digits = number.removesuffix("%").partition(".")[0]
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 9:
        return None
    return min(100, int(digits)), text.strip()


def _pieces(words: Iterable[str], width: int) -> Iterable[str]:
    for word in words:
        if not word:
            continue
        for start in range(0, len(word), width):
            yield word[start : start + width]
