"""Exact text of a text-mode screen: from VGA memory; the picture only determines which part is visible.

In text mode the 32 KiB at physical 0xb8000 hold cells of two bytes, character and attribute, row after row. Which cell
is the upper left one is in the CRT controller (registers 0x0c, 0x0d), and reading those through their index port would
disturb the guest: Linux scrolls by moving this origin. So the origin is found by comparing memory with the picture
(``vga_origin``), which is first cut into cells (``vga_cells``).

Sources: IBM VGA text modes as QEMU draws them: cells are 8, 9 or 16 (doubled) pixels wide, attribute bits 0-3 select
the foreground and bits 4-7 the background colour, no blinking but the cursor's.
"""

from __future__ import annotations

from typing import Final

from hiperiso.observe.screen.fonts import FontSet
from hiperiso.observe.screen.ppm import Picture
from hiperiso.observe.screen.text import CP437, TextScreen
from hiperiso.observe.screen.vga_cells import CellReader, Geometry, geometries
from hiperiso.observe.screen.vga_origin import MEMORY_CELLS, Font, Match, Search, View, known_font

VGA_MEMORY_ADDRESS: Final = 0xB8000
VGA_MEMORY_BYTES: Final = 2 * MEMORY_CELLS
_LOOKS_KEPT: Final = 3


def wants_vga_memory(width_px: int, height_px: int) -> bool:
    """Return whether a picture of this size may be a text mode, so that reading VGA memory is worth its millisecond.

    720x400 is the usual one; 640x480 and other sizes are text only now and then, and decode to None when they are not.
    """
    return bool(geometries(width_px, height_px))


class VgaTextDecoder:
    """Decodes one guest's text screens; remembers the last mode, origin and font, which usually hold.

    Args:
        fonts: decide where several parts of memory would look like the picture, if in their fonts the same glyphs
            meant other characters; without them the more likely part is used.
    """

    def __init__(self, fonts: FontSet | None = None) -> None:
        self._fonts = fonts or FontSet(vga_roms=(), grub_fonts=(), edk2_firmware=())
        self._geometry: Geometry | None = None
        self._origin = 0
        self._font: Font = {}
        self._memory = b""
        self._screens: dict[Picture, TextScreen | None] = {}  # of that memory: a cursor blinks
        self._cells = CellReader()

    def decode(self, picture: Picture, memory: bytes) -> TextScreen | None:
        """Return the text on the screen, or None when ``memory`` is not what ``picture`` shows (a graphics mode).

        ``memory`` is the 32 KiB from physical address 0xb8000; any other length gives None.
        """
        if len(memory) != VGA_MEMORY_BYTES:
            return None
        if memory != self._memory or len(self._screens) > _LOOKS_KEPT:
            self._memory = memory
            self._screens.clear()
        if picture not in self._screens:
            self._screens[picture] = self._decode(picture, memory)
        return self._screens[picture]

    def _decode(self, picture: Picture, memory: bytes) -> TextScreen | None:
        candidates = list(geometries(picture.width_px, picture.height_px))
        if self._geometry in candidates:
            candidates.remove(self._geometry)
            candidates.insert(0, self._geometry)
        for rank, geometry in enumerate(candidates):
            cells = self._cells.read(picture, geometry)
            if cells is None:
                continue
            known = geometry == self._geometry
            search = Search(
                view=View(memory, cells),
                columns=geometry.columns,
                cell_height_px=geometry.cell_height_px,
                last_origin=self._origin if known else 0,
                font=self._font if known else known_font(self._fonts, geometry),
                any_origin=rank == 0 and (known or geometry.cell_width_px == 9),
            )
            match = search.find()
            if match is not None:
                self._font = search.font_with(match)
                self._geometry, self._origin = geometry, match.origin
                return _to_screen(memory[0::2], match, geometry)
        return None


def _to_screen(codes: bytes, match: Match, geometry: Geometry) -> TextScreen:
    size = geometry.columns * geometry.rows
    wrapped = codes + codes[:size]
    text = "".join([CP437[code] for code in wrapped[match.origin : match.origin + size]])
    lines = tuple(
        text[start : start + geometry.columns].rstrip() for start in range(0, size, geometry.columns)
    )
    cursor = None if match.cursor is None else divmod(match.cursor, geometry.columns)
    cell = (geometry.cell_width_px, geometry.cell_height_px, 0, 0)
    return TextScreen(geometry.columns, geometry.rows, lines, "vga_text", cursor=cursor, cell=cell)
