"""Who signed an EFI program: real ones of the distribution, and damaged ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.iso.efiloader import describe, sbat, signers
from hiperlab.debian.packages import Sources
from hiperlab.places import package_cache
from hiperlab.stick.grub import SHIM, SIGNED_GRUB


@pytest.fixture(scope="module")
def shim() -> bytes:
    return Sources(cache=package_cache()).find(SHIM).read_bytes()


def test_the_distributions_shim_and_grub(shim: bytes) -> None:
    grub = Sources(cache=package_cache()).find(SIGNED_GRUB).read_bytes()
    assert any(name.startswith("Microsoft") and "UEFI CA" in name for name in signers(shim))
    assert any("Debian" in name for name in signers(grub))
    assert any(row.startswith("shim ") for row in sbat(shim)) and any(
        row.startswith("grub ") for row in sbat(grub)
    )
    assert describe(shim)[0].startswith("signed under Microsoft")


@pytest.mark.parametrize("cut", [0, 1, 64, 300, 4000, 100_000])
def test_a_cut_program_is_described(shim: bytes, cut: int) -> None:
    assert describe(shim[:cut])[0].startswith("not signed")


@given(st.binary(max_size=600))
def test_any_bytes_are_a_program_that_is_not_signed(data: bytes) -> None:
    assert describe(b"MZ" + data)
    signers(data)
    sbat(data)
