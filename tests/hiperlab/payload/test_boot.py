"""The initramfs on a machine: its own QEMU boots an ISO from the data partition, and the session is read back."""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hiperlab.samples.store import build_sample
from integration.contract_reader import read_index, read_session
from integration.stick_machine import PERIODIC
from one_at_a_time import emulated_virtualisation
from waiting import DEADLINE_S

pytestmark = pytest.mark.boots

CHAIN = (
    "console=ttyS0 loglevel=4 panic=-1 root=bootchain bootchain=waitdev,mountfs,hiperiso waitdev=LABEL=HIPERISO "
    "mountfs=DEVNAME hiperiso_log_dir=/hiperiso/logs hiperiso_firmware=bios"
)
ON_STICK = "/hiperiso/logs"
MACHINE_S = 4 * DEADLINE_S
"""How long one way of a machine in a machine may take."""


class Stick:
    """What is on the data partition after the machine has gone off."""

    def __init__(self, logs: Path, console: str) -> None:
        self.logs = logs
        self.console = console

    def session(self) -> tuple[Path, dict[str, Any]]:
        """The one session: its directory and its manifest, found to be as the contract says."""
        (session,) = self.sessions()
        return session

    def sessions(self) -> list[tuple[Path, dict[str, Any]]]:
        """All sessions, the same way, in the order of their names."""
        paths = sorted(entry for entry in self.logs.iterdir() if entry.is_dir())
        for path in paths:
            manifest = json.loads((path / "session.json").read_bytes())
            assert manifest["log_dir"] == f"{ON_STICK}/{path.name}"
        # The reader wants to find the directories where the manifests say they are.
        for file in (*(path / "session.json" for path in paths), self.logs / "index.jsonl"):
            file.write_text(file.read_text().replace(f'"{ON_STICK}/', f'"{self.logs}/'))
        return [(path, read_session(path)) for path in paths]


