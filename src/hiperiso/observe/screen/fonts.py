"""Bitmap fonts of firmware, boot loaders and consoles, read from the files that QEMU and GRUB install.

No font is copied into this project. Sources: the VGA BIOS keeps its 8x16, 8x14 and 8x8 fonts as 256 glyphs
of one byte a row, codes in order (found by the shape of "A"); GRUB's PFF2 format is in GRUB's developer manual; EDK2
keeps EFI_NARROW_GLYPH records (UEFI specification, HII font handling: UCS-2 code, attributes, 19 rows), inside an
LZMA-compressed section of the firmware volume (PI specification, volume 3).
"""

from __future__ import annotations

import itertools
import lzma
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hiperiso.observe.screen.text import CP437
from hiperiso.packages import QEMU

CELL_WIDTH_PX: Final = 8
EDK2_CELL_HEIGHT_PX: Final = 19

VGA_ROMS: Final = (
    # QEMU draws its own messages in the font of Linux's consoles, memtest86+ and others.
    Path("/usr/bin", QEMU),
    Path("/usr/libexec/qemu-kvm"),
    Path("/usr/share/seabios/vgabios-stdvga.bin"),
    Path("/usr/share/qemu/vgabios-stdvga.bin"),
    Path("/usr/share/seavgabios/vgabios-stdvga.bin"),
    Path("/usr/share/vgabios/vgabios-stdvga.bin"),
)
GRUB_FONTS: Final = (Path("/usr/share/grub/unicode.pf2"), Path("/usr/share/grub2/unicode.pf2"))
EDK2_FIRMWARE: Final = (
    Path("/usr/share/OVMF/OVMF_CODE_4M.fd"),
    Path("/usr/share/OVMF/OVMF_CODE.fd"),
    Path("/usr/share/edk2/ovmf/OVMF_CODE.fd"),
    Path("/usr/share/edk2/x64/OVMF_CODE.4m.fd"),
    Path("/usr/share/ovmf/OVMF.fd"),
    Path("/usr/share/qemu/edk2-x86_64-code.fd"),
)

_MAX_FILE_BYTES: Final = 64 * 1024 * 1024
_MAX_UNPACKED_BYTES: Final = 64 * 1024 * 1024
_PIECE_BYTES: Final = 256 * 1024
_SHARED_BYTES: Final = 64 * 1024  # more than a table of narrow glyphs

# Of GRUB's font: Latin, Greek, Cyrillic, punctuation, arrows, boxes. More would match lines and shadows.
_SCRIPTS: Final = ((0x21, 0x52F), (0x2010, 0x2040), (0x20AC, 0x20AD), (0x2190, 0x2200), (0x2500, 0x2600))

# The letter A as the VGA BIOS draws it, by cell height.
_LETTER_A: Final = {
    16: bytes.fromhex("000010386cc6c6fec6c6c6c600000000"),
    14: bytes.fromhex("000010386cc6c6fec6c6c6000000"),
    8: bytes.fromhex("3078ccccfccccc00"),
}

Glyphs = dict[bytes, str]
"""The character of each bitmap: one byte a row, the highest bit the leftmost pixel."""


@dataclass
class FontSet:
    """The glyphs by cell height, loaded on first use.

    Files that are missing or contain no font are skipped: text drawn in their font is then not recognised.
    """

    vga_roms: Iterable[Path] = VGA_ROMS
    grub_fonts: Iterable[Path] = GRUB_FONTS
    edk2_firmware: Iterable[Path] = EDK2_FIRMWARE
    _loaded: dict[int, Glyphs] = field(default_factory=dict, init=False, repr=False)
    _vga: dict[int, Glyphs] = field(default_factory=dict, init=False, repr=False)

    def glyphs(self, height_px: int) -> Glyphs:
        """Return all glyphs of 8 x ``height_px`` cells; empty if this machine has none."""
        if height_px not in self._loaded:
            self._loaded[height_px] = self._load(height_px)
        return self._loaded[height_px]

    def vga_glyphs(self, height_px: int) -> Glyphs:
        """Return the glyphs of the display adapter's text modes."""
        if height_px not in self._vga:
            glyphs: Glyphs = {}
            for data in _contents(self.vga_roms):
                glyphs = {**parse_vga_font(data, height_px), **glyphs}
            self._vga[height_px] = glyphs
        return self._vga[height_px]

    def _load(self, height_px: int) -> Glyphs:
        if height_px == EDK2_CELL_HEIGHT_PX:
            return _first(parse_edk2_font(data) for data in _contents(self.edk2_firmware))
        glyphs = self.vga_glyphs(height_px)
        if height_px == 16:
            grub = _first(parse_pf2_font(data, height_px) for data in _contents(self.grub_fonts))
            glyphs = {**grub, **glyphs}
        return glyphs


