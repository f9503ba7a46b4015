"""Sticks that earlier versions made are still read, and can be updated."""

from __future__ import annotations

import lzma
from dataclasses import replace
from pathlib import Path

import pytest

from hiperiso.contract.stick import CONFIG_PATH, DATA_LABEL, ESP_LABEL
from hiperlab.debian.packages import Sources
from hiperlab.stick.add import add_iso
from hiperlab.stick.create import StickOptions, update_stick
from hiperlab.stick.gpt import read_table
from hiperlab.stick.image import open_data_of, read_config_of
from hiperlab.stick.listing import list_stick
from hiperlab.stick.payload import read_payload
from hiperlab.stick.verify import verify_stick

STORED = Path(__file__).parent / "stored" / "stick-0.1.img.xz"
ZEROED = ("EFI/hiperiso/grubx64.efi", "EFI/hiperiso/unicode.pf2", "core image")


@pytest.fixture
def old_stick(tmp_path: Path) -> Path:
    path = tmp_path / "stick.img"
    with path.open("wb") as file, lzma.open(STORED) as packed:
        while data := packed.read(1 << 20):
            file.write(data) if data.strip(b"\0") else file.seek(len(data), 1)
        file.truncate()
    return path


def test_a_stick_of_0_1_is_read(old_stick: Path, tmp_path: Path) -> None:
    with old_stick.open("rb") as file:
        names = [part.name for part in read_table(file, old_stick.stat().st_size).partitions.values()]
    assert names[:2] == [DATA_LABEL, ESP_LABEL]
    found = verify_stick(old_stick)
    assert found.manifest is not None and found.manifest.hiperiso_version == "0.1.0"
    assert (found.filesystem, found.manifest.grub, found.manifest.versions) == (
        "exfat",
        "given",
        {"kernel": "6.1"},
    )
    assert len(found.broken) == len(ZEROED), "what was overwritten to keep the file small, and nothing else"
    iso = tmp_path / "debian.iso"
    iso.write_bytes(Path("/usr/lib/memtest86+/memtest86+x64.iso").read_bytes())
    with open_data_of(old_stick, writable=True) as data:
        add_iso(data, iso, "/ISOs/debian.iso")
        listing = list_stick(data)
    assert listing.problems == ()
    (listed,) = listing.isos
    assert (listed.title, listed.default, listed.problem) == ("Debian 12", True, "")
    assert listed.settings["ram_mb"] == 4096 and listed.settings["cpus"] == 3
    assert listed.why["ram_mb"] == f"{CONFIG_PATH}: iso_overrides['debian.iso'].ram"
    assert {"firmware", "no_kvm", "timeout_s"} <= set(listed.settings)


def test_a_stick_of_0_1_is_updated_and_keeps_what_is_its_owner_s(
    old_stick: Path, payload: Path, sources: Sources
) -> None:
    with open_data_of(old_stick) as data:
        config = read_config_of(data)
    before = verify_stick(old_stick).manifest
    options = StickOptions(payload=read_payload(payload), sources=sources)
    update_stick(old_stick, replace(options, secure_boot=None))
    after = verify_stick(old_stick)
    assert after.findings == ()
    assert before is not None and after.manifest is not None
    assert (after.manifest.grub, after.manifest.partuuid) == ("given", before.partuuid)
    with open_data_of(old_stick) as data:
        assert read_config_of(data) == config
