"""ISOs put on a stick and listed from it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hiperiso.errors import UsageError
from hiperlab.stick.add import add_iso, plan_add
from hiperlab.stick.data import FolderData
from hiperlab.stick.image import open_data_of
from hiperlab.stick.listing import list_stick

from .oracle import cut, fsck_exfat
from .test_create import extents


def write(path: Path, size_bytes: int = 100_000) -> Path:
    path.write_bytes(os.urandom(size_bytes))
    return path


def test_added_and_read_back(stick: Path, tmp_path: Path) -> None:
    iso = write(tmp_path / "it's (a) [name] $x.iso")
    reported: list[int] = []
    with open_data_of(stick, writable=True) as data:
        planned = plan_add(data, [iso], "/ISOs/new folder")
        added = add_iso(data, iso, planned[iso], progress=reported.append)
        assert sum(reported) == 2 * iso.stat().st_size
        assert not added.already
        assert add_iso(data, iso, planned[iso]).already
    with open_data_of(stick) as data:
        assert b"".join(data.read(added.path)) == iso.read_bytes()
    part = extents(stick)[1]
    fsck_exfat(cut(stick, part.offset_bytes, part.size_bytes, tmp_path / "data"))


def test_a_mounted_stick(tmp_path: Path) -> None:
    root = tmp_path / "mounted"
    (root / "hiperiso").mkdir(parents=True)
    iso = write(tmp_path / "a.iso")
    with open_data_of(root, writable=True) as data:
        added = add_iso(data, iso, plan_add(data, [iso])[iso])
        assert added.path == "/ISOs/a.iso"
        assert [item.path for item in list_stick(data).isos] == ["/ISOs/a.iso"]
        with pytest.raises(UsageError, match="outside of the stick"):
            data.find("/ISOs/../../etc/passwd")
    assert (root / "ISOs" / "a.iso").read_bytes() == iso.read_bytes()
    assert [path.name for path in (root / "ISOs").iterdir()] == ["a.iso"]


def test_everything_wrong_is_said_at_once(stick: Path, tmp_path: Path) -> None:
    good, empty, text = (
        write(tmp_path / "a.iso"),
        write(tmp_path / "empty.iso", 0),
        write(tmp_path / "notes.txt"),
    )
    (tmp_path / "b").mkdir()
    twice, colon = write(tmp_path / "b" / "A.ISO"), write(tmp_path / "a:b.iso")
    with open_data_of(stick) as data:
        with pytest.raises(UsageError) as caught:
            plan_add(data, [good, empty, text, tmp_path / "none.iso", tmp_path, twice, colon])
        for words in ("is empty", "not named .iso", "no such file", "is not a file", "named twice", "':'"):
            assert words in caught.value.message
        assert plan_add(data, [good]) == {good: "/ISOs/a.iso"}


def test_space_is_checked_before(stick: Path, tmp_path: Path) -> None:
    big = tmp_path / "big.iso"
    big.touch()
    os.truncate(big, 1 << 40)
    with open_data_of(stick) as data, pytest.raises(UsageError, match=r"free, 1.0 TiB are needed"):
        plan_add(data, [big])


def test_other_content_under_the_same_name(stick: Path, tmp_path: Path) -> None:
    iso = write(tmp_path / "a.iso")
    with open_data_of(stick, writable=True) as data:
        add_iso(data, iso, "/ISOs/a.iso")
        write(iso)
        with pytest.raises(UsageError, match="other content"):
            add_iso(data, iso, "/ISOs/A.iso")
        longer = write(tmp_path / "changes.dat", 5)
        with pytest.raises(UsageError, match=r"/ISOs/a\.iso exists .*; /ISOs exists"):
            plan_add(data, [write(iso, 7)], others={longer: "/ISOs"})  # before anything is copied


CONFIG = {
    "control": {"depth": 1, "default_image": "/ISOs/b.iso"},
    "menu_alias": [{"image": "/ISOs/a.iso", "alias": "The A"}, {"dir": "/ISOs/sub", "alias": "Sub"}],
    "menu_tip": [{"image": "/ISOs/a.iso", "tip": "first"}],
    "iso_overrides": {"*.iso": {"cpus": 1}, "a.iso": {"ram": 4096}, "*/sub/*": {"ram": "lots"}},
}


def folder_with(tmp_path: Path, config: object) -> FolderData:
    for name in (
        "a.iso",
        "b.ISO",
        "notes.txt",
        "._junk.iso",
        "sub/c.iso",
        "sub/deeper/d.iso",
        ".hidden/e.iso",
        "b.iso",
    ):
        path = tmp_path / "ISOs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "hiperiso").mkdir()
    (tmp_path / "hiperiso" / "hiperiso.json").write_text(
        config if isinstance(config, str) else json.dumps(config)
    )
    return FolderData(tmp_path)


def test_what_the_menu_shows_and_which_settings_apply(tmp_path: Path) -> None:
    listing = list_stick(folder_with(tmp_path, CONFIG))
    by_path = {iso.path: iso for iso in listing.isos}
    assert sorted(by_path) == ["/ISOs/a.iso", "/ISOs/b.ISO", "/ISOs/b.iso", "/ISOs/sub/c.iso"]
    assert list(by_path)[-1] == "/ISOs/sub/c.iso"  # level by level
    assert by_path["/ISOs/a.iso"].title == "The A  -  first"
    assert by_path["/ISOs/a.iso"].settings == {"cpus": 1, "ram_mb": 4096}
    assert by_path["/ISOs/a.iso"].why["ram_mb"] == "/hiperiso/hiperiso.json: iso_overrides['a.iso'].ram"
    assert by_path["/ISOs/sub/c.iso"].title == "Sub/c.iso"
    assert "'lots'" in by_path["/ISOs/sub/c.iso"].problem
    assert [iso.path for iso in listing.isos if iso.default] == ["/ISOs/b.iso"]


def test_a_broken_configuration_does_not_hide_the_isos(tmp_path: Path) -> None:
    listing = list_stick(folder_with(tmp_path, "{nonsense"))
    assert len(listing.isos) == 5
    assert "not valid JSON" in listing.problems[0]
