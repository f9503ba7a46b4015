"""The command line of a machine, against golden files (one option a line)."""

import shlex
from pathlib import Path

import pytest
from msgspec.structs import replace

from hiperiso.contract.hardware import Medium, Nic
from hiperiso.contract.words import Display, Vga
from hiperiso.errors import UsageError
from hiperiso.machine.facts import Accel
from hiperiso.machine.machine import Machine, quote_cmdline
from hiperiso.machine.part import SOCKET_PATH_MAX_BYTES, Part
from hiperiso.machine.parts.board import Board
from hiperiso.machine.parts.consoles import Consoles
from hiperiso.machine.parts.entropy import Entropy
from hiperiso.machine.parts.firmware import Bios, Uefi
from hiperiso.machine.parts.lifecycle import Lifecycle
from hiperiso.machine.parts.loader import Loader
from hiperiso.machine.parts.medium import Cdrom, WrittenDisk
from hiperiso.machine.parts.monitors import Monitors
from hiperiso.machine.parts.network import Network
from hiperiso.machine.parts.sandbox import Sandbox
from hiperiso.machine.parts.screen import Screen
from hiperiso.machine.parts.trace import Trace
from hiperiso.machine.parts.usb import UsbController
from hiperiso.machine.qemu import TraceBackend

GOLDEN = Path(__file__).parent / "golden"
LOGS = Path("/logs/debian_20260102T030405Z")
ISO = Path("/isos/debian.iso")
QEMU = Path("/usr/bin/qemu-system-x86_64")

BOARD = Board(accel=Accel.TCG, ram_mb=2048, cpus=2, ram_path=Path("/dev/shm/hiperiso-1"))
UEFI = Uefi(code=Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), variables=LOGS / "firmware-vars.fd")
MONITORS = Monitors(qmp=Path("/run/h/qmp.sock"), human=LOGS / "monitor.sock")
TRACE = Trace(
    names=("a",),
    tiers={},
    events=LOGS / "trace.events",
    output=LOGS / "trace.log",
    backend=TraceBackend.LOG,
    qemu=QEMU,
)
BINARY_TRACE = replace(TRACE, output=LOGS / "trace.bin", backend=TraceBackend.SIMPLE)


def machine(
    board: Board = BOARD,
    *media: Part,
    firmware: Part = Bios(),  # noqa: B008 - a frozen value
    screen: Screen = Screen(),  # noqa: B008
    network: Network = Network(),  # noqa: B008
    monitors: Monitors = MONITORS,
    usb: bool = False,
    trace: Trace | None = None,
) -> Machine:
    parts = (
        *(Sandbox(spawn=screen.display is Display.GTK), board, firmware, Lifecycle()),
        *((UsbController(),) if usb else ()),
        *(media or (Cdrom(image=ISO),)),
        Consoles(serial_log=LOGS / "serial.log", firmware_log=LOGS / "firmware.log"),
        *(monitors, screen, network, Entropy()),
        *((trace,) if trace else ()),
    )
    return Machine(qemu=QEMU, image=ISO, parts=parts)


