"""The text on the screen of a Linux console, exactly, from the kernel's own copy.

``vc_cons[fg_console].d`` is the ``struct vc_data`` of the console in front; ``vc_visible_origin`` is where the first
visible cell is: in RAM for consoles on a framebuffer, in the memory of the VGA card (physical 0xa0000 to 0xbffff,
which is not part of any RAM file) for text modes. Each cell has two bytes: character in code page 437, attribute.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from hiperiso.observe.memory.index import KernelIndex
from hiperiso.observe.memory.kernel import KernelMemory
from hiperiso.observe.memory.ram import Unreadable

_MAX_CONSOLES = 63
_KD_TEXT = 0  # linux/kd.h
_MAX_ROWS, _MAX_COLUMNS = 300, 512
_VGA_START, _VGA_END = 0xA0000, 0xC0000
_CONTROLS = dict.fromkeys((*range(32), 127, 0xA0), " ")  # the last: 0xff of the code page, a blank


@dataclass(frozen=True)
class ConsoleScreen:
    """The console in front.

    Attributes:
        number: 0 for tty1.
        rows: lines of the screen.
        columns: cells a line.
        cells: two bytes a cell; None when they are in the memory of the VGA card.
        vga_address: physical address of the first visible cell in that memory, else None: read ``rows * columns * 2``
            bytes there with QMP ``pmemsave`` and pass them to `console_text`.
        shows_text: whether the console shows its text; False while a program draws graphics on it.
        wide_glyphs: whether bit 8 of the character is in the attribute (a font of 512 glyphs).
    """

    number: int
    rows: int
    columns: int
    cells: bytes | None
    vga_address: int | None
    wide_glyphs: bool
    shows_text: bool = True

    @property
    def text(self) -> str | None:
        """The rows, joined by newlines, without trailing blanks; None without cells."""
        return None if self.cells is None else console_text(self.cells, self.columns)


def read_console(kernel: KernelMemory, index: KernelIndex) -> ConsoleScreen | None:
    """The console in front; None when the kernel has none (yet).

    Raises:
        Unreadable: this kernel's consoles cannot be read (the index has the reason), or not at the moment.
    """
    number = kernel.u32(index.address(kernel, "fg_console"))
    if number >= _MAX_CONSOLES or "vc" not in index.sizes:
        raise Unreadable("no consoles")
    data = kernel.u64(index.address(kernel, "vc_cons") + number * index.sizes["vc"])
    if data == 0:
        return None
    rows = kernel.u32(data + index.offset("vc_data.vc_rows"))
    columns = kernel.u32(data + index.offset("vc_data.vc_cols"))
    if not (0 < rows <= _MAX_ROWS and 0 < columns <= _MAX_COLUMNS):
        raise Unreadable("not a console")
    origin = kernel.u64(data + index.offset("vc_data.vc_visible_origin"))
    mask_at = index.offsets.get("vc_data.vc_hi_font_mask")
    wide = mask_at is not None and struct.unpack("<H", kernel.read(data + mask_at, 2))[0] != 0
    mode_at = index.offsets.get("vc_data.vc_mode")
    shows_text = mode_at is None or kernel.read(data + mode_at, 1)[0] == _KD_TEXT
    physical = kernel.physical(origin)
    if _VGA_START <= physical < _VGA_END:
        return ConsoleScreen(number, rows, columns, None, physical, wide, shows_text)
    return ConsoleScreen(
        number, rows, columns, kernel.read(origin, rows * columns * 2), None, wide, shows_text
    )


def console_text(cells: bytes, columns: int) -> str:
    """The text of a screen of cells: rows joined by newlines, without trailing blanks."""
    characters = cells[0::2].decode("cp437").translate(_CONTROLS)
    rows = [characters[at : at + columns].rstrip() for at in range(0, len(characters), columns)]
    return "\n".join(rows)
