"""How many examples property tests try: a few by default, all of them with ``--all-examples``.

``make slow GROUP=properties`` runs them with all.
"""

from __future__ import annotations

from hypothesis import settings

_ALL = 100
_FEW = 20
_LEAST = 10


def load_profile(*, all_examples: bool) -> None:
    """Call before tests are imported: the numbers of their decorators are read then."""
    # How long one example takes says something about the machine, not about the code.
    settings.register_profile("any machine", deadline=None, max_examples=_ALL if all_examples else _FEW)
    settings.load_profile("any machine")


def examples(number: int) -> int:
    """Of the examples that a property deserves those that this run tries."""
    return max(min(number, _LEAST), number * settings().max_examples // _ALL)
