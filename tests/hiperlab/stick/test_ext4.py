"""Files on an ext4 that is not mounted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hiperiso.errors import HarnessFault
from hiperlab.stick.add import add_iso
from hiperlab.stick.create import StickOptions, create_stick
from hiperlab.stick.image import open_data_of
from hiperlab.stick.layout import plan_layout

from .conftest import SIZE_BYTES
from .oracle import cut, run


def test_an_iso_on_ext4_has_its_name_when_it_is_whole(tmp_path: Path, options: StickOptions) -> None:
    image, iso = tmp_path / "stick.img", tmp_path / "it's a ü.iso"
    create_stick(image, SIZE_BYTES, replace(options, filesystem="ext4"))
    iso.write_bytes(os.urandom(300_000))
    target = f"/ISOs/{iso.name}"

    def broken() -> Iterator[bytes]:
        yield b"x" * 1000
        raise HarnessFault("pulled out")

    with open_data_of(image, writable=True) as data:
        data.add("/ISOs/.it's a ü.iso.part", [b"of one that was interrupted"], 27)
        with pytest.raises(HarnessFault, match="pulled out"):
            data.add(target, broken(), 300_000)
        with pytest.raises(HarnessFault, match="written incompletely"):
            data.add(target, [b"too short"], 300_000)
        assert data.find(target) is None
        assert add_iso(data, iso, target).size_bytes == 300_000
        assert [file.path for file in data.walk("/ISOs")] == [target]
    extent = plan_layout(SIZE_BYTES).data
    part = cut(image, extent.offset_bytes, extent.size_bytes, tmp_path / "part.img")
    run("e2fsck", "-f", "-n", part)
