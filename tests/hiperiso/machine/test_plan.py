"""Planning is a function of settings and facts: it reads nothing and writes nothing."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from hiperiso.contract.hardware import Board as BoardType
from hiperiso.contract.hardware import DiskFormat, ImageKind, Medium, Net, Nic
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import BootMode, Display, FirmwareChoice, FirmwareKind, TraceLevel
from hiperiso.errors import HarnessFault, UsageError
from hiperiso.iso.eltorito import BootEntry, Platform
from hiperiso.iso.inspect import IsoInfo
from hiperiso.machine import parts, plan
from hiperiso.machine.facts import Accel, Facts, Place
from hiperiso.machine.firmware import FirmwareCatalog, FirmwareImage
from hiperiso.machine.parts.board import Board
from hiperiso.machine.parts.firmware import Uefi
from hiperiso.machine.parts.medium import WrittenDisk
from hiperiso.machine.parts.monitors import Monitors
from hiperiso.machine.parts.network import Network
from hiperiso.machine.parts.screen import Screen
from hiperiso.machine.parts.usb import UsbController
from hiperiso.machine.plan import PLANNERS, plan_machine
from hiperiso.machine.qemu import TraceBackend

NOWHERE = Path("/nowhere/session_20260102T030405Z")
BIOS_ENTRY = BootEntry(platform=Platform.X86, bootable=True, media="none", load_sector=30, load_count=4)


def iso(**changes: object) -> IsoInfo:
    values: dict[str, object] = {
        "path": Path("/nowhere/debian.iso"),
        "size_bytes": 200 << 20,
        "volume_id": "",
        "publisher": "",
        "application": "",
        "iso9660": True,
        "udf": False,
        "boot_entries": (BIOS_ENTRY,),
        "missing_bytes": 0,
        "mbr_boot": True,
        "gpt": False,
        "esp": False,
    }
    return IsoInfo(**(values | changes))  # type: ignore[arg-type]


def facts(**changes: object) -> Facts:
    bios = FirmwareImage(kind=FirmwareKind.BIOS, source="x", code=Path("/nowhere/bios.bin"))
    uefi = FirmwareImage(
        kind=FirmwareKind.UEFI,
        source="x",
        code=Path("/nowhere/code.fd"),
        variables_template=Path("/nowhere/vars.fd"),
        smm=True,
    )
    values: dict[str, object] = {
        "accel": Accel.TCG,
        "iso": iso(),
        "place": Place(directory=NOWHERE, private=Path("/nowhere/0123456789ab"), ram_fits=True),
        "firmware": FirmwareCatalog(bios=bios, uefi=uefi, secure_boot=None, skipped=()),
        "qemu": Path("/nowhere/qemu"),
        "qemu_version": "7.2.0",
        "trace_backend": TraceBackend.LOG,
        "trace_tiers": dict.fromkeys(TraceLevel, ("blk_co_preadv",)),
        "host_ram_mb": 8192,
    }
    return Facts(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", [BootMode.NORMAL, BootMode.GRUB2, BootMode.MEMDISK])
def test_every_mode_is_planned_where_nothing_can_be_read_or_written(mode: BootMode) -> None:
    planned = plan_machine(Settings(boot_mode=mode, net_dump=True), facts())
    assert planned.machine.argv()[0] == "/nowhere/qemu"
    assert planned.machine.name == NOWHERE.name
    assert planned.firmware.reason == "the ISO has a BIOS boot entry (El Torito)"
    assert planned.notes == (
        () if mode is BootMode.NORMAL else (f"boot mode {mode.value}: not the ISO's own boot loader",)
    )


def test_the_board_suits_the_firmware() -> None:
    machine = plan_machine(Settings(firmware=FirmwareChoice.UEFI), facts()).machine
    assert machine.get(Board).smm
    assert machine.get(Uefi).variables == NOWHERE / "firmware-vars.fd"


def test_private_files_lie_by_their_token() -> None:
    machine = plan_machine(Settings(), facts()).machine
    assert machine.get(Board).ram_path == Path("/nowhere/0123456789ab.ram")
    assert machine.get(Monitors).qmp == Path("/nowhere/0123456789ab.qmp")


def test_a_served_screen_is_shown_nowhere_else() -> None:
    socket = Path("/nowhere/vnc")
    place = Place(directory=NOWHERE, private=Path("/nowhere/x"), ram_fits=True, screen_socket=socket)
    machine = plan_machine(Settings(display=Display.GTK), facts(place=place)).machine
    assert machine.get(Screen) == Screen(display=Display.NONE, vnc_socket=socket)
    assert machine.find(UsbController) is None
    assert "spawn=deny" in " ".join(machine.argv())


def test_notes_of_a_plan() -> None:
    settings = Settings(ram_mb=8000)
    place = Place(directory=NOWHERE, private=Path("/nowhere/x"), ram_fits=False)
    notes = plan_machine(settings, facts(iso=iso(missing_bytes=77), place=place, trace_backend=None)).notes
    assert [note.split(":")[0] for note in notes] == [
        "the ISO is truncated",
        "the guest's RAM (8000 MB) is 0.98 times the host's (8192 MB)",
        "no trace",
        "guest RAM is anonymous shared memory",
    ]
    quiet = Settings(trace=TraceLevel.NONE)
    assert plan_machine(quiet, facts(trace_backend=None)).notes == ()


@pytest.mark.parametrize(
    ("mbr_boot", "esp", "kind"),
    [(True, True, FirmwareKind.BIOS), (True, False, FirmwareKind.BIOS), (False, True, FirmwareKind.UEFI)],
)
def test_firmware_looks_at_a_disk_for_other_things_than_at_a_cd(
    mbr_boot: bool, esp: bool, kind: FirmwareKind
) -> None:
    image = iso(mbr_boot=mbr_boot, esp=esp)
    planned = plan_machine(Settings(medium=Medium.USB), facts(iso=image))
    assert planned.firmware.kind is kind
    assert planned.machine.find(UsbController)
    assert planned.machine.get(WrittenDisk).medium is Medium.USB
    assert planned.notes[0].startswith("medium usb:")
    assert plan_machine(Settings(medium=Medium.AUTO), facts(iso=image)).firmware.kind is FirmwareKind.BIOS


@pytest.mark.parametrize("medium", [medium for medium in Medium if medium.as_disk])
@pytest.mark.parametrize("firmware", FirmwareChoice)
def test_an_image_that_no_firmware_starts_from_a_disk(medium: Medium, firmware: FirmwareChoice) -> None:
    settings = Settings(medium=medium, firmware=firmware)
    with pytest.raises(UsageError, match=r"boots only as a CD: /nowhere/debian\.iso"):
        plan_machine(settings, facts(iso=iso(mbr_boot=False, esp=False)))


def test_a_network_is_there_when_asked_for_or_recorded() -> None:
    def network(settings: Settings) -> Network:
        return plan_machine(settings, facts()).machine.get(Network)

    assert network(Settings()) == Network()
    assert network(Settings(net=Net.USER)) == Network(nic=Nic.VIRTIO)
    pcap = NOWHERE / "network.pcap"
    assert network(Settings(net_dump=True, nic=Nic.E1000)) == Network(pcap=pcap, nic=Nic.E1000)
    with pytest.raises(UsageError, match="without a network"):
        network(Settings(nic=Nic.E1000))


def test_further_arguments_come_last_and_are_named() -> None:
    settings = Settings(qemu_arg=("-device 'usb-ehci,id=a b'", "-snapshot"))
    planned = plan_machine(settings, facts())
    assert planned.machine.argv()[-3:] == ["-device", "usb-ehci,id=a b", "-snapshot"]
    assert planned.notes == ("QEMU got further arguments: -device 'usb-ehci,id=a b' -snapshot",)


def test_firmware_that_is_not_there() -> None:
    none = FirmwareCatalog(bios=None, uefi=None, secure_boot=None, skipped=())
    with pytest.raises(UsageError, match="BIOS firmware is needed"):
        plan_machine(Settings(), facts(firmware=none))
    with pytest.raises(HarnessFault, match="UEFI firmware is needed"):
        plan_machine(Settings(firmware=FirmwareChoice.UEFI), facts(firmware=none))


def test_every_part_has_its_planner_in_the_plan() -> None:
    names = {module.name for module in pkgutil.iter_modules(parts.__path__)}
    planned = {planner.__module__.rpartition(".")[2] for planner in PLANNERS}
    assert planned == names
    for name in names:
        assert hasattr(importlib.import_module(f"{parts.__name__}.{name}"), f"plan_{name}")
    assert plan.__doc__


def test_nothing_that_observes_is_loaded_before_qemu_runs() -> None:
    """QEMU starts before the event loop and the judge are loaded: on a slow machine they take longer than all else."""
    code = "import sys, hiperiso.session.start; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    late = ("asyncio", "socket", "ssl", "tempfile", "qemu", "hiperiso.analysis.judge")
    assert [name for name in loaded if name in late or name.startswith("hiperiso.observe.memory")] == []


def disk(**changes: object) -> IsoInfo:
    values: dict[str, object] = {"iso9660": False, "boot_entries": (), "mbr_boot": False, **changes}
    return iso(**values)


@pytest.mark.parametrize(
    ("info", "kind", "firmware"),
    [
        (disk(mbr_boot=True), ImageKind.DISK, FirmwareKind.BIOS),
        (disk(esp=True), ImageKind.DISK, FirmwareKind.UEFI),
        (disk(esp=True), ImageKind.EFI, FirmwareKind.UEFI),
        (disk(esp=True), ImageKind.DIRECTORY, FirmwareKind.UEFI),
    ],
)
def test_what_is_not_an_iso_is_a_disk_of_its_own_format(
    info: IsoInfo, kind: ImageKind, firmware: FirmwareKind
) -> None:
    known = facts(iso=info, kind=kind, format=DiskFormat.VHDX)
    planned = plan_machine(Settings(), known)
    assert planned.firmware.kind is firmware
    medium = planned.machine.get(WrittenDisk)
    assert (medium.medium, medium.format) == (Medium.DISK, DiskFormat.VHDX)
    assert "format=vhdx,snapshot=on" in " ".join(planned.machine.argv())
    assert planned.notes == ("medium disk: guest writes are discarded",)
    with pytest.raises(UsageError, match=r"not an ISO, so"):
        plan_machine(Settings(medium=Medium.CDROM), known)
    with pytest.raises(UsageError, match="for ISOs alone"):
        plan_machine(Settings(boot_mode=BootMode.GRUB2), known)


def test_a_disk_that_nothing_boots_from_is_refused_unless_the_firmware_is_chosen() -> None:
    known = facts(iso=disk(), kind=ImageKind.DISK)
    with pytest.raises(UsageError, match="nothing on the disk boots"):
        plan_machine(Settings(), known)
    assert plan_machine(Settings(firmware=FirmwareChoice.UEFI), known).firmware.reason == "requested"
    with pytest.raises(UsageError, match="only UEFI"):
        plan_machine(Settings(firmware=FirmwareChoice.BIOS), facts(iso=disk(), kind=ImageKind.EFI))


def test_a_kernel_is_started_with_its_initrd_beside_a_medium_or_without_one() -> None:
    settings = Settings(kernel=Path("/nowhere/k"), initrd=Path("/nowhere/i"), append="console=ttyS0 a b")
    beside = plan_machine(settings, facts())
    argv = beside.machine.argv()
    at = argv.index("-kernel")
    assert argv[at : at + 4] == ["-kernel", "/nowhere/k", "-initrd", "/nowhere/i"]
    assert argv[at + 4 : at + 6] == ["-append", "console=ttyS0 a b"]
    assert "bootindex=1" in " ".join(argv)
    alone = plan_machine(
        Settings(append="a"), facts(iso=disk(path=Path("/nowhere/k")), kind=ImageKind.KERNEL)
    )
    assert "media=cdrom" not in " ".join(alone.machine.argv())
    assert "the kernel /nowhere/k; kernel command line: a" in alone.notes[0]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (Settings(initrd=Path("/i")), "an initrd without a kernel"),
        (Settings(kernel=Path("/k"), boot_mode=BootMode.GRUB2), "boot mode grub2 and a kernel"),
        (Settings(kernel=Path("/k"), remove="quiet"), "nothing to remove"),
    ],
)
def test_kernels_that_make_no_sense(settings: Settings, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        plan_machine(settings, facts())


def test_the_board_of_before() -> None:
    settings = Settings(machine=BoardType.PC, firmware=FirmwareChoice.BIOS)
    assert "-machine pc,accel=tcg" in " ".join(plan_machine(settings, facts()).machine.argv())
    with pytest.raises(UsageError, match="needs a q35 board"):
        plan_machine(Settings(machine=BoardType.PC, firmware=FirmwareChoice.UEFI), facts())


def test_cpu_features_are_added_removed_and_checked() -> None:
    known = frozenset({"vmx", "avx2", "sse4-1", "sse4.1"})
    settings = Settings(cpu_features=("vmx", "-avx2", "+sse4_1"))
    machine = plan_machine(settings, facts(cpu_features=known)).machine
    assert "max,+vmx,-avx2,+sse4_1" in machine.argv()
    with pytest.raises(UsageError, match=r"no CPU feature avx3, -quux$") as refused:
        plan_machine(Settings(cpu_features=("vmx", "avx3", "-quux")), facts(cpu_features=known))
    assert refused.value.hint == "nearest: avx2"