BASE = machine()
CASES = {
    "default": BASE,
    "anonymous-ram": machine(replace(BOARD, ram_path=None)),
    "kvm-features": machine(replace(BOARD, accel=Accel.KVM, cpu_features=("vmx", "sse4.2"), cpus=8)),
    "tcg-features": machine(replace(BOARD, cpu_features=("-svm", "vmx"))),
    "bios-image": machine(firmware=Bios(image=Path("/usr/share/seabios/bios-256k.bin"))),
    "uefi": machine(firmware=UEFI),
    "uefi-secure": machine(
        replace(BOARD, smm=True),
        firmware=replace(UEFI, smm=True, code_format="qcow2", variables_format="qcow2"),
    ),
    "uefi-one-image": machine(firmware=Uefi(code=Path("/usr/share/qemu/OVMF.fd"))),
    "gtk-virtio": machine(usb=True, screen=Screen(display=Display.GTK, vga=Vga.VIRTIO)),
    "vnc-socket": machine(usb=True, screen=Screen(display=Display.VNC, vnc_socket=Path("/run/h/vnc.sock"))),
    "served-beside": machine(screen=Screen(vnc_socket=Path("/run/h/a,b.vnc"))),
    "vnc-port": machine(usb=True, screen=Screen(display=Display.VNC)),
    "no-vga": machine(screen=Screen(vga=Vga.NONE)),
    "net-dump": machine(network=Network(LOGS / "network.pcap", Nic.VIRTIO)),
    "net-e1000": machine(network=Network(nic=Nic.E1000)),
    "cpu-model": machine(replace(BOARD, cpu="Skylake-Client", cpu_features=("vmx",))),
    "trace-log": machine(trace=TRACE),
    "trace-simple": machine(trace=BINARY_TRACE),
    "memdisk": machine(BOARD, Loader(kernel=Path("/usr/lib/syslinux/memdisk"), initrd=ISO, append="iso raw")),
    "grub2": machine(BOARD, Loader(kernel=LOGS / "grub2.img"), Cdrom(image=ISO, bootindex=1)),
    "medium-usb": machine(BOARD, WrittenDisk(image=ISO, medium=Medium.USB), usb=True),
    "medium-disk": machine(BOARD, WrittenDisk(image=ISO, medium=Medium.DISK)),
    "medium-nvme": machine(BOARD, WrittenDisk(image=ISO, medium=Medium.NVME)),
    "medium-virtio": machine(BOARD, WrittenDisk(image=ISO, medium=Medium.VIRTIO, bootindex=1)),
    "commas": replace(
        machine(
            replace(BOARD, ram_path=Path("/dev/shm/r,1")),
            Cdrom(image=Path("/isos/a, b,,c.iso")),
            firmware=replace(UEFI, code=Path("/f,/c.fd"), variables=Path("/f,/v.fd")),
            network=Network(Path("/l,/n.pcap"), Nic.VIRTIO),
            monitors=Monitors(qmp=Path("/l,/q"), human=Path("/l,/m")),
            trace=replace(BINARY_TRACE, events=Path("/l,/e"), output=Path("/l,/t")),
        ).with_part(Consoles(serial_log=Path("/l,/serial.log"), firmware_log=Path("/l,/firmware.log"))),
        name="a,b",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    actual = _one_option_a_line(CASES[name].argv())
    golden = GOLDEN / f"{name}.txt"
    if not golden.exists():
        golden.write_text(actual)
        pytest.fail(f"{golden.name} was missing and has been written: look at it, then run again")
    assert actual == golden.read_text()


def test_every_golden_file_has_a_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(CASES)


def test_quoted_command_line_pastes_back() -> None:
    argv = BASE.with_part(Cdrom(image=Path('/isos/it\'s $HOME "x"; rm -rf *.iso'))).argv()
    assert shlex.split(quote_cmdline(argv)) == argv
    assert "\n" not in quote_cmdline(argv)


def test_a_socket_that_is_bound_is_handed_over_and_nothing_else_changes() -> None:
    argv, handed = BASE.argv(), BASE.argv_with({MONITORS.qmp: 7})
    changed = [pair for pair in zip(argv, handed, strict=True) if pair[0] != pair[1]]
    assert changed == [
        (
            "socket,id=qmp,path=/run/h/qmp.sock,server=on,wait=off",
            "socket,id=qmp,fd=7,server=on,wait=off",
        )
    ]


@pytest.mark.parametrize("feature", ["", "vmx,-sse", "VMX", "a b", "++vmx", "-", "x=y", "vmx\n"])
def test_bad_cpu_feature(feature: str) -> None:
    with pytest.raises(UsageError, match="CPU feature"):
        replace(BOARD, cpu_features=(feature,))


@pytest.mark.parametrize("change", [{"ram_mb": 0}, {"ram_mb": -5}, {"cpus": 0}, {"cpus": 256}])
def test_sizes_out_of_range(change: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        replace(BOARD, **change)


def test_relative_path() -> None:
    with pytest.raises(UsageError, match="absolute"):
        Cdrom(image=Path("debian.iso"))
    with pytest.raises(UsageError, match="absolute"):
        replace(UEFI, variables=Path("vars.fd"))
    with pytest.raises(UsageError, match="absolute"):
        replace(BASE, image=Path("debian.iso"))


def test_socket_path_bound_counts_bytes() -> None:
    longest = Path("/" + "s" * (SOCKET_PATH_MAX_BYTES - 1))
    assert replace(MONITORS, qmp=longest).qmp == longest
    with pytest.raises(UsageError, match="socket"):
        replace(MONITORS, human=Path("/" + "ü" * 54))


def test_percent_in_text_trace_path() -> None:
    with pytest.raises(UsageError, match="percent"):
        replace(TRACE, output=Path("/100%/trace.log"))


def test_a_machine_has_its_parts_by_kind() -> None:
    assert BASE.get(Cdrom).image == ISO
    assert BASE.find(Trace) is None
    with pytest.raises(LookupError, match="Trace"):
        BASE.get(Trace)


def _one_option_a_line(argv: list[str]) -> str:
    return argv[0] + "".join(f"\n{word}" if word.startswith("-") else f" {word}" for word in argv[1:]) + "\n"
