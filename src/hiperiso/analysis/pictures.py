"""What is on a screen, as far as it matters to whether a desktop has been drawn."""

from __future__ import annotations

from typing import Final

from hiperiso.contract.events import OCR_READER, ScreenBlank, ScreenEvent, ScreenText

_DARK: Final = 24  # of 255, each channel: not a deliberately chosen colour


def is_console(shown: ScreenEvent) -> bool:
    """Whether nothing but text in a console's font is on the screen."""
    return isinstance(shown, ScreenText) and shown.data.reader != OCR_READER and not shown.data.partial


def is_dark(event: ScreenBlank) -> bool:
    """Whether a blank screen is black, or nearly so."""
    colour = event.data.colour or "#000000"
    try:
        return all(int(colour[at : at + 2], 16) <= _DARK for at in (1, 3, 5))
    except ValueError:
        return True
