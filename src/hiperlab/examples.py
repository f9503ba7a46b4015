"""Examples below the help of a command."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """An epilog for `typer`: one command a line, as they are; the mark in front keeps their line breaks."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
