"""The contract's parameters on a booted stick: from the menu by the kernel command line, and from hiperiso.json."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from hiperiso.images.fatvolume import fat_volume
from hiperlab.stick.layout import plan_layout
from integration.contract_reader import read_session
from integration.stick_machine import Machine, machine
from waiting import DEADLINE_S

from ..oracle import cut, fsck_exfat
from .conftest import INNER_S, MENU_S, OPTIONS, SIZE, Session, by_iso, choose, collected, hiperiso, leave

pytestmark = [pytest.mark.boots, pytest.mark.slow, pytest.mark.timeout(7200)]

GRUB_CFG = """\
serial --unit=0
terminal_output serial
for label in OEMDRV DUD CHANGES INJECTION; do
  if search --no-floppy --label $label --set=found; then
    echo "volume $label"; cat ($found)/ks.cfg; cat ($found)/list
  fi
done
cat /shown.txt
if cpuid -l; then echo "a 64-bit processor"; else echo "a 32-bit processor"; fi
lspci
echo all shown
"""
SHOWN = (
    "volume OEMDRV",
    "rootpw --lock",
    "driver of the disk",
    "changes of before",
    "from the stick",
    "injected by an archive",
    "a 32-bit processor",
)
NETWORK_CARD = re.compile(r"1af4:10(00|41)")


@pytest.fixture(scope="module")
def stick(tmp_path_factory: pytest.TempPathFactory, real_payload: Path) -> Path:
    """Three ISOs with a guest that shows what it sees: two have the parameters, each in its own form."""
    folder = tmp_path_factory.mktemp("parameters")
    (folder / "tree/boot/grub").mkdir(parents=True)
    (folder / "tree/boot/grub/grub.cfg").write_text(GRUB_CFG)
    (folder / "tree/shown.txt").write_text("from the ISO\n")
    isos = [folder / name for name in ("named.iso", "by file.iso", "plain.iso")]
    argv: list[str | Path] = ["grub-mkrescue", "-o", isos[0], folder / "tree"]
    subprocess.run(argv, check=True, capture_output=True, timeout=DEADLINE_S)
    for iso in isos[1:]:
        iso.hardlink_to(isos[0])
    (folder / "answers").write_text("text\nrootpw --lock\n")
    (folder / "dud.img").write_bytes(fat_volume({"list": b"driver of the disk\n"}, "DUD"))
    (folder / "changes.dat").write_bytes(fat_volume({"list": b"changes of before\n"}, "CHANGES"))
    (folder / "mine.txt").write_text("from the stick\n")
    with tarfile.open(folder / "injected.tar.gz", "w:gz") as archive:
        archive.add(text_file(folder / "list", "injected by an archive\n"), "list")
    files = "/hiperiso/files"
    overrides = {
        "*": {
            "cpus": 1,
            "ram": 128,
            "firmware": "bios",
            "display": "none",
            "accel": "tcg",
            "expect_text": "all shown",
        },
        "*file*": {
            "auto_install": f"{files}/answers",
            "persistence": f"{files}/changes.dat",
            "dud": [f"{files}/dud.img"],
            "conf_replace": [{"org": "/shown.txt", "new": f"{files}/mine.txt"}],
            "injection": f"{files}/injected.tar.gz",
            "cpu_features": ["-lm"],
            "net_dump": True,
        },
    }
    config, image = folder / "hiperiso.json", folder / "stick.img"
    config.write_text(json.dumps({"iso_overrides": overrides}))
    made = ("stick", "create", image, "--size", SIZE, "--payload", real_payload, "--config", config)
    hiperiso(*made, "--yes", "--no-secure-boot", "--kernel-options", OPTIONS)
    words = ("--auto-install", folder / "answers", "--persistence", folder / "changes.dat")
    replaced = ("--conf-replace", f"org=/shown.txt;new={folder / 'mine.txt'}", "--dud", folder / "dud.img")
    settings = ("--set", "cpu_features=-lm", "--set", "net_dump=1")
    injected = ("--injection", folder / "injected.tar.gz")
    hiperiso("stick", "add", image, isos[0], *words, *replaced, *injected, *settings)
    hiperiso("stick", "add", image, *isos[1:])
    hiperiso("stick", "update", image, "--payload", real_payload)  # the menu passes them on
    return image


def text_file(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_guest_sees_the_parameters_of_both_forms(stick: Path, tmp_path: Path) -> None:
    with machine(stick, Machine("bios", memory_mb=1024, keep=True), tmp_path) as console:
        console.wait_next("Power off", MENU_S)
        console.type("\r")  # the first: named.iso
        console.wait_next("recorded in", INNER_S)
        for name in ("by file.iso", "plain.iso"):
            choose(console, name)
            console.wait_next("recorded in", INNER_S)
        leave(console)
    found = by_iso(collected(stick, tmp_path / "logs"))
    assert set(found) == {"named.iso", "by file.iso", "plain.iso"}
    for session in found.values():
        assert session.manifest["result"] == "success", (session.path / "report.txt").read_text()
    for name, origin in (("named.iso", "hiperiso_dud"), ("by file.iso", "iso_overrides['*file*'].dud")):
        assert origin in (found[name].path / "env.txt").read_text()
        serial = serial_of(found[name])
        for text in SHOWN:
            assert text in serial, (name, text, serial)
        assert NETWORK_CARD.search(serial)
        assert (found[name].path / "network.pcap").stat().st_size >= 24
    plain = serial_of(found["plain.iso"])  # what the command line said was for the other ISO
    assert "from the ISO" in plain and "a 64-bit processor" in plain
    assert not NETWORK_CARD.search(plain) and not any(text in plain for text in SHOWN)
    # What the stick's kernel wrote is removed here, and the file system stays whole.
    assert "2 recordings removed" in hiperiso("stick", "prune", stick, "--keep", "1")
    hiperiso("stick", "remove", stick, "by file.iso", "plain.iso")
    data = plan_layout(stick.stat().st_size).data
    fsck_exfat(cut(stick, data.offset_bytes, data.size_bytes, tmp_path / "data"))


def serial_of(session: Session) -> str:
    return (session.path / "serial.log").read_text(errors="replace")


def test_a_stick_is_booted_and_recorded_and_stays_as_it_is(stick: Path, tmp_path: Path) -> None:
    with stick.open("rb") as file:
        before = hashlib.file_digest(file, "sha256").digest()
    words = ("--firmware", "bios", "--ram", "1024", "--cpus", "1", "--log-root", tmp_path, "--json")
    manifest = json.loads(hiperiso("stick", "boot", stick, *words, timeout_s=10 * DEADLINE_S))
    assert (manifest["result"], manifest["iso_basename"]) == ("success", "stick.img")
    session = Session(tmp_path / manifest["session_id"], read_session(tmp_path / manifest["session_id"]))
    serial = serial_of(session)
    assert "recorded in /hiperiso/logs/named_" in serial and "status tcg_emulation" in serial
    with stick.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").digest() == before
