"""Machines of every kind really start, silently; and where the firmware says what it does."""

import asyncio
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hiperiso.contract.settings import Settings
from hiperiso.contract.words import Display, FirmwareChoice, TraceLevel, Vga
from hiperiso.iso.inspect import inspect_iso
from hiperiso.machine.facts import Accel, Place, gather_facts
from hiperiso.machine.machine import Machine
from hiperiso.machine.part import Preparation
from hiperiso.machine.parts.board import Board
from hiperiso.machine.parts.consoles import Consoles
from hiperiso.machine.parts.monitors import Monitors
from hiperiso.machine.parts.screen import Screen
from hiperiso.machine.parts.trace import Trace
from hiperiso.machine.plan import plan_machine
from hiperiso.machine.qemu import TraceBackend
from hiperiso.machine.qmp import Qmp
from hiperiso.trace import tier_events
from waiting import DEADLINE_S, await_until

IPXE = Path("/usr/lib/ipxe/ipxe.iso")
PCAP_HEADER_BYTES = 24

pytestmark = pytest.mark.boots


QUIET = Settings(ram_mb=256, trace=TraceLevel.NONE)


def machine(directory: Path, iso: Path = IPXE, settings: Settings = QUIET, **place: Any) -> Machine:
    where = Place(directory=directory, private=directory / "p", **{"ram_fits": True} | place)
    facts = gather_facts(settings, Accel.TCG, inspect_iso(iso), where, host_ram_mb=0)
    return plan_machine(settings, facts).machine


def run(machine: Machine, reached: Callable[[], bool], *, timeout_s: float = DEADLINE_S) -> bytes:
    """Run the machine until `reached`; returns what QEMU wrote to standard error."""

    async def watch(qemu: "subprocess.Popen[bytes]") -> None:
        alive = lambda: qemu.poll() is None  # noqa: E731
        async with await Qmp.connect(machine.get(Monitors).qmp, on_event=lambda _: None, alive=alive) as qmp:
            await await_until(lambda: qmp.closed or reached(), "not reached in time", deadline_s=timeout_s)
            assert not qmp.closed
            await qmp.quit()

    with ExitStack() as stack:
        preparation = Preparation(stack)
        machine.prepare(preparation)
        handed = dict(preparation.listening)
        qemu = stack.enter_context(
            subprocess.Popen(
                machine.argv_with(handed),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=tuple(handed.values()),
            )
        )
        preparation.hand_over()
        try:
            asyncio.run(watch(qemu))
            assert qemu.stderr
            return qemu.stderr.read()
        finally:
            qemu.kill()


def has(path: Path, text: bytes) -> Callable[[], bool]:
    return lambda: path.exists() and text in path.read_bytes()


@pytest.fixture
def unbootable(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "readme").write_text("no boot entry\n")
    iso = tmp_path / "not, bootable.iso"
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-o", str(iso), str(tmp_path / "tree")]
    subprocess.run(command, check=True, capture_output=True)
    return iso


def test_bios_says_no_bootable_device_in_its_own_log(tmp_path: Path, unbootable: Path) -> None:
    spec = machine(tmp_path, unbootable)
    assert run(spec, has(spec.get(Consoles).firmware_log, b"No bootable device.")) == b""
    log = spec.get(Consoles).firmware_log.read_text()
    assert "Booting from DVD/CD..." in log
    assert "Boot failed: Could not read from CDROM" in log
    assert spec.get(Consoles).serial_log.read_bytes() == b""  # the ISO's port stays the ISO's


def test_uefi_says_what_it_starts_on_serial(tmp_path: Path, unbootable: Path) -> None:
    spec = machine(tmp_path, unbootable, replace(QUIET, firmware=FirmwareChoice.UEFI))
    assert run(spec, has(spec.get(Consoles).serial_log, b"UEFI Interactive Shell")) == b""
    serial = spec.get(Consoles).serial_log.read_bytes()
    assert b'BdsDxe: failed to load Boot0001 "UEFI QEMU DVD-ROM' in serial
    assert b'BdsDxe: starting Boot0002 "EFI Internal Shell"' in serial


def test_network_is_recorded(tmp_path: Path) -> None:
    directory = tmp_path / "with, a comma"
    directory.mkdir()
    pcap = directory / "network.pcap"
    spec = machine(directory, settings=replace(QUIET, net_dump=True, vga=Vga.NONE))
    assert run(spec, lambda: pcap.exists() and pcap.stat().st_size > PCAP_HEADER_BYTES) == b""


def test_vnc_on_a_socket_and_virtio(tmp_path: Path) -> None:
    vnc = tmp_path / "vnc"
    spec = machine(tmp_path, settings=replace(QUIET, display=Display.VNC, vga=Vga.VIRTIO))
    spec = spec.with_part(replace(spec.get(Screen), vnc_socket=vnc))
    assert run(spec, has(spec.get(Consoles).firmware_log, b"Booting from DVD/CD")) == b""


def test_anonymous_ram_many_cpus_and_a_feature(tmp_path: Path) -> None:
    settings = replace(QUIET, cpus=8, cpu_features=("svm",))
    spec = machine(tmp_path, settings=settings, ram_fits=False)
    assert run(spec, has(spec.get(Consoles).firmware_log, b"Booting from DVD/CD")) == b""


@pytest.mark.parametrize("level", [TraceLevel.STANDARD, TraceLevel.DETAILED, TraceLevel.FULL])
def test_trace(tmp_path: Path, level: TraceLevel) -> None:
    spec = machine(tmp_path, settings=replace(QUIET, trace=level))
    recorded = spec.get(Trace)
    assert set(recorded.names) == set(tier_events(level))
    assert run(spec, has(spec.get(Consoles).firmware_log, b"Booting from 0000:7c00")) == b""
    trace = recorded.output.read_bytes()
    if recorded.backend is TraceBackend.LOG:
        first = trace.split(b"\n", 1)[0]
        assert b"@" in first  # tid@seconds:event
        assert b"ide_atapi_cmd_read" in trace
        assert (b":pci_cfg_read" in trace) == (level is not TraceLevel.STANDARD)
        assert (b":memory_region_ops_read" in trace) == (level is TraceLevel.FULL)
    else:
        assert trace.startswith(b"\xff" * 8)


def test_ram_is_a_shared_file(tmp_path: Path) -> None:
    spec = machine(tmp_path)
    ram_path = spec.get(Board).ram_path
    assert ram_path is not None
    run(spec, has(spec.get(Consoles).firmware_log, b"Booting from 0000:7c00"))
    with ram_path.open("rb") as ram:
        ram.seek(0xF0000)
        assert b"SeaBIOS" in ram.read(0x10000)
