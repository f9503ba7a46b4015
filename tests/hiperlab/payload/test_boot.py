"""The initramfs on a machine: its own QEMU boots an ISO from the data partition, and the session is read back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hiperlab.samples.store import build_sample
from integration.contract_reader import read_index, read_session

pytestmark = pytest.mark.boots

CHAIN = (
    "console=ttyS0 loglevel=4 panic=-1 root=bootchain bootchain=waitdev,mountfs,hiperiso waitdev=LABEL=HIPERISO "
    "mountfs=DEVNAME hiperiso_log_dir=/hiperiso/logs hiperiso_firmware=bios hiperiso_after=poweroff,0"
)
ON_STICK = "/hiperiso/logs"
Start = Callable[..., "Stick"]


class Stick:
    """What is on the data partition after the machine has gone off."""

    def __init__(self, logs: Path, console: str) -> None:
        self.logs = logs
        self.console = console

    def session(self) -> tuple[Path, dict[str, Any]]:
        """The one session: its directory and its manifest, found to be as the contract says."""
        (path,) = [entry for entry in self.logs.iterdir() if entry.is_dir()]
        manifest = json.loads((path / "session.json").read_bytes())
        assert manifest["log_dir"] == f"{ON_STICK}/{path.name}"
        # The reader wants to find the directory where the manifest says it is.
        for file in (path / "session.json", self.logs / "index.jsonl"):
            file.write_text(file.read_text().replace(f'"{ON_STICK}/', f'"{self.logs}/'))
        return path, read_session(path)


@pytest.fixture
def start(payload: Path, tmp_path: Path) -> Start:
    """Start a machine from the payload with a data partition that holds `files`, wait for its end, read the logs."""

    def run(files: dict[str, bytes | Path], parameters: str, *, timeout_s: float) -> Stick:
        folder, image, serial = tmp_path / "data", tmp_path / "data.img", tmp_path / "serial.log"
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        with image.open("wb") as file:
            file.truncate(256 << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "HIPERISO", "-d", folder, image], check=True)
        argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        argv += ["-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "1", "-m", "1024"]
        argv += ["-kernel", str(payload / "vmlinuz"), "-initrd", str(payload / "initramfs.cpio.gz")]
        argv += ["-drive", f"if=none,id=d,format=raw,file={image}", "-device", "virtio-blk-pci,drive=d"]
        argv += ["-serial", f"file:{serial}", "-append", f"{CHAIN} {parameters}"]
        try:
            subprocess.run(argv, timeout=timeout_s, check=True, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the machine did not go off:\n{serial.read_text(errors='replace')}")
        subprocess.run(["e2fsck", "-fn", image], check=True, capture_output=True)
        out = tmp_path / "out"
        out.mkdir()
        subprocess.run(["debugfs", "-R", f"rdump {ON_STICK} {out}", image], check=True, capture_output=True)
        return Stick(out / "logs", serial.read_text(errors="replace"))

    return run


def test_an_iso_boots_to_its_login_under_kvm(start: Start) -> None:
    # The outer QEMU emulates AMD's virtualisation, so the whole path with KVM runs here.
    stick = start(
        {"ISOs/sub folder/log in.iso": build_sample("login-serial")},
        '"hiperiso_iso=/ISOs/sub folder/log in.iso" hiperiso_guest_ram=400 hiperiso_guest_cpus=1',
        timeout_s=400,
    )
    path, manifest = stick.session()
    assert (manifest["status"], manifest["result"]) == ("complete", "success"), stick.console
    assert manifest["analysis"]["boot_stage_final"] == "login"
    assert (manifest["kvm"], manifest["accel"]) == ("available", "kvm")
    assert manifest["iso_path"] == "/ISOs/sub folder/log in.iso"
    assert (manifest["guest_ram_mb"], manifest["guest_cpus"]) == (400, 1)
    events = [json.loads(line) for line in (path / "events.jsonl").read_text().splitlines()]
    stages = [e["text"] for e in events if (e["source"], e["kind"]) == ("harness", "status")]
    assert stages == ["mounted", "kvm_ok", "launching_qemu", "qemu_exited"]
    assert "login" in (path / "serial.log").read_text(errors="replace")
    # The same summary is on the console and where the boot menu shows it.
    summary = (stick.logs / "last.txt").read_text()
    assert summary == (path / "report.txt").read_text()
    assert summary.splitlines()[0] in stick.console
    assert "Power down" in stick.console


def test_settings_come_from_the_stick_and_the_command_line_wins(start: Start) -> None:
    config = {"iso_overrides": {"No*.iso": {"ram": 96, "cpus": 2, "trace": "none", "net_dump": True}}}
    stick = start(
        {"ISOs/no.iso": build_sample("not-bootable"), "hiperiso/hiperiso.json": json.dumps(config).encode()},
        "hiperiso_iso=/ISOs/no.iso hiperiso_accel=tcg hiperiso_guest_cpus=1",
        timeout_s=300,
    )
    path, manifest = stick.session()
    assert (manifest["status"], manifest["result"]) == ("complete", "failure"), stick.console
    assert manifest["analysis"]["failure_domain"] == "firmware"
    assert (manifest["guest_ram_mb"], manifest["guest_cpus"], manifest["trace_level"]) == (96, 1, "none")
    assert (manifest["kvm"], manifest["accel"]) == ("unknown", "tcg")
    assert "status tcg_emulation" in stick.console
    assert (path / "network.pcap").exists() and not list(path.glob("trace.*"))
    assert "iso_overrides" in (path / "env.txt").read_text()


def test_an_iso_that_is_not_there(start: Start) -> None:
    stick = start({"ISOs/other.iso": b"x"}, "hiperiso_iso=/ISOs/gone.iso", timeout_s=200)
    path, manifest = stick.session()
    assert manifest["status"] == "failed" and manifest["qemu_exit_code"] is None
    assert json.loads((path / "status.json").read_text())["stage"] == "iso_not_found"
    assert manifest["iso_path"] == "/ISOs/gone.iso"
    assert len(read_index(stick.logs)) == 1
    assert "/ISOs/gone.iso" in (path / "FAILURE.txt").read_text()
    assert "gone.iso" in stick.console and "Power down" in stick.console
