"""What `hiperiso doctor` says of sticks."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiperiso.errors import HarnessFault
from hiperiso.machine.capabilities import CheckState
from hiperlab.stick.needs import NEEDS, STICK, check_programs, is_there, on_filesystem, stick_checks


def test_this_machine_makes_sticks() -> None:
    states = {check.name: check.state for check in stick_checks()}
    assert set(states) == {*(need.name for need in NEEDS), "boot loaders"}
    assert set(states.values()) == {CheckState.OK}


def test_what_is_missing_is_named_with_its_packages(tmp_path: Path) -> None:
    missing = {"sgdisk", "mcopy", "mkntfs", "apt-get"}
    found = {check.name: check for check in stick_checks(tmp_path, lambda name: name not in missing)}
    stick = found["stick"]
    assert stick.state is CheckState.WARN and "sgdisk, mcopy not installed" in stick.detail
    assert "gdisk" in stick.fix and "mtools" in stick.fix
    assert "ntfs-3g" in found["stick on NTFS"].fix
    assert found["payload"].state is CheckState.OK
    loaders = found["boot loaders"]
    assert loaders.state is CheckState.WARN and "shim-signed" in loaders.detail
    (relaxed,) = [check for check in stick_checks(tmp_path, lambda _: True) if check.name == "boot loaders"]
    assert relaxed.state is CheckState.OK and "stick create downloads them" in relaxed.detail


def test_what_a_new_stick_needs_is_checked_first() -> None:
    check_programs(STICK, on_filesystem("exfat"), what="create", there=lambda name: name != "mkntfs")
    missing = {"mkntfs", "sgdisk", "mke2fs"}
    with pytest.raises(HarnessFault, match="create needs what is not installed: sgdisk, mkntfs") as raised:
        check_programs(STICK, on_filesystem("ntfs"), what="create", there=lambda name: name not in missing)
    assert "gdisk" in raised.value.hint and "ntfs-3g" in raised.value.hint


def test_programs_and_libraries() -> None:
    assert is_there("sh") and not is_there("no-such-program")
    assert is_there("libc.so.6") and not is_there("libnosuch.so.1")