class Person:
    """Sits at the serial console of a machine."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._unread = ""
        self.received = ""

    def wait_for(self, text: str, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        while text not in self._unread:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or not select.select([self._wire], [], [], left_s)[0]:
                pytest.fail(f"no {text!r} on the console in {timeout_s:g} s:\n{self.received}")
            data = self._wire.recv(65536).decode(errors="replace")
            if not data:
                pytest.fail(f"the machine ended before {text!r}:\n{self.received}")
            self.received += data
            self._unread += data
        self._unread = self._unread.partition(text)[2]

    def choose(self, title: str) -> None:
        """Take an ISO from the list, which has the order of the file system."""
        self.wait_for("q: Leave", MACHINE_S)
        listed = re.findall(rf"(\d+)\) {re.escape(title)}\r?$", self.received, re.MULTILINE)
        assert listed, self.received
        self.type(f"{listed[-1]}\r")

    def type(self, text: str) -> None:
        self._wire.sendall(text.encode())


class Machine:
    """A machine that is started from the payload, with a data partition (ext4) on a disk."""

    def __init__(self, payload: Path, folder: Path) -> None:
        self._payload, self._folder = payload, folder
        self._image, self._serial = folder / "data.img", folder / "serial.log"

    def run(self, files: dict[str, bytes | Path], parameters: str, *, timeout_s: float) -> Stick:
        """Start it with `files` on the partition, wait until it goes off, read the logs."""
        self._make_data(files)
        argv = self._argv(f"hiperiso_after=poweroff,0 {parameters}", ["-serial", f"file:{self._serial}"])
        try:
            with emulated_virtualisation("max"):
                subprocess.run(argv, timeout=timeout_s, check=True, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the machine did not go off:\n{self._serial.read_text(errors='replace')}")
        return self.stick()

    @contextlib.contextmanager
    def interactive(
        self, files: dict[str, bytes | Path], parameters: str, *, cpu: str = "max"
    ) -> Iterator[Person]:
        """Start it with a person at its console."""
        self._make_data(files)
        ours, theirs = socket.socketpair()
        serial = ["-chardev", f"socket,id=serial,fd={theirs.fileno()}", "-serial", "chardev:serial"]
        argv = self._argv(parameters, serial, cpu)
        with (
            emulated_virtualisation(cpu),
            ours,
            theirs,
            subprocess.Popen(argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL) as qemu,
        ):
            theirs.close()
            try:
                yield Person(ours)
                qemu.wait(DEADLINE_S)
            finally:
                qemu.kill()

    def stick(self) -> Stick:
        """What is on the partition now, whose file system is found to be undamaged."""
        subprocess.run(["e2fsck", "-fn", self._image], check=True, capture_output=True)
        out = self._folder / "out"
        out.mkdir()
        subprocess.run(
            ["debugfs", "-R", f"rdump {ON_STICK} {out}", self._image], check=True, capture_output=True
        )
        console = self._serial.read_text(errors="replace") if self._serial.exists() else ""
        return Stick(out / "logs", console)

    def _make_data(self, files: dict[str, bytes | Path]) -> None:
        folder = self._folder / "data"
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        with self._image.open("wb") as file:
            file.truncate(256 << 20)
        subprocess.run(
            ["mke2fs", "-q", "-t", "ext4", "-L", "HIPERISO", "-d", folder, self._image], check=True
        )

    def _argv(self, parameters: str, serial: list[str], cpu: str = "max") -> list[str]:
        payload = self._payload
        argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        argv += ["-machine", "q35,accel=tcg", "-cpu", cpu, "-smp", "1", "-m", "1024"]
        argv += ["-kernel", str(payload / "vmlinuz"), "-initrd", str(payload / "initramfs.cpio.gz")]
        argv += ["-drive", f"if=none,id=d,format=raw,file={self._image}", "-device", "virtio-blk-pci,drive=d"]
        return [*argv, *serial, "-append", f"{CHAIN} {parameters}"]


@pytest.fixture
def machine(payload: Path, tmp_path: Path) -> Machine:
    return Machine(payload, tmp_path)


@pytest.mark.slow
def test_an_iso_boots_to_its_login_under_kvm(machine: Machine) -> None:
    # The outer QEMU emulates AMD's virtualisation, so the whole path with KVM runs here.
    stick = machine.run(
        {"ISOs/sub folder/log in.iso": build_sample("login-serial")},
        f'{PERIODIC} "hiperiso_iso=/ISOs/sub folder/log in.iso" hiperiso_guest_ram=400 hiperiso_guest_cpus=1',
        timeout_s=MACHINE_S,
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


def test_settings_come_from_the_stick_and_the_command_line_wins(machine: Machine) -> None:
    overrides = {"No*.iso": {"ram": 96, "cpus": 2, "trace": "none", "net_dump": True}}
    config = {"iso_override": {}, "iso_overrides": overrides}
    stick = machine.run(
        {"ISOs/no.iso": build_sample("not-bootable"), "hiperiso/hiperiso.json": json.dumps(config).encode()},
        "hiperiso_iso=/ISOs/no.iso hiperiso_accel=tcg hiperiso_guest_cpus=1",
        timeout_s=MACHINE_S,
    )
    path, manifest = stick.session()
    assert (manifest["status"], manifest["result"]) == ("complete", "failure"), stick.console
    assert manifest["analysis"]["failure_domain"] == "firmware"
    assert (manifest["guest_ram_mb"], manifest["guest_cpus"], manifest["trace_level"]) == (96, 1, "none")
    assert (manifest["kvm"], manifest["accel"]) == ("unknown", "tcg")
    assert "status tcg_emulation" in stick.console
    assert (path / "network.pcap").exists() and not list(path.glob("trace.*"))
    assert "iso_overrides" in (path / "env.txt").read_text()
    # what is wrong in the file is reported, and the rest of it is used
    assert "hiperiso.json:1:2: iso_override: unknown section 'iso_override'" in stick.console, stick.console


@pytest.mark.slow  # a whole stick always meets one after a power cut
def test_an_iso_that_is_not_there(machine: Machine) -> None:
    stick = machine.run({"ISOs/other.iso": b"x"}, "hiperiso_iso=/ISOs/gone.iso", timeout_s=MACHINE_S)
    path, manifest = stick.session()
    assert manifest["status"] == "failed" and manifest["qemu_exit_code"] is None
    assert json.loads((path / "status.json").read_text())["stage"] == "iso_not_found"
    assert manifest["iso_path"] == "/ISOs/gone.iso"
    assert len(read_index(stick.logs)) == 1
    assert "/ISOs/gone.iso" in (path / "FAILURE.txt").read_text()
    assert "gone.iso" in stick.console and "Power down" in stick.console


@pytest.mark.slow  # a whole stick always shows its list
def test_without_an_iso_the_list_is_shown_and_a_key_leads_back_to_it(machine: Machine) -> None:
    files: dict[str, bytes | Path] = {
        "ISOs/no.iso": build_sample("not-bootable"),
        "ISOs/b/it's.ISO": b"no iso",
    }
    with machine.interactive(files, "hiperiso_guest_ram=96 hiperiso_after=reboot,3000") as person:
        person.choose("no.iso")
        assert "b/it's.ISO" in person.received
        person.wait_for("hiperiso_after", MACHINE_S)
        person.type("m")
        person.wait_for("q: Leave", MACHINE_S)
        person.type("q\r")
        person.wait_for("hiperiso_after", MACHINE_S)
        person.type("p")
        person.wait_for("Power down", MACHINE_S)
    path, manifest = machine.stick().session()
    assert manifest["iso_path"] == "/ISOs/no.iso" and manifest["result"] == "failure"
    assert "no.iso" in (path / "FAILURE.txt").read_text()
