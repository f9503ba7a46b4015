"""Programs and libraries of this system, and what is none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hiperlab.elf import is_dynamic_elf, is_static_elf
from hiperlab.initramfs.libraries import needed_libraries

PYTHON = Path("/usr/bin/python3").resolve()
BUSYBOX = Path("/bin/busybox")


def test_programs_and_libraries() -> None:
    assert is_dynamic_elf(PYTHON) and not is_static_elf(PYTHON)
    assert is_static_elf(BUSYBOX) and not is_dynamic_elf(BUSYBOX)
    libraries = needed_libraries(PYTHON)
    assert any("libc.so" in name for name in libraries)
    libm = next(path for name, path in libraries.items() if "libm.so" in name)
    assert is_dynamic_elf(libm) and any("libc.so" in name for name in needed_libraries(libm))
    assert needed_libraries(BUSYBOX) == {}


@pytest.mark.parametrize(
    "data", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x02" + bytes(60), b"\x7fELF\x01" + bytes(60)]
)
def test_what_is_none_needs_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    assert needed_libraries(tmp_path / "file") == {}
    assert not is_dynamic_elf(tmp_path / "file")


def test_this_interpreter_is_a_program() -> None:
    assert is_dynamic_elf(Path(sys.executable).resolve())
