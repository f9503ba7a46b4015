"""Which names are URLs: a room of its own, for every boot asks that."""

from __future__ import annotations


def is_url(text: str | None) -> bool:
    """Whether an image is named by a URL that can be fetched."""
    return bool(text) and str(text).lower().startswith(("http://", "https://"))
