"""`hiperiso stick add` with the files of settings: where they go, what hiperiso.json says, what `list` shows."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hiperiso.errors import UsageError
from hiperiso.images.fatvolume import fat_volume
from hiperlab.stick.attach import Attachments
from hiperlab.stick.contents import AddRequest, add
from hiperlab.stick.image import open_data_of
from hiperlab.stick.listing import ListedIso, list_stick
from hiperlab.stick.verify import verify_stick

from .oracle import run

KICKSTART = "text\nrootpw --lock\nautopart\n"
ISO = "a [1].iso"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ISO, and a file for each setting, in the working directory."""
    monkeypatch.chdir(tmp_path)
    Path(ISO).write_bytes(os.urandom(40_000))
    Path("ks.cfg").write_text(KICKSTART)
    Path("changes.dat").write_bytes(fat_volume({"list": b"x"}, "CHANGES"))
    Path("dud.img").write_bytes(fat_volume({"list": b"y"}, "DUD"))
    Path("my.cfg").write_text("menu\n")
    Path("empty.cfg").touch()
    os.mkfifo("pipe")
    return tmp_path


def put(target: Path, *settings: str, isos: tuple[str, ...] = (ISO,), **values: Any) -> None:
    add(AddRequest(target, [Path(iso) for iso in isos], "/ISOs", Attachments(values, settings), as_json=True))


def listed(target: Path) -> dict[str, ListedIso]:
    with open_data_of(target) as data:
        return {iso.path: iso for iso in list_stick(data).isos}


