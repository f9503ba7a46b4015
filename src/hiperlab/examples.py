"""Examples in the help of a command."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """An epilog for `typer`: one command per line; the leading mark preserves line breaks."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
