import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.errors import UsageError
from hiperlab.stick.layout import (
    MIN_SIZE_BYTES,
    Extent,
    layout_of,
    layout_problems,
    parse_size,
    plan_layout,
    size_text,
)


@given(st.integers(MIN_SIZE_BYTES, 4 << 40))
def test_every_size_gives_a_layout_of_the_contract(size_bytes: int) -> None:
    layout = plan_layout(size_bytes)
    assert layout.data.last_sector + 1 == layout.esp.first_sector
    assert layout.esp.size_bytes == 64 << 20
    assert layout.data.offset_bytes % (1 << 20) == 0 == layout.esp.offset_bytes % (1 << 20)
    assert layout.bios.last_sector < layout.data.first_sector
    assert layout.esp.last_sector <= size_bytes // 512 - 34  # the backup table
    assert size_bytes // 512 - layout.esp.last_sector < 2 * 2048 + 34  # no more than that is wasted
    assert layout.data.size_bytes >= 8 << 20
    extents = {1: layout.data, 2: layout.esp, 3: layout.bios}
    assert layout_problems(extents) == []
    assert layout_of(extents, size_bytes) == layout


@pytest.mark.parametrize("size_bytes", [0, 1, 64 << 20, MIN_SIZE_BYTES - 1])
def test_too_small(size_bytes: int) -> None:
    with pytest.raises(UsageError, match="too small"):
        plan_layout(size_bytes)


def test_too_large() -> None:
    with pytest.raises(UsageError, match="larger"):
        plan_layout(65 << 40)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("8G", 8 << 30),
        ("512M", 512 << 20),
        ("1.5 GiB", 3 << 29),
        ("100000k", 100000 << 10),
        ("1048577", 1048576),
    ],
)
def test_sizes(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "0", "G", "-1G", "8X", "8G8", "1e9", "0.0001", "9" * 400])
def test_what_is_not_a_size(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size"):
        parse_size(text)


def test_sizes_for_people() -> None:
    assert [size_text(n) for n in (0, 1023, 1024, 80_000_000, 8 << 30, 3 << 40)] == [
        "0 bytes",
        "1023 bytes",
        "1.0 KiB",
        "76.3 MiB",
        "8.0 GiB",
        "3.0 TiB",
    ]


def test_what_is_not_a_stick() -> None:
    good = plan_layout(1 << 30)
    assert layout_problems({1: good.data}) == [
        "there is no EFI partition (2)",
        "there is no BIOS boot partition (3)",
    ]
    small = Extent(good.esp.first_sector, good.esp.last_sector - 1)
    assert "not 64.0 MiB" in layout_problems({1: good.data, 2: small, 3: good.bios})[0]
    swapped = layout_problems({1: Extent(good.esp.last_sector + 1, 3 << 20), 2: good.esp, 3: good.bios})
    assert swapped == ["the data partition is not the first"]
    overlapping = Extent(good.data.first_sector, good.esp.first_sector)
    assert layout_problems({1: overlapping, 2: good.esp, 3: good.bios}) == [
        "partition 2 overlaps the one before it"
    ]
    with pytest.raises(UsageError, match="not a hiperiso stick"):
        layout_of({}, 1 << 30)