def test_files_and_settings_of_an_iso(stick: Path, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = files / "mnt"
    (folder / "hiperiso").mkdir(parents=True)
    before = {"menu_alias": [], "iso_overrides": {"*": {"cpus": 1, "ram": 512}}}
    (folder / "hiperiso/hiperiso.json").write_text(json.dumps(before))
    replaced = ["org=/boot/grub/grub.cfg;new=my.cfg", "org=/a;new=my.cfg", "org=/b;new=empty.cfg"]
    for target in (stick, folder):
        put(
            target,
            "ram=4G",
            auto_install="ks.cfg",
            persistence="changes.dat",
            dud=["dud.img"],
            conf_replace=replaced,
        )
        paths = [row["path"] for row in json.loads(capsys.readouterr().out)]
        places = [
            f"/hiperiso/files/{name}" for name in ("ks.cfg", "changes.dat", "dud.img", "my.cfg", "empty.cfg")
        ]
        assert paths == [f"/ISOs/{ISO}", *places]
        row = listed(target)[f"/ISOs/{ISO}"]
        assert row.settings["auto_install"] == "/hiperiso/files/ks.cfg"
        assert row.settings["persistence"] == "/hiperiso/files/changes.dat"
        assert row.settings["dud"] == ["/hiperiso/files/dud.img"]
        on_stick = [text.replace("new=", "new=/hiperiso/files/") for text in replaced]
        assert row.settings["conf_replace"] == on_stick
        assert row.settings["ram_mb"] == 4096  # wins over the pattern for all
        assert (sorted(row.files), row.problem) == (sorted(places), "")
    document = json.loads((folder / "hiperiso/hiperiso.json").read_text())
    assert document["menu_alias"] == [] and list(document["iso_overrides"]) == ["*", "/ISOs/a [[]1].iso"]
    assert (folder / "hiperiso/files/ks.cfg").read_text() == KICKSTART
    (folder / "hiperiso/files/dud.img").unlink()
    assert listed(folder)[f"/ISOs/{ISO}"].problem == "missing on the stick: /hiperiso/files/dud.img"
    assert verify_stick(stick).broken == []


def test_an_iso_that_is_there_only_gets_settings_and_others_stay(
    stick: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stick, "cpus=1")
    capsys.readouterr()
    put(stick, dud=["dud.img"])
    assert [row["already"] for row in json.loads(capsys.readouterr().out)] == [True, False]
    row = listed(stick)[f"/ISOs/{ISO}"]
    assert row.settings == {"cpus": 1, "dud": ["/hiperiso/files/dud.img"]}
    assert files.is_dir()


@pytest.mark.parametrize(
    ("settings", "values", "said"),
    [
        (
            (),
            {"dud": ["none.img"], "persistence": "gone.dat"},
            ("none.img: no such file", "gone.dat: no such"),
        ),
        ((), {"dud": ["pipe", "empty.cfg"]}, ("pipe: is not a file", "empty.cfg: is empty")),
        ((), {"auto_install": "changes.dat"}, ("answers of no known kind",)),
        (("rem=4G",), {}, ("unknown setting 'rem'", "ram")),
        (("ram=lots", "cpus=0"), {}, ("--set ram", "--set cpus")),
        (("ram",), {}, ("NAME=VALUE",)),
        ((), {"conf_replace": ["my.cfg"]}, ("--conf-replace", "org=")),
        ((), {"dud": ["dud.img", "b/dud.img"]}, ("has the name of",)),
    ],
)
def test_what_cannot_be_used_writes_nothing(
    files: Path, settings: tuple[str, ...], values: dict[str, Any], said: tuple[str, ...]
) -> None:
    (files / "b").mkdir()
    (files / "b/dud.img").write_bytes(b"other")
    (files / "mnt/hiperiso").mkdir(parents=True)
    with pytest.raises(UsageError) as refused:
        put(files / "mnt", *settings, **values)
    for text in said:
        assert text in refused.value.message
    assert [path.name for path in (files / "mnt").rglob("*")] == ["hiperiso"]


def test_a_broken_hiperiso_json_is_not_replaced(files: Path) -> None:
    (files / "mnt/hiperiso").mkdir(parents=True)
    (files / "mnt/hiperiso/hiperiso.json").write_text("{broken")
    with pytest.raises(UsageError, match="not valid JSON"):
        put(files / "mnt", dud=["dud.img"])
    assert (files / "mnt/hiperiso/hiperiso.json").read_text() == "{broken"
    assert not (files / "mnt/ISOs").exists()


def test_files_that_are_no_iso_are_warned_of(
    stick: Path, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("page.iso").write_text("<!DOCTYPE html><html>404</html>" * 100)
    sector = bytearray(2048)
    sector[:7] = b"\x01CD001\x01"
    sector[80:88] = (5000).to_bytes(4, "little") + (5000).to_bytes(4, "big")
    sector[128:132] = (2048).to_bytes(2, "little") + (2048).to_bytes(2, "big")
    end = bytearray(2048)
    end[:7] = b"\xffCD001\x01"
    (files / "cut.iso").write_bytes(bytes(1 << 15) + sector + end + bytes(100_000))
    put(stick, isos=("page.iso", "cut.iso"))
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)) == 2
    assert "/ISOs/page.iso is not an image that can be booted" in printed.err and "a web page" in printed.err
    assert "/ISOs/cut.iso is incomplete: 9.6 MiB are missing" in printed.err
    found = listed(stick)
    assert "a web page" in found["/ISOs/page.iso"].warning and "incomplete" in found["/ISOs/cut.iso"].warning


def test_an_archive_that_the_stick_cannot_read_is_put_in_another_form(stick: Path, files: Path) -> None:
    Path("list").write_text("injected")
    run("bsdtar", "--zstd", "-cf", "files.tar.zst", "list")
    put(stick, injection="files.tar.zst")
    row = listed(stick)[f"/ISOs/{ISO}"]
    assert (row.settings["injection"], row.problem) == ("/hiperiso/files/files.tar.xz", "")
    with open_data_of(stick) as data:
        packed = b"".join(data.read("/hiperiso/files/files.tar.xz"))
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:xz") as archive:
        assert archive.getnames() == ["list"]
    Path("evil.tar").write_bytes(b"")
    with tarfile.open("evil.tar", "w") as archive:
        archive.add("list", "../list")
    with pytest.raises(UsageError, match="evil"):
        put(stick, injection="evil.tar")
    assert files.is_dir()
