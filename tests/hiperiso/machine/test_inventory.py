"""Inventories hold what may leave the machine, and nothing else."""

import asyncio
import json
import socket
import subprocess
from pathlib import Path

from hiperiso.machine.facts import Accel
from hiperiso.machine.inventory import host_inventory, qemu_inventory
from hiperiso.machine.machine import Machine
from hiperiso.machine.parts.board import Board
from hiperiso.machine.parts.medium import Cdrom
from hiperiso.machine.parts.monitors import Monitors
from hiperiso.machine.parts.screen import Screen
from hiperiso.machine.qemu import find_qemu
from hiperiso.machine.qmp import Qmp

SECRETS = ("S3CR3T", "52:54:00:aa:bb:cc", "b1d2-uuid", "alice")


def write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def test_only_allowed_fields_are_copied(tmp_path: Path) -> None:
    cpu = "processor\t: {}\nmodel name\t: Fast CPU\nflags\t\t: fpu svm\nSerial\t\t: S3CR3T\nHostname\t: alice\n\n"
    write(
        tmp_path,
        {
            "proc/cpuinfo": cpu.format(0) + cpu.format(1),
            "proc/meminfo": "MemTotal:  16 kB\nOwner:  alice\nSwapTotal: 0 kB\n",
            "sys/bus/pci/devices/0000:00:03.0/class": "0x020000\n",
            "sys/bus/pci/devices/0000:00:03.0/vendor": "0x8086\n",
            "sys/bus/pci/devices/0000:00:03.0/net/eth0/address": "52:54:00:aa:bb:cc\n",
            "sys/bus/pci/devices/0000:00:03.0/serial_number": "S3CR3T\n",
            "sys/block/sda/size": "1000\n",
            "sys/block/sda/queue/rotational": "0\n",
            "sys/block/sda/device/serial": "S3CR3T\n",
            "sys/block/sda/uuid": "b1d2-uuid\n",
        },
    )
    files = host_inventory(proc=tmp_path / "proc", sys=tmp_path / "sys")
    assert files["host_cpuinfo.txt"] == "processors\t: 2\nmodel name\t: Fast CPU\nflags\t\t: fpu svm\n"
    assert files["host_meminfo.txt"] == "MemTotal:  16 kB\nSwapTotal: 0 kB\n"
    assert files["host_pci.txt"] == "0000:00:03.0 class=0x020000 vendor=0x8086\n"
    assert files["host_block.txt"] == "sda size=1000 rotational=0\n"
    assert not any(secret in text for secret in SECRETS for text in files.values())


def test_what_the_host_lacks_is_left_out(tmp_path: Path) -> None:
    assert set(host_inventory(proc=tmp_path, sys=tmp_path)) == {"host_kernel.txt"}


def test_this_host_has_no_identifying_data() -> None:
    files = host_inventory()
    assert {"host_cpuinfo.txt", "host_meminfo.txt", "host_kernel.txt"} <= set(files)
    words = {word for text in files.values() for word in text.split()}
    assert socket.gethostname() not in words


def test_of_a_running_machine(tmp_path: Path) -> None:
    iso = tmp_path / "alice" / "image.iso"
    iso.parent.mkdir()
    iso.write_bytes(bytes(1 << 20))
    monitors = Monitors(qmp=tmp_path / "q", human=tmp_path / "m")
    board = Board(accel=Accel.TCG, ram_mb=64, cpus=2)
    machine = Machine(qemu=find_qemu(), image=iso, parts=(board, Cdrom(image=iso), monitors, Screen()))

    async def ask(qemu: "subprocess.Popen[bytes]") -> dict[str, str]:
        alive = lambda: qemu.poll() is None  # noqa: E731
        async with await Qmp.connect(monitors.qmp, on_event=lambda _: None, alive=alive) as qmp:
            files = await qemu_inventory(qmp)
            await qmp.quit()
        return files

    with subprocess.Popen(machine.argv(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as qemu:
        try:
            files = asyncio.run(ask(qemu))
            assert qemu.stderr
            assert qemu.stderr.read() == b""
        finally:
            qemu.kill()
    assert "ICH9" in files["qemu_qtree.txt"]
    assert "SATA controller" in files["qemu_pci.txt"]
    assert "ram" in files["qemu_memory.txt"]
    assert json.loads(files["qemu_memory.json"])["query-memory-size-summary"]["base-memory"] == 64 << 20
    assert len(json.loads(files["qemu_cpus.json"])) == 2
    assert json.loads(files["qemu_block.json"])[0]["inserted"]["file"] == "image.iso"
    assert json.loads(files["qemu_version.json"])["query-version"]["qemu"]["major"] >= 6
    assert not any("alice" in text for text in files.values())
