"""ISOs and recordings are removed from a stick."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hiperiso.errors import UsageError
from hiperlab.stick.attach import Attachments
from hiperlab.stick.collect import plan_collect
from hiperlab.stick.contents import AddRequest, PruneRequest, add, prune, remove
from hiperlab.stick.data import DataPartition
from hiperlab.stick.image import open_data_of
from hiperlab.stick.listing import list_stick
from hiperlab.stick.removed import REMOVED_PATH

from .oracle import cut, fsck_exfat
from .test_collect import session
from .test_create import extents

NAMES = ("a_20260701T000000Z", "b_20260702T000000Z", "c_20260703T000000Z")


@pytest.fixture
def filled(stick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A stick with two ISOs and three recordings, one of them in the log directory of its ISO."""
    iso, source = tmp_path / "a.iso", tmp_path / "source"
    iso.write_bytes(os.urandom(300_000))
    add(AddRequest(stick, [iso], "/ISOs", Attachments({}, ("cpus=1",))))
    add(AddRequest(stick, [iso], "/ISOs/old", Attachments()))
    with open_data_of(stick, writable=True) as data:
        for number, name in enumerate(NAMES):
            folder = f"/hiperiso/logs/{'own/' if number == 1 else ''}{name}"
            copy(data, session(source, name), folder)
        data.replace("/hiperiso/logs/index.jsonl", b"{}\n")
    capsys.readouterr()
    return stick


def copy(data: DataPartition, source: Path, target: str) -> None:
    for path in [source, *sorted(source.rglob("*"))]:
        place = f"{target}/{path.relative_to(source)}".removesuffix("/.")
        if path.is_dir():
            data.make_folders(place)
        else:
            data.add(place, [path.read_bytes()], path.stat().st_size)


def recordings(stick: Path) -> list[str]:
    with open_data_of(stick) as data:
        found = [file.path for file in data.walk("/hiperiso/logs") if file.is_folder]
    return sorted(path.rpartition("/")[2] for path in found if path.endswith("Z"))


def test_isos_are_removed_by_name_or_path(
    filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=r"a\.iso is at /ISOs/a\.iso, /ISOs/old/a\.iso; none\.iso is not on"):
        remove(filled, ["a.iso", "none.iso"], as_json=False)
    remove(filled, ["/ISOs/a.iso"], as_json=False)
    out = capsys.readouterr().out
    assert "/ISOs/a.iso: removed, 293.0 KiB" in out
    assert "settings are still in hiperiso.json: /ISOs/a.iso" in out
    remove(filled, ["A.ISO"], as_json=True)
    (row,) = json.loads(capsys.readouterr().out)
    assert row == {"path": "/ISOs/old/a.iso", "size_bytes": 300_000, "settings": []}
    with open_data_of(filled) as data:
        assert list_stick(data).isos == ()
    assert recordings(filled) == list(NAMES)
    part = extents(filled)[1]
    fsck_exfat(cut(filled, part.offset_bytes, part.size_bytes, tmp_path / "data"))


def test_old_recordings_are_removed_and_noted(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError) as refused:
        prune(PruneRequest(filled))
    assert "--keep" in (refused.value.hint or "")
    prune(PruneRequest(filled, keep=1, dry_run=True))
    assert capsys.readouterr().out.count("would be removed,") == 2
    assert recordings(filled) == list(NAMES)
    prune(PruneRequest(filled, keep=1, as_json=True))
    gone = json.loads(capsys.readouterr().out)["removed"]
    assert [row["session_id"] for row in gone] == list(NAMES[:2])
    assert recordings(filled) == [NAMES[2]]
    with open_data_of(filled) as data:
        lines = [json.loads(line) for line in b"".join(data.read(REMOVED_PATH)).splitlines()]
        assert b"".join(data.read("/hiperiso/logs/index.jsonl")) == b"{}\n"
    assert [line["session_id"] for line in lines] == list(NAMES[:2])
    assert lines[0]["result"] and lines[0]["iso_basename"]
    prune(PruneRequest(filled, max_size="1K", older_than="1s"))
    assert recordings(filled) == []


def test_an_interrupted_removal_is_finished_by_the_next(
    filled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_data_of(filled, writable=True) as data:
        line = json.dumps({"session_id": NAMES[2]}).encode()
        data.replace(REMOVED_PATH, b"\xff not JSON\n" + line + b"\n")
        data.remove(f"/hiperiso/logs/{NAMES[2]}/session.json")
        assert [name.rpartition("/")[2] for name in plan_collect(data).sessions] == list(NAMES[:2])
    prune(PruneRequest(filled, keep=9))
    assert "1 recordings removed" in capsys.readouterr().out
    assert recordings(filled) == list(NAMES[:2])
