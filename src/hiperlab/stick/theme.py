"""The appearance of the boot menu: a theme for GRUB's graphical menu. Pure.

Without graphics, or if GRUB cannot read the theme, it shows its text menu: nothing here is needed to boot. The only
font is one that every stick has, so that titles in any script are shown. Source: the GRUB manual, "Theme file
format"; pictures are stretched if needed.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

THEME_FOLDER: Final = "EFI/hiperiso/theme"
THEME_FILE: Final = f"{THEME_FOLDER}/theme.txt"

_FONT: Final = "Unifont Regular 16"
_GROUND, _BAR, _EDGE = "#10171f", "#1f6f8b", "#2b3947"
_TEXT, _FAINT, _BRIGHT, _NAME = "#c9d3dc", "#8796a5", "#ffffff", "#6fd0f5"


def theme_files() -> dict[str, bytes]:
    """Path on the EFI partition -> content."""
    return {
        THEME_FILE: _THEME.encode(),
        f"{THEME_FOLDER}/select_c.png": picture(_BAR),
        f"{THEME_FOLDER}/select_w.png": picture(_BAR, width_px=8),
        f"{THEME_FOLDER}/select_e.png": picture(_BAR, width_px=8),
        f"{THEME_FOLDER}/thumb_c.png": picture(_BAR, width_px=8),
        f"{THEME_FOLDER}/rail_c.png": picture(_EDGE, width_px=8),
        f"{THEME_FOLDER}/line.png": picture(_EDGE),
    }


def picture(colour: str, *, width_px: int = 1) -> bytes:
    """A PNG of one row of pixels of the colour ``#rrggbb``. Source: PNG specification, sections 5 and 11."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width_px, 1, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" + width_px * bytes.fromhex(colour.removeprefix("#")), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def _label(top: str, text: str, colour: str, align: str = "left") -> str:
    return f"""\
+ label {{
  left = 6%
  top = {top}
  width = 88%
  align = "{align}"
  font = "{_FONT}"
  color = "{colour}"
  text = "{text}"
}}
"""


_THEME: Final = f"""\
# The theme of the hiperiso menu. Use your own by "theme" in hiperiso.json.
title-text: ""
desktop-color: "{_GROUND}"
terminal-font: "{_FONT}"
terminal-left: "4%"
terminal-top: "4%"
terminal-width: "92%"
terminal-height: "92%"
terminal-border: "0"

{_label("5%", "h i p e r i s o", _NAME)}
{_label("5%", "boots an ISO and records it", _FAINT, "right")}
+ image {{
  left = 6%
  top = 10%
  width = 88%
  height = 1
  file = "line.png"
}}

+ boot_menu {{
  left = 5%
  top = 12%
  width = 90%
  height = 70%
  item_font = "{_FONT}"
  item_color = "{_TEXT}"
  selected_item_color = "{_BRIGHT}"
  selected_item_pixmap_style = "select_*.png"
  item_height = 24
  item_padding = 8
  item_spacing = 2
  icon_width = 0
  icon_height = 0
  item_icon_space = 0
  scrollbar = true
  scrollbar_width = 8
  scrollbar_slice = "center"
  scrollbar_frame = "rail_*.png"
  scrollbar_thumb = "thumb_*.png"
}}

+ progress_bar {{
  id = "__timeout__"
  left = 6%
  top = 85%
  width = 88%
  height = 22
  show_text = true
  text = "@TIMEOUT_NOTIFICATION_LONG@"
  font = "{_FONT}"
  text_color = "{_BRIGHT}"
  fg_color = "{_BAR}"
  bg_color = "{_EDGE}"
  border_color = "{_EDGE}"
}}

{_label("92%", "arrow keys: choose     Enter: start     Esc: back     e: edit     c: command line", _FAINT)}"""
