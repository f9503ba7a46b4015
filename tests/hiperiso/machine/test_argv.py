"""The command line of a machine, against golden files (one option a line)."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from hiperiso.contract.words import Display, Vga
from hiperiso.errors import UsageError
from hiperiso.machine.argv import qemu_argv, quote_cmdline
from hiperiso.machine.bootmode import DirectLoad
from hiperiso.machine.spec import (
    SOCKET_PATH_MAX_BYTES,
    Accel,
    Bios,
    MachineSpec,
    TraceBackend,
    TraceSpec,
    Uefi,
)

GOLDEN = Path(__file__).parent / "golden"
LOGS = Path("/logs/debian_20260102T030405Z")

BASE = MachineSpec(
    qemu=Path("/usr/bin/qemu-system-x86_64"),
    iso=Path("/isos/debian.iso"),
    ram_mb=2048,
    cpus=2,
    accel=Accel.TCG,
    serial_log=LOGS / "serial.log",
    firmware_log=LOGS / "firmware.log",
    qmp_socket=Path("/run/h/qmp.sock"),
    monitor_socket=LOGS / "monitor.sock",
    ram_path=Path("/dev/shm/hiperiso-1"),
)
UEFI = Uefi(code=Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), variables=LOGS / "firmware-vars.fd")
LOG_TRACE = TraceSpec(events=LOGS / "trace.events", output=LOGS / "trace.log", backend=TraceBackend.LOG)

CASES = {
    "default": BASE,
    "anonymous-ram": replace(BASE, ram_path=None),
    "kvm-features": replace(BASE, accel=Accel.KVM, cpu_features=("vmx", "sse4.2"), cpus=8),
    "bios-image": replace(BASE, firmware=Bios(image=Path("/usr/share/seabios/bios-256k.bin"))),
    "uefi": replace(BASE, firmware=UEFI),
    "uefi-secure": replace(
        BASE, firmware=replace(UEFI, smm=True, code_format="qcow2", variables_format="qcow2")
    ),
    "uefi-one-image": replace(BASE, firmware=Uefi(code=Path("/usr/share/qemu/OVMF.fd"))),
    "gtk-virtio": replace(BASE, display=Display.GTK, vga=Vga.VIRTIO),
    "vnc-socket": replace(BASE, display=Display.VNC, vnc_socket=Path("/run/h/vnc.sock")),
    "served-beside": replace(BASE, vnc_socket=Path("/run/h/a,b.vnc")),
    "vnc-port": replace(BASE, display=Display.VNC),
    "no-vga": replace(BASE, vga=Vga.NONE),
    "net-dump": replace(BASE, network_pcap=LOGS / "network.pcap"),
    "trace-log": replace(BASE, trace=LOG_TRACE),
    "trace-simple": replace(
        BASE, trace=replace(LOG_TRACE, output=LOGS / "trace.bin", backend=TraceBackend.SIMPLE)
    ),
    "memdisk": replace(
        BASE,
        direct_load=DirectLoad(
            kernel=Path("/usr/lib/syslinux/memdisk"), initrd=BASE.iso, append="iso raw", drive=False
        ),
    ),
    "grub2": replace(BASE, direct_load=DirectLoad(kernel=LOGS / "grub2.img")),
    "commas": replace(
        BASE,
        name="a,b",
        iso=Path("/isos/a, b,,c.iso"),
        ram_path=Path("/dev/shm/r,1"),
        serial_log=Path("/l,/serial.log"),
        firmware_log=Path("/l,/firmware.log"),
        qmp_socket=Path("/l,/q"),
        monitor_socket=Path("/l,/m"),
        firmware=replace(UEFI, code=Path("/f,/c.fd"), variables=Path("/f,/v.fd")),
        network_pcap=Path("/l,/n.pcap"),
        trace=TraceSpec(events=Path("/l,/e"), output=Path("/l,/t"), backend=TraceBackend.SIMPLE),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    actual = _one_option_a_line(qemu_argv(CASES[name]))
    golden = GOLDEN / f"{name}.txt"
    if not golden.exists():
        golden.write_text(actual)
        pytest.fail(f"{golden.name} was missing and has been written: look at it, then run again")
    assert actual == golden.read_text()


def test_every_golden_file_has_a_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(CASES)


def test_quoted_command_line_pastes_back() -> None:
    argv = qemu_argv(replace(BASE, iso=Path('/isos/it\'s $HOME "x"; rm -rf *.iso')))
    assert shlex.split(quote_cmdline(argv)) == argv
    assert "\n" not in quote_cmdline(argv)


@pytest.mark.parametrize("feature", ["", "vmx,-sse", "VMX", "a b", "+vmx", "-vmx", "x=y", "vmx\n"])
def test_bad_cpu_feature(feature: str) -> None:
    with pytest.raises(UsageError, match="CPU feature"):
        replace(BASE, cpu_features=(feature,))


@pytest.mark.parametrize("change", [{"ram_mb": 0}, {"ram_mb": -5}, {"cpus": 0}, {"cpus": 256}])
def test_sizes_out_of_range(change: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        replace(BASE, **change)  # type: ignore[arg-type]


def test_relative_path() -> None:
    with pytest.raises(UsageError, match="absolute"):
        replace(BASE, iso=Path("debian.iso"))
    with pytest.raises(UsageError, match="absolute"):
        replace(BASE, firmware=replace(UEFI, variables=Path("vars.fd")))


def test_socket_path_bound_counts_bytes() -> None:
    longest = Path("/" + "s" * (SOCKET_PATH_MAX_BYTES - 1))
    assert replace(BASE, qmp_socket=longest).qmp_socket == longest
    with pytest.raises(UsageError, match="socket"):
        replace(BASE, monitor_socket=Path("/" + "ü" * 54))


def test_percent_in_text_trace_path() -> None:
    with pytest.raises(UsageError, match="percent"):
        replace(BASE, trace=replace(LOG_TRACE, output=Path("/100%/trace.log")))


def _one_option_a_line(argv: list[str]) -> str:
    return argv[0] + "".join(f"\n{word}" if word.startswith("-") else f" {word}" for word in argv[1:]) + "\n"
