"""Images for persistence, as e2fsprogs reads them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from hiperiso.errors import UsageError
from hiperlab.persistence import Label, create_persistence
from integration.conftest import command


def debugfs(image: Path, request: str) -> str:
    return subprocess.run(
        ["debugfs", "-R", request, image], capture_output=True, text=True, check=True
    ).stdout


def superblock(image: Path) -> dict[str, str]:
    text = subprocess.run(["dumpe2fs", "-h", image], capture_output=True, text=True, check=True).stdout
    return {
        name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())
    }


@pytest.mark.parametrize("label", Label)
def test_each_label(tmp_path: Path, label: Label) -> None:
    image = tmp_path / "changes.dat"
    create_persistence(image, label, 64)
    subprocess.run(["e2fsck", "-f", "-n", image], check=True, capture_output=True)
    found = superblock(image)
    assert found["Filesystem volume name"] == label and "has_journal" in found["Filesystem features"]
    assert image.stat().st_size == 64 << 20 > image.stat().st_blocks * 512
    conf = debugfs(image, "cat persistence.conf")
    assert conf == ("/ union\n" if label is Label.PERSISTENCE else "")
    assert "drwxr-xr-x" in debugfs(image, "ls -l") or "40755" in debugfs(image, "ls -l")
    assert list(tmp_path.iterdir()) == [image]


def test_what_is_kept_and_what_is_there(tmp_path: Path) -> None:
    image = tmp_path / "changes.dat"
    create_persistence(image, Label.PERSISTENCE, 16, keep=("/home union", "/etc union"))
    assert debugfs(image, "cat persistence.conf") == "/home union\n/etc union\n"
    before = image.read_bytes()
    with pytest.raises(UsageError, match="it exists"):
        create_persistence(image, Label.CASPER, 16)
    assert image.read_bytes() == before
    create_persistence(image, Label.CASPER, 32, force=True)
    assert superblock(image)["Filesystem volume name"] == "casper-rw"
    for path, keep in ((tmp_path, ()), (tmp_path / "no/such", ()), (tmp_path / "x", ("/ union",))):
        with pytest.raises(UsageError):
            create_persistence(path, Label.CASPER, 16, keep=keep, force=True)


def test_the_command(tmp_path: Path) -> None:
    words = ("persistence", "create", "--label", "casper-rw", "--size", "1G", tmp_path / "a.dat", "--json")
    done = subprocess.run(command(*words), capture_output=True, text=True, check=True)
    made = json.loads(done.stdout)
    assert made == {"file": str(tmp_path / "a.dat"), "label": "casper-rw", "size_bytes": 1 << 30}
    assert superblock(tmp_path / "a.dat")["Filesystem volume name"] == "casper-rw"
    for wrong in (("--size", "2"), ("--size", "lots"), ("--label", "other")):
        refused = subprocess.run(command(*words, *wrong), capture_output=True, text=True, check=False)
        assert refused.returncode == 2 and "Traceback" not in refused.stderr and refused.stderr
