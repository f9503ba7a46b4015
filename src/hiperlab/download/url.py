"""Which names are URLs: a room of its own, for every boot asks that."""

from __future__ import annotations

import re

from hiperiso.errors import UsageError


def is_url(text: str | None) -> bool:
    """Whether an image is named by a URL that can be fetched."""
    return bool(text) and str(text).lower().startswith(("http://", "https://"))


def check_scheme(text: str) -> None:
    """Refuse a URL that cannot be fetched.

    Raises:
        UsageError: it is one of another scheme.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://", text) and not is_url(text):
        raise UsageError(
            f"{text}: only http: and https: are fetched",
            hint="fetch it by another program, and boot the file",
        )
