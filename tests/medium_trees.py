"""Files of a medium, really there, for the tests that read one; `make_tree` is a fixture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hiperiso.iso.tree import MountedTree

MakeTree = Callable[[dict[str, bytes | str]], MountedTree]


def kernel(text: str = "6.1.0-9-amd64 (someone@somewhere) #1 SMP Debian") -> bytes:
    """The first bytes of a kernel image, as Documentation/arch/x86/boot.rst has them."""
    image = bytearray(0x400)
    image[0x202:0x206] = b"HdrS"
    image[0x20E:0x210] = (0x100).to_bytes(2, "little")
    image[0x300 : 0x300 + len(text) + 1] = text.encode() + b"\0"
    return bytes(image)


@pytest.fixture
def make_tree(tmp_path: Path) -> MakeTree:
    """Files of a medium, really there; a text that begins with ``->`` is a link."""
    count = 0

    def make(files: dict[str, bytes | str]) -> MountedTree:
        nonlocal count
        count += 1
        root = tmp_path / f"medium{count}"
        root.mkdir()
        for name, content in files.items():
            path = root / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str) and content.startswith("->"):
                path.symlink_to(content[2:])
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)
        return MountedTree.scan(root)

    return make
