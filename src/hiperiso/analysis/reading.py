"""Interprets text read from a picture by OCR: a few coarse phrases, found in spite of wrong letters.

OCR mistakes letters for others that look alike, drops some, and runs words together. So a row is compared with each
phrase letter by letter, without spaces and with look-alikes taken as one; one wrong letter in six is forgiven.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import cache
from typing import Final

from hiperiso.analysis.signature import Catalogue, Hit, On
from hiperiso.analysis.signatures.pictures import SIGNATURES

_LOOK_ALIKE: Final = str.maketrans("01|!l5$8@", "oiiiissba")
_MIN_ALIKE: Final = 5 / 6
_MAX_ROW_CHARS: Final = 400


class PictureWords:
    """Finds the phrases of `signatures.pictures` in what was read."""

    def __init__(self) -> None:
        self._catalogue = _catalogue()
        self._phrases = [(literal, _letters(literal)) for row in SIGNATURES for literal in row.literals]

    def hits(self, row: str) -> Iterator[Hit]:
        """Yield what one row means."""
        read = _letters(row[:_MAX_ROW_CHARS])
        for phrase, letters in self._phrases:
            if _holds(read, letters):
                yield from self._catalogue.hits(phrase, On.SCREEN, prompt=False)


@cache
def _catalogue() -> Catalogue:
    return Catalogue(SIGNATURES)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower().translate(_LOOK_ALIKE)))


def _holds(read: str, phrase: str) -> bool:
    """Whether some piece of `read` is as good as `phrase`."""
    if phrase in read:
        return True
    need = _MIN_ALIKE * len(phrase)
    if len(phrase) < 8 or len(read) < need:
        return False  # short words are too much alike
    matcher = SequenceMatcher(None, b=phrase, autojunk=False)
    step = max(1, len(phrase) // 4)
    for start in range(0, max(1, len(read) - len(phrase) + step), step):
        matcher.set_seq1(read[start : start + len(phrase) + step])
        if matcher.quick_ratio() * (2 * len(phrase) + step) / 2 < need:
            continue
        alike = [block for block in matcher.get_matching_blocks() if block.size > 1]
        if sum(block.size for block in alike) < need:
            continue
        if alike[-1].a + alike[-1].size - alike[0].a <= len(phrase) * 7 / 6:  # no other words in between
            return True
    return False
