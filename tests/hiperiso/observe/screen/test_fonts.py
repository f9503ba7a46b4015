"""Fonts come from this machine's files; broken files give none."""

from __future__ import annotations

import lzma
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.observe.screen.fonts import (
    EDK2_FIRMWARE,
    GRUB_FONTS,
    VGA_ROMS,
    FontSet,
    parse_edk2_font,
    parse_pf2_font,
    parse_vga_font,
)

FONT_SECTION_HEAD = (
    b"\0\0\0\x02" + bytes.fromhex("98584eee143959429d6edc7bd79403cf") + struct.pack("<HH", 24, 1)
)  # PI specification, volume 3: EFI_GUID_DEFINED_SECTION, LZMA
ASCII = {chr(code) for code in range(33, 127)}


def first_of(paths: tuple[Path, ...]) -> bytes:
    return next(path for path in paths if path.exists()).read_bytes()


@pytest.mark.parametrize("height", [8, 14, 16])
def test_vga_bios(height: int) -> None:
    glyphs = parse_vga_font(first_of(tuple(path for path in VGA_ROMS if path.suffix == ".bin")), height)
    assert set(glyphs.values()) >= ASCII
    assert {len(bitmap) for bitmap in glyphs} == {height}


def test_qemu_has_the_font_of_linux() -> None:
    glyphs = parse_vga_font(first_of(VGA_ROMS[:2]), 16)
    assert set(glyphs.values()) >= ASCII
    assert glyphs != parse_vga_font(first_of(tuple(path for path in VGA_ROMS if path.suffix == ".bin")), 16)


def test_grub() -> None:
    glyphs = parse_pf2_font(first_of(GRUB_FONTS), 16)
    assert set(glyphs.values()) >= ASCII | set("↑↓│─┌┐└┘äß")


def test_edk2() -> None:
    glyphs = parse_edk2_font(first_of(EDK2_FIRMWARE))
    assert set(glyphs.values()) >= ASCII
    assert {len(bitmap) for bitmap in glyphs} == {19}


@pytest.mark.parametrize("before", [0, 255 * 1024, 256 * 1024 - 1500, 256 * 1024 - 40, 900_001])
def test_edk2_wherever_the_pieces_end(before: int) -> None:
    """The volume is unpacked piece by piece; no end of one may cost a glyph."""
    records = [struct.pack("<HB19s", code, 0, bytes([code] * 19)) for code in range(0x21, 0xFF)]
    volume = bytes(before) + b"".join(records) + bytes(700_000)
    section = FONT_SECTION_HEAD + lzma.compress(volume, lzma.FORMAT_ALONE)
    glyphs = parse_edk2_font(bytes(64) + section)
    assert set(glyphs.values()) == {chr(code) for code in range(0x21, 0xFF) if chr(code).isprintable()}


def test_font_set_joins_them() -> None:
    fonts = FontSet()
    assert set(fonts.glyphs(16).values()) >= ASCII | set("↑↓")
    assert fonts.glyphs(19) is fonts.glyphs(19)
    assert fonts.glyphs(17) == {}


@given(st.binary(max_size=400))
def test_garbage_gives_no_font(data: bytes) -> None:
    for content in (data, b"FILE\0\0\0\4PFF2ASCE\0\0\0\2\0\x0cCHIX\0\0\0\x12" + data):
        assert isinstance(parse_pf2_font(content, 16), dict)
        assert parse_vga_font(content, 16) == {}
        assert parse_edk2_font(content) == {}
