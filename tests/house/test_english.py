"""Plain technical English: words that read oddly in a program stay out of source, scripts and documentation."""

from __future__ import annotations

import re
from typing import Final

from .repo import ROOT, files

ROOTS: Final = ("src", "tests", "docs", "scripts", "benchmarks", "examples", "README.md", "CONTRIBUTING.md")

INSTEAD: Final = {
    r"\b_?(?:told|tell|tells|telling)(?:_\w+)?\b": "report, log, emit, list, show",
    r"\b_?(?:hear|hears|heard)(?:_\w+)?\b": "on_event, handle, receive, read",
    r"\b(?:nobody|somebody|whoever)\b": "name the caller, the user or the program; or use the passive",
    r"(?<!there )\bis no (?:directory|folder|file|stick|program|device|ISO|login|success|failure)\b": "is not a",
    r"\bbehind the end\b": "past the end",
    r"\bso often\b": "how often, poll interval",
    r"\bfor ever\b": "forever, in a loop, without a limit",
    r"\btime-out\b": "timeout",
    r"\blooked at\b": "examined, read, polled",
    r"\bin vain\b": "fails, without a result",
}
"""Pattern -> what to write."""

ALLOWED: Final = {
    "told_by": "a key of a stored format (events.jsonl)",
    ".tell()": "a method of Python's files",
    "nobody cares": "printed by GRUB",
    "nobody cared": "printed by the kernel",
}
"""Text that is removed before the search -> why it is allowed."""


def odd_words(text: str) -> list[str]:
    """What of the patterns a text contains."""
    for allowed in ALLOWED:
        text = text.replace(allowed, "")
    return [match[0] for pattern in INSTEAD for match in re.finditer(pattern, text)]


def test_the_text_is_plain_technical_english() -> None:
    found = []
    for path in files():
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(ROOTS) or path.suffix not in SUFFIXES or name == "tests/house/test_english.py":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            found += [f"{name}:{number}: {words!r}" for words in odd_words(line)]
    assert not found, "\n".join([*found, "write instead:", *(f"  {p}: {i}" for p, i in INSTEAD.items())])


SUFFIXES: Final = (".py", ".sh", ".md", ".c")


def test_the_patterns_find_what_they_are_for() -> None:
    for text in (
        "def _told_reading(): ...",
        "the judge hears it",
        "x is no folder",
        "read behind the end",
        "so often the flags are looked at",
        "nobody waits",
    ):
        assert odd_words(text), text
    assert not odd_words("data.told_by is reported; the file is not a directory")
