"""Images for the tests, written by xorriso and by pycdlib, and what pycdlib says about where their files lie."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pycdlib

from waiting import DEADLINE_S

SECTOR = 2048


def content(name: str, size: int) -> bytes:
    """Different in every file, so that no writer shares extents between files."""
    seed = f"{name}\n".encode()
    return (seed * (size // len(seed) + 1))[:size]


def make_tree(root: Path) -> dict[str, bytes]:
    """Nested directories, long names, names that only differ late, empty and large files, symbolic links."""
    files = {
        "boot/grub/grub.cfg": content("cfg", 300),
        "boot/vmlinuz": content("vmlinuz", 300_000),
        "boot/initrd.img": content("initrd", 1_000_001),
        "live/filesystem.squashfs": content("squashfs", 2_500_000),
        "a very long directory name with spaces/and a file whose name is long enough for anyone.txt": b"x"
        * 5000,
        "a/b/c/d/e/f/g/h/i/j/deep.txt": b"deep " * 1000,
        "unicode/žluťoučký kůň.txt": b"kun " * 700,
        "empty": b"",
        "one": b"1",
        "sector": content("sector", SECTOR),
        "sector-and-one": content("sector1", SECTOR + 1),
        **{f"many/file-{number:04}.bin": content(str(number), 100 + number * 7) for number in range(300)},
    }
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "link").symlink_to("boot/vmlinuz")
    return files


def xorriso(root: Path, iso: Path, *options: str) -> None:
    argv = ["xorriso", "-as", "mkisofs", "-quiet", "-V", "TEST", *options, "-o", str(iso), str(root)]
    subprocess.run(argv, check=True, capture_output=True, timeout=DEADLINE_S)


def udf_image(iso: Path, files: dict[str, bytes], *, joliet: bool = False) -> None:
    """A UDF bridge by pycdlib; the ISO 9660 names are short, flat and meaningless."""
    image = pycdlib.PyCdlib()
    image.new(udf="2.60", interchange_level=3, joliet=3 if joliet else None)
    made: set[str] = set()
    for number, (name, data) in enumerate(files.items()):
        parts = name.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder not in made:
                made.add(folder)
                path = f"/{folder}"
                image.add_directory(f"/D{len(made)}", joliet_path=path if joliet else None, udf_path=path)
        path = f"/{name}"
        file = io.BytesIO(data)
        iso_path = f"/F{number}.;1"
        joliet_path = path if joliet else None
        image.add_fp(file, len(data), iso_path=iso_path, joliet_path=joliet_path, udf_path=path)
    image.write(str(iso))
    image.close()


def listed(iso: Path, kind: str) -> dict[str, tuple[int, int]]:
    """Path -> (sector, bytes) of every file with content, as pycdlib lists the image. Kind: rr, joliet, iso or udf."""
    image = pycdlib.PyCdlib()
    image.open(str(iso))
    key = f"{kind}_path"
    found: dict[str, tuple[int, int]] = {}
    for folder, _, names in image.walk(**{key: "/"}):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            record = image.get_record(**{key: path})
            if kind != "udf" and record.is_symlink():
                continue
            size = record.get_data_length()
            start = record.inode.extent_location() if record.inode else 0
            if size:
                plain = path.split(";", maxsplit=1)[0]
                found[plain.removesuffix(".") if kind == "iso" else plain] = (start, size)
    image.close()
    return found
