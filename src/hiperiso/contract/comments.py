"""Comments in hiperiso.json, which is JSON and has none: keys that have no effect."""

from __future__ import annotations

import re
from typing import Final

COMMENT: Final = r"^(//|[_$]comment$)"
"""Keys that people write comments with: ``"//": "why"``. They are allowed in every object, and have no effect."""


def is_comment(name: str) -> bool:
    """Whether a key holds a comment."""
    return re.match(COMMENT, name) is not None
