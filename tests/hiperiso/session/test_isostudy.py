"""The facts about the ISO that are found out beside its boot."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

from hiperiso.iso.image import IsoImage
from hiperiso.session.isostudy import IsoStudy, file_sha256
from waiting import DEADLINE_S

IPXE = Path("/usr/lib/ipxe/ipxe.iso")


def test_the_facts_of_an_iso(tmp_path: Path) -> None:
    with IsoImage(IPXE) as image:
        facts = IsoStudy(image, cache=tmp_path / "hashes.json").finish(DEADLINE_S)
    assert facts.sha256 == hashlib.sha256(IPXE.read_bytes()).hexdigest()
    assert facts.size_bytes == IPXE.stat().st_size
    assert facts.created_utc.startswith("20")
    assert facts.volume_id


def test_a_hash_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    cache, file = tmp_path / "cache" / "hashes.json", tmp_path / "a.iso"
    file.write_bytes(b"one")
    first = file_sha256(file, cache)
    os.utime(file, ns=(1, 1))
    second = file_sha256(file, cache)
    assert first == second == hashlib.sha256(b"one").hexdigest()
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))  # the same size and time: it is taken for the same file, so the cache was read
    assert file_sha256(file, cache) == first
    os.utime(file, ns=(2, 2))
    assert file_sha256(file, cache) == hashlib.sha256(b"two").hexdigest()


def test_a_damaged_or_unwritable_cache_is_no_obstacle(tmp_path: Path) -> None:
    file, cache = tmp_path / "a.iso", tmp_path / "hashes.json"
    file.write_bytes(b"one")
    cache.write_bytes(b"{")
    assert file_sha256(file, cache) == hashlib.sha256(b"one").hexdigest()
    assert file_sha256(file, tmp_path / "a.iso" / "below") == hashlib.sha256(b"one").hexdigest()
    assert file_sha256(file, None) == hashlib.sha256(b"one").hexdigest()


def test_an_end_before_the_hash_leaves_it_out(tmp_path: Path) -> None:
    file, stop = tmp_path / "a.iso", threading.Event()
    file.write_bytes(b"one")
    stop.set()
    assert file_sha256(file, tmp_path / "hashes.json", stop) == ""
    assert not (tmp_path / "hashes.json").exists()


def test_a_device_is_not_read_whole() -> None:
    assert file_sha256(Path("/dev/null"), None) == ""
