"""The minimum amount with which a boot succeeds: bisection over a grid. Pure.

::

    search = Search(low=1, high=64)           # numbers of steps
    while (n := search.next) is not None:
        search = search.after(n, succeeded=...)
    search.least                              # a number that succeeded twice, or None

The upper end is tried first: if that fails, there is no minimum. The number found is tried a second time; one that then
fails was random, and the search continues above it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

MAX_TRIES: Final = 24
"""A guest with random results must not block the search."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search in progress; it never changes, `after` returns the next one.

    Attributes:
        low: the least number of steps that may be tried.
        high: the greatest.
        failed: the greatest number that failed; ``low - 1`` before any did.
        passed: the least number above `failed` that succeeded; None before any did.
        verified: `passed` succeeded twice.
        tries: how many there were.
    """

    low: int
    high: int
    failed: int = -1
    passed: int | None = None
    verified: bool = False
    tries: int = 0

    @property
    def next(self) -> int | None:
        """The number to try; None when the search is over."""
        floor = max(self.failed, self.low - 1)
        if self.verified or self.tries >= MAX_TRIES or floor >= self.high:
            return None
        if self.passed is None:
            return self.high
        if self.passed - floor <= 1:
            return self.passed  # once more
        return (self.passed + floor) // 2

    def after(self, number: int, *, succeeded: bool) -> Search:
        """The search with the result of one more try."""
        tried = replace(self, tries=self.tries + 1)
        if not succeeded:
            again = number == self.passed
            return replace(tried, failed=number, passed=None if again else self.passed)
        if number == self.passed:
            return replace(tried, verified=True)
        return replace(tried, passed=number)

    @property
    def least(self) -> int | None:
        """The minimum that succeeded twice; None if none did."""
        return self.passed if self.verified else None
