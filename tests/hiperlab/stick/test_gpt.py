"""The partition table as sgdisk writes it and as we read it, whole and damaged."""

from __future__ import annotations

import io
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiperiso.errors import HarnessFault
from hiperlab.run import run_tool
from hiperlab.stick.gpt import (
    Identity,
    PartitionTable,
    read_table,
    rename_partition,
    restore_start,
    write_table,
)
from hiperlab.stick.layout import plan_layout

SIZE_BYTES = 100 << 20
IDENTITY = Identity.from_seed("x")


def table_of(image: Path) -> PartitionTable:
    with image.open("rb") as file:
        return read_table(file, image.stat().st_size)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(SIZE_BYTES)
    write_table(path, plan_layout(SIZE_BYTES), IDENTITY, data_name="HIPERISO", linux_data=False)
    return path


def test_what_was_written_is_read(image: Path) -> None:
    table, layout = table_of(image), plan_layout(SIZE_BYTES)
    assert {number: part.extent for number, part in table.partitions.items()} == {
        1: layout.data,
        2: layout.esp,
        3: layout.bios,
    }
    assert [part.name for part in table.partitions.values()] == ["HIPERISO", "VTOYEFI", "BIOSBOOT"]
    assert Identity.of_table(table) == IDENTITY
    assert not table.from_backup
    rename_partition(image, 1, "unfinished-exfat")
    assert table_of(image).partitions[1].name == "unfinished-exfat"


def test_a_damaged_start_is_read_from_the_end(image: Path) -> None:
    for offset in (512 + 20, 1024 + 5):
        with image.open("r+b") as file:
            file.seek(offset)
            file.write(b"\xa5")
        table = table_of(image)
        assert table.from_backup and Identity.of_table(table) == IDENTITY
    with image.open("r+b") as file:
        file.seek(SIZE_BYTES - 512)
        file.write(bytes(512))
    with pytest.raises(HarnessFault, match="no partition table"):
        table_of(image)


def test_the_start_is_restored_from_the_end_which_is_not_touched(image: Path) -> None:
    before = image.read_bytes()
    with image.open("r+b") as file:
        file.seek(446)
        file.write(bytes(34 * 512 - 446))  # all but the boot code
    with image.open("r+b") as file:
        restore_start(file, SIZE_BYTES)
    table, after = table_of(image), image.read_bytes()
    assert not table.from_backup and Identity.of_table(table) == IDENTITY
    assert after[34 * 512 :] == before[34 * 512 :]
    assert b"No problems found" in run_tool(["sgdisk", "--verify", str(image)], package="gdisk")
    assert (after[450], after[454:462]) == (0xEE, before[454:462])  # the sectors; cylinders are not read
    with image.open("r+b") as file:
        file.seek(SIZE_BYTES - 512)
        file.write(bytes(512))
        with pytest.raises(HarnessFault, match="no partition table"):
            restore_start(file, SIZE_BYTES)
    assert table_of(image) == table


def test_a_table_over_a_damaged_one(image: Path) -> None:
    with image.open("r+b") as file:
        file.write(b"\xa5" * (1 << 20))
    write_table(image, plan_layout(SIZE_BYTES), IDENTITY, data_name="again", linux_data=True)
    assert table_of(image).partitions[1].is_linux


@settings(deadline=None)
@given(st.binary(max_size=2000), st.integers(0, 1200))
def test_hostile_tables(noise: bytes, at: int) -> None:
    data = bytearray(b"\0" * 512 + b"EFI PART" + bytes(3000))
    data[at : at + len(noise)] = noise
    try:
        read_table(io.BytesIO(data), len(data))
    except HarnessFault:
        return


def test_seeds() -> None:
    assert Identity.from_seed("a") == Identity.from_seed("a") != Identity.from_seed("b")
    assert Identity.fresh() != Identity.fresh()
    assert isinstance(Identity.fresh().data, uuid.UUID)
