"""Fonts come from this machine's files; broken files give none."""

from __future__ import annotations

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