def parse_vga_font(rom: bytes, height_px: int) -> Glyphs:
    """Return the glyphs of a VGA BIOS, or of a program that contains such a font; empty without one of that height."""
    start = _find_vga_font(rom, height_px)
    if start is None:
        return {}
    glyphs: Glyphs = {}
    # Printable ASCII first: where two codes look the same, the plain one is meant.
    for code in sorted(range(1, 255), key=lambda code: (not 32 < code < 127, code)):
        _add(glyphs, rom[start + code * height_px : start + (code + 1) * height_px], CP437[code])
    return glyphs


def parse_pf2_font(data: bytes, height_px: int) -> Glyphs:
    """Return the narrow glyphs of a GRUB font, each placed on its base line in a cell; empty when it is not PFF2."""
    sections = _pf2_sections(data)
    if b"ASCE" not in sections or b"CHIX" not in sections:
        return {}
    ascent = int.from_bytes(sections[b"ASCE"][:2], "big")
    glyphs: Glyphs = {}
    index = sections[b"CHIX"]
    for code_point, _flags, offset in struct.iter_unpack(">IBI", index[: len(index) // 9 * 9]):
        if code_point >= _SCRIPTS[-1][1] or offset + 10 > len(data):  # most of them: this goes first
            continue
        if not any(first <= code_point < last for first, last in _SCRIPTS):
            continue
        cell = _pf2_cell(data, offset, ascent, height_px)
        if cell is not None and chr(code_point).isprintable():
            _add(glyphs, cell, chr(code_point))
    return glyphs


def parse_edk2_font(firmware: bytes) -> Glyphs:
    """Return the narrow glyphs of an EDK2 firmware volume; empty when none are found."""
    found: Glyphs = {}
    for volume in itertools.chain([firmware], _lzma_sections(firmware)):
        start = _find_narrow_glyphs(volume)
        if start is not None:
            found = max(found, _narrow_glyphs(volume, start), key=len)
        if found and (start is None or start + _SHARED_BYTES <= len(volume)):
            break  # the end of a chunk may cut the table; the next chunk has all of it
    return found


# ── helpers ──


def _find_vga_font(rom: bytes, height_px: int) -> int | None:
    """Where the font starts: its A, and in the right places around it a blank space and a full block."""
    letter = _LETTER_A.get(height_px)
    at = rom.find(letter) if letter else -1
    while letter and at >= 0:
        start = at - ord("A") * height_px
        blank, block = (rom[start + code * height_px :][:height_px] for code in (0x20, 0xDB))
        if start >= 0 and blank == bytes(height_px) and block == b"\xff" * height_px:
            return start
        at = rom.find(letter, at + 1)
    return None


def _contents(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in paths:
        try:
            if path.is_file() and path.stat().st_size <= _MAX_FILE_BYTES:
                yield path.read_bytes()
        except OSError:
            continue


def _first(candidates: Iterable[Glyphs]) -> Glyphs:
    return next((glyphs for glyphs in candidates if glyphs), {})


def _add(glyphs: Glyphs, cell: bytes, character: str) -> None:
    if any(cell) and character != " ":
        glyphs.setdefault(cell, character)


def _pf2_sections(data: bytes) -> dict[bytes, bytes]:
    sections: dict[bytes, bytes] = {}
    position = 0
    while position + 8 <= len(data):
        name, length = struct.unpack_from(">4sI", data, position)
        if name == b"DATA":
            break
        sections[name] = data[position + 8 : position + 8 + length]
        position += 8 + length
    return sections


def _pf2_cell(data: bytes, offset: int, ascent: int, height_px: int) -> bytes | None:
    """One glyph as a cell: its bitmap is packed row after row without padding, placed relative to the base line."""
    width, height, left, bottom, advance = struct.unpack_from(">HHhhh", data, offset)
    if advance != CELL_WIDTH_PX or not 0 < width <= CELL_WIDTH_PX or not 0 < height <= height_px:
        return None
    top = ascent - bottom - height
    shift = CELL_WIDTH_PX - width - left
    if left < 0 or shift < 0 or top < 0 or top + height > height_px:
        return None
    size_bytes = (width * height + 7) // 8
    packed = (
        int.from_bytes(data[offset + 10 : offset + 10 + size_bytes], "big") >> size_bytes * 8 - width * height
    )
    mask = (1 << width) - 1
    cell = bytearray(height_px)
    for row in range(height):
        cell[top + row] = (packed >> (height - 1 - row) * width & mask) << shift
    return bytes(cell)


_LZMA_SECTION_GUID: Final = bytes.fromhex("98584eee143959429d6edc7bd79403cf")


def _lzma_sections(firmware: bytes) -> Iterator[bytes]:
    """GUID-defined sections: 3 bytes size, type 2, GUID, u16 offset of the data from the section's start."""
    at = firmware.find(_LZMA_SECTION_GUID)
    while at >= 0:
        if at >= 4 and at + 20 <= len(firmware) and firmware[at - 1] == 2:
            start = at - 4 + int.from_bytes(firmware[at + 16 : at + 18], "little")
            yield from _unpacked(firmware[start:])
        at = firmware.find(_LZMA_SECTION_GUID, at + 1)


def _unpacked(packed: bytes) -> Iterator[bytes]:
    """A section in overlapping chunks, because unpacking all of it takes a tenth of a second."""
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_ALONE)
    volume, total_bytes = b"", 0
    while not unpacker.eof and total_bytes < _MAX_UNPACKED_BYTES:
        try:
            piece = unpacker.decompress(packed, _PIECE_BYTES)
        except lzma.LZMAError:
            return
        if not piece:
            return
        packed = b""  # the unpacker keeps what it has not used
        total_bytes += len(piece)
        volume = volume[-_SHARED_BYTES:] + piece
        yield volume


_NARROW_GLYPH_BYTES: Final = 22


def _find_narrow_glyphs(volume: bytes) -> int | None:
    """The position of the record of "A", identified by the records of the letters after it."""
    at = volume.find(b"A\0\0")
    while at >= 0:
        if all(
            volume[at + step * _NARROW_GLYPH_BYTES : at + step * _NARROW_GLYPH_BYTES + 2]
            == bytes((ord("A") + step, 0))
            for step in range(1, 26)
        ):
            return at
        at = volume.find(b"A\0\0", at + 1)
    return None


def _narrow_glyphs(volume: bytes, letter_a: int) -> Glyphs:
    """All records around "A" with ascending codes; the table ends where they do not ascend."""
    glyphs: Glyphs = {}
    start = letter_a
    while start >= _NARROW_GLYPH_BYTES and 0 < _code(volume, start - _NARROW_GLYPH_BYTES) < _code(
        volume, start
    ):
        start -= _NARROW_GLYPH_BYTES
    before = 0
    for at in range(start, len(volume) - _NARROW_GLYPH_BYTES + 1, _NARROW_GLYPH_BYTES):
        code = _code(volume, at)
        if code <= before:
            break
        before = code
        if chr(code).isprintable():
            _add(glyphs, volume[at + 3 : at + _NARROW_GLYPH_BYTES], chr(code))
    return glyphs


def _code(volume: bytes, at: int) -> int:
    return int.from_bytes(volume[at : at + 2], "little")
