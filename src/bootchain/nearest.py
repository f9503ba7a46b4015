"""The name that a misspelt one is nearest to; pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, names: Iterable[str]) -> str:
    """The name with the fewest changed, missing, extra or swapped letters, ``""`` when none is near.

    Near is one change in three letters; case alone counts half as much.
    """
    limit = max(1.0, len(word) / 3)
    found = min(((_distance(word, name), name) for name in names), default=(limit + 1, ""))
    return found[1] if found[0] <= limit else ""


def hint(word: str, names: Iterable[str]) -> str:
    """What stands behind an error about a name that is not there; ``""`` when there is nothing to suggest."""
    there = sorted(names)
    if not there:
        return "; it is empty"
    shown = ", ".join(there[:8]) + (", ..." if len(there) > 8 else "")
    near = nearest(word, there)
    return f"; there: {shown}" + (f"; nearest: {near}" if near else "")


def _distance(one: str, other: str) -> float:
    """The distance of Levenshtein, where two letters that changed places count once."""
    before: list[float] = []
    row = [float(n) for n in range(len(other) + 1)]
    for i, a in enumerate(one, 1):
        below = [float(i)]
        for j, b in enumerate(other, 1):
            cost = 0.0 if a == b else 0.5 if a.lower() == b.lower() else 1.0
            least = min(row[j] + 1, below[j - 1] + 1, row[j - 1] + cost)
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                least = min(least, before[j - 2] + 1)
            below.append(least)
        before, row = row, below
    return row[-1]
