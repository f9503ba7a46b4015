"""For all tests: how long one example takes says something about the machine, not about the code."""

from __future__ import annotations

from hypothesis import settings

from clean_environment import clean

clean()
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
