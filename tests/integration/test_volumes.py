"""Volumes beside the medium, as a guest sees them: GRUB finds each by its label and shows its file."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from hiperiso.images.fatvolume import fat_volume
from integration.conftest import Boot

pytestmark = pytest.mark.boots
GRUB_CFG = """\
serial --unit=0
terminal_output serial
for label in OEMDRV DUD SECOND CHANGES INJECTION; do
  if search --no-floppy --label $label --set=found; then
    echo "volume $label"; cat ($found)/ks.cfg; cat ($found)/list; cat ($found)/sub/injected
  fi
done
echo all shown
"""


def test_a_guest_finds_all_volumes(boot: Boot, tmp_path: Path) -> None:
    tree = tmp_path / "tree/boot/grub"
    tree.mkdir(parents=True)
    (tree / "grub.cfg").write_text(GRUB_CFG)
    iso = tmp_path / "volumes.iso"
    subprocess.run(["grub-mkrescue", "-o", iso, tmp_path / "tree"], check=True, capture_output=True)
    (tmp_path / "answers").write_text("text\nrootpw --lock\n")
    (tmp_path / "dud.img").write_bytes(fat_volume({"list": b"driver of the disk\n"}, "DUD"))
    (tmp_path / "second.img").write_bytes(fat_volume({"list": b"another driver\n"}, "SECOND"))
    with zipfile.ZipFile(tmp_path / "files.zip", "w") as archive:
        archive.writestr("sub/injected", "from the archive\n")
    (tmp_path / "changes.dat").write_bytes(fat_volume({"list": b"changes of before\n"}, "CHANGES"))
    config = tmp_path / "hiperiso.json"
    config.write_text(
        json.dumps(
            {
                "iso_overrides": {
                    "*.iso": {
                        "dud": ["dud.img", "second.img"],
                        "auto_install": "answers",
                        "injection": "files.zip",
                    }
                }
            }
        )
    )
    booted = boot(
        *(iso, "--config", str(config), "--persistence", str(tmp_path / "changes.dat")),
        *("--firmware", "bios", "--expect-text", "all shown", "--timeout", "60"),
    )
    assert booted.exit_code == 0, booted.stderr
    serial = (booted.session / "serial.log").read_text(errors="replace")
    drivers = ("driver of the disk", "another driver")
    for text in ("volume OEMDRV", "rootpw --lock", *drivers, "changes of before", "from the archive"):
        assert text in serial
    assert not list(booted.session.glob("*.img"))
