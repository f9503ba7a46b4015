"""Machines of every kind really start, silently; and where the firmware says what it does."""

import asyncio
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hiperiso.contract.words import Display, FirmwareKind, TraceLevel, Vga
from hiperiso.machine.argv import qemu_argv
from hiperiso.machine.firmware import find_firmware, install_firmware
from hiperiso.machine.qemu import find_qemu, trace_backend, trace_events
from hiperiso.machine.qmp import Qmp
from hiperiso.machine.spec import Accel, MachineSpec, TraceBackend, TraceSpec
from hiperiso.trace import write_event_list
from waiting import DEADLINE_S, await_until

IPXE = Path("/usr/lib/ipxe/ipxe.iso")
PCAP_HEADER_BYTES = 24

pytestmark = pytest.mark.boots


def machine(directory: Path, iso: Path = IPXE) -> MachineSpec:
    return MachineSpec(
        qemu=find_qemu(),
        iso=iso,
        ram_mb=256,
        cpus=2,
        accel=Accel.TCG,
        serial_log=directory / "serial.log",
        firmware_log=directory / "firmware.log",
        qmp_socket=directory / "q",
        monitor_socket=directory / "m",
        ram_path=directory / "ram",
        firmware=install_firmware(find_firmware().get(FirmwareKind.BIOS), directory),
    )


def run(spec: MachineSpec, reached: Callable[[], bool], *, timeout_s: float = DEADLINE_S) -> bytes:
    """Run the machine until `reached`; returns what QEMU wrote to standard error."""

    async def watch(qemu: "subprocess.Popen[bytes]") -> None:
        alive = lambda: qemu.poll() is None  # noqa: E731
        async with await Qmp.connect(spec.qmp_socket, on_event=lambda _: None, alive=alive) as qmp:
            await await_until(lambda: qmp.closed or reached(), "not reached in time", deadline_s=timeout_s)
            assert not qmp.closed
            await qmp.quit()

    with subprocess.Popen(qemu_argv(spec), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as qemu:
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
    assert run(spec, has(spec.firmware_log, b"No bootable device.")) == b""
    log = spec.firmware_log.read_text()
    assert "Booting from DVD/CD..." in log
    assert "Boot failed: Could not read from CDROM" in log
    assert spec.serial_log.read_bytes() == b""  # the ISO's port stays the ISO's


def test_uefi_says_what_it_starts_on_serial(tmp_path: Path, unbootable: Path) -> None:
    uefi = install_firmware(find_firmware().get(FirmwareKind.UEFI), tmp_path)
    spec = replace(machine(tmp_path, unbootable), firmware=uefi)
    assert run(spec, has(spec.serial_log, b"UEFI Interactive Shell")) == b""
    serial = spec.serial_log.read_bytes()
    assert b'BdsDxe: failed to load Boot0001 "UEFI QEMU DVD-ROM' in serial
    assert b'BdsDxe: starting Boot0002 "EFI Internal Shell"' in serial


def test_network_is_recorded(tmp_path: Path) -> None:
    pcap = tmp_path / "network, 1.pcap"
    spec = replace(machine(tmp_path), network_pcap=pcap, vga=Vga.NONE)
    assert run(spec, lambda: pcap.exists() and pcap.stat().st_size > PCAP_HEADER_BYTES) == b""


def test_vnc_on_a_socket_and_virtio(tmp_path: Path) -> None:
    vnc = tmp_path / "vnc"
    spec = replace(machine(tmp_path), display=Display.VNC, vnc_socket=vnc, vga=Vga.VIRTIO)
    assert run(spec, has(spec.firmware_log, b"Booting from DVD/CD")) == b""


def test_anonymous_ram_many_cpus_and_a_feature(tmp_path: Path) -> None:
    spec = replace(machine(tmp_path), ram_path=None, cpus=8, cpu_features=("svm",))
    assert run(spec, has(spec.firmware_log, b"Booting from DVD/CD")) == b""


@pytest.mark.parametrize("level", [TraceLevel.STANDARD, TraceLevel.DETAILED, TraceLevel.FULL])
def test_trace(tmp_path: Path, level: TraceLevel) -> None:
    qemu = find_qemu()
    backend = trace_backend(qemu)
    assert backend is not None
    events, output = tmp_path / "trace.events", tmp_path / "trace.out"
    assert write_event_list(events, level, trace_events(qemu)) == ()
    spec = replace(machine(tmp_path), trace=TraceSpec(events=events, output=output, backend=backend))
    assert run(spec, has(spec.firmware_log, b"Booting from 0000:7c00")) == b""
    trace = output.read_bytes()
    if backend is TraceBackend.LOG:
        first = trace.split(b"\n", 1)[0]
        assert b"@" in first  # tid@seconds:event
        assert b"ide_atapi_cmd_read" in trace
        assert (b":pci_cfg_read" in trace) == (level is not TraceLevel.STANDARD)
        assert (b":memory_region_ops_read" in trace) == (level is TraceLevel.FULL)
    else:
        assert trace.startswith(b"\xff" * 8)


def test_ram_is_a_shared_file(tmp_path: Path) -> None:
    spec = machine(tmp_path)
    assert spec.ram_path is not None
    run(spec, has(spec.firmware_log, b"Booting from 0000:7c00"))
    with spec.ram_path.open("rb") as ram:
        ram.seek(0xF0000)
        assert b"SeaBIOS" in ram.read(0x10000)
