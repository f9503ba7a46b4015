"""Planning is a function of settings and facts: it reads nothing and writes nothing."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from msgspec.structs import replace

from hiperiso.contract.hardware import Board as BoardType
from hiperiso.contract.hardware import DiskFormat, ImageKind, Medium, Net, Nic
from hiperiso.contract.secureboot import Trust
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import BootMode, Display, FirmwareChoice, FirmwareKind, TraceLevel
from hiperiso.errors import HarnessFault, UsageError
from hiperiso.images.answers import Answers
from hiperiso.images.injection import Injection
from hiperiso.images.members import Member
from hiperiso.iso.eltorito import BootEntry, Platform
from hiperiso.iso.inspect import IsoInfo
from hiperiso.machine import parts, plan
from hiperiso.machine.facts import Accel, ExtractedEntry, Facts, Place
from hiperiso.machine.firmware import FirmwareCatalog, FirmwareImage
from hiperiso.machine.part import Preparation
from hiperiso.machine.parts.board import Board
from hiperiso.machine.parts.firmware import Uefi
from hiperiso.machine.parts.loader import DirectKernel, HostGrub, Memdisk
from hiperiso.machine.parts.medium import RamCdrom, WrittenDisk
from hiperiso.machine.parts.monitors import Monitors
from hiperiso.machine.parts.network import Network
from hiperiso.machine.parts.screen import Screen
from hiperiso.machine.parts.tpm import Tpm
from hiperiso.machine.parts.usb import UsbController
from hiperiso.machine.parts.volumes import Volumes
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
        "memdisk": Path("/nowhere/memdisk"),
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
    assert "max,+vmx,-avx2,+sse4_1,min-xlevel=0x80000008" in machine.argv()
    with pytest.raises(UsageError, match=r"no CPU feature avx3, -quux$") as refused:
        plan_machine(Settings(cpu_features=("vmx", "avx3", "-quux")), facts(cpu_features=known))
    assert refused.value.hint == "nearest: avx2"


def secure_facts(**changes: object) -> Facts:
    """Facts with firmware that has keys enrolled."""
    plain = facts().firmware
    keys = FirmwareImage(
        kind=FirmwareKind.UEFI,
        source="x",
        secure_boot=True,
        code=Path("/nowhere/ms.fd"),
        variables_template=Path("/nowhere/ms-vars.fd"),
        smm=True,
    )
    catalog = FirmwareCatalog(bios=plain.bios, uefi=plain.uefi, secure_boot=keys, skipped=())
    return facts(firmware=catalog, **changes)


@pytest.mark.parametrize(
    ("trust", "template"),
    [(Trust.VENDOR, "ms-vars.fd"), (Trust.ONLY_2023, "vars.fd"), (Trust.REVOKED, "vars.fd")],
)
def test_secure_boot_chooses_firmware_with_keys(trust: Trust, template: str) -> None:
    planned = plan_machine(Settings(secure_boot=trust), secure_facts())
    firmware = planned.machine.get(Uefi)
    assert (firmware.code, firmware.template) == (Path("/nowhere/ms.fd"), Path("/nowhere") / template)
    assert planned.firmware.reason == "Secure Boot was requested"
    assert planned.machine.get(Board).smm
    assert planned.notes[0].startswith("Secure Boot: the firmware trusts ")


def test_secure_boot_is_refused_where_it_cannot_be() -> None:
    with pytest.raises(UsageError, match="feature of UEFI"):
        plan_machine(Settings(secure_boot=Trust.VENDOR, firmware=FirmwareChoice.BIOS), secure_facts())
    with pytest.raises(HarnessFault, match="enrolled keys"):
        plan_machine(Settings(secure_boot=Trust.VENDOR), facts())


@pytest.mark.parametrize(("firmware", "device"), [("bios", "tpm-tis"), ("uefi", "tpm-crb")])
def test_a_tpm(firmware: str, device: str) -> None:
    planned = plan_machine(Settings(tpm=True, firmware=FirmwareChoice(firmware)), facts())
    argv = planned.machine.argv()
    assert f"{device},tpmdev=tpm0" in argv
    assert "socket,id=tpm-control,path=/nowhere/0123456789ab.tpm" in argv
    assert any("virtual TPM 2.0" in note for note in planned.notes)
    assert plan_machine(Settings(), facts()).machine.find(Tpm) is None


@pytest.mark.parametrize(
    ("firmware", "needed", "program", "in_ram"),
    [
        ("bios", False, True, False),
        ("bios", True, True, True),
        ("bios", False, False, True),
        ("uefi", False, True, True),
    ],
)
def test_memdisk_is_a_drive_in_ram_where_the_program_is_not_enough(
    firmware: str, needed: bool, program: bool, in_ram: bool
) -> None:
    settings = Settings(boot_mode=BootMode.MEMDISK, firmware=FirmwareChoice(firmware))
    memdisk = Path("/nowhere/memdisk") if program else None
    machine = plan_machine(settings, facts(needs_medium=needed, memdisk=memdisk)).machine
    drive = machine.find(RamCdrom)
    assert (drive is not None) is in_ram is (machine.find(Memdisk) is None)
    if drive is not None:
        assert drive.image == Path("/nowhere/0123456789ab.iso")
        assert any("copied to the host's RAM" in note for note in drive.notes())


def test_a_drive_in_ram_is_copied_and_removed_or_refused_with_figures(tmp_path: Path) -> None:
    source = tmp_path / "a.iso"
    source.write_bytes(b"x" * 5000)
    drive = RamCdrom(
        image=tmp_path / "copy", copy=tmp_path / "copy", source=source, size_bytes=5000, ram_mb=1
    )
    with ExitStack() as stack:
        drive.prepare(Preparation(stack))
        assert drive.image.read_bytes() == source.read_bytes()
    assert not drive.image.exists()
    huge = replace(drive, size_bytes=5 << 40, ram_mb=2048)
    with (
        ExitStack() as stack,
        pytest.raises(UsageError, match=r"5242881 MB and the guest's 2048 MB do not fit \d+ MB"),
    ):
        huge.prepare(Preparation(stack))


def test_a_drive_in_ram_with_replaced_files_is_an_overlay_over_the_copy() -> None:
    overlay = Path("/nowhere/0123456789ab.medium.qcow2")
    machine = plan_machine(Settings(boot_mode=BootMode.MEMDISK), facts(overlay=overlay)).machine
    drive = machine.get(RamCdrom)
    assert (drive.image, drive.copy) == (overlay, Path("/nowhere/0123456789ab.iso"))
    assert "format=qcow2,readonly=on" in " ".join(drive.argv()) and machine.find(Memdisk) is None


def test_a_preseed_and_injected_files_are_added_to_the_initramfs_of_an_entry() -> None:
    preseed = Answers(kind="a preseed", label="", files={"preseed.cfg": b"d-i"})
    injection = Injection(archive=Path("/nowhere/a.tar"), members=(Member(name="a", data=b"x"),))
    both = {"answers": preseed, "injection": injection}
    entry = ExtractedEntry(
        title="Install", source="grub.cfg", arguments="", kernel=Path("/nowhere/k"), initrd=Path("/nowhere/i")
    )
    machine = plan_machine(Settings(), facts(entry=entry, **both)).machine
    kernel = machine.get(DirectKernel)
    assert [member.name for member in kernel.added] == ["a", "preseed.cfg"]
    assert (kernel.base, kernel.initrd) == (Path("/nowhere/i"), NOWHERE / "medium.initrd")
    assert machine.find(Volumes) is None and machine.find(UsbController) is None
    given = Settings(kernel=Path("/nowhere/k"))
    assert plan_machine(given, facts(**both)).machine.get(DirectKernel).base is None
    with pytest.raises(UsageError, match="a preseed is added to the initramfs of an entry"):
        plan_machine(Settings(), facts(**both))
    machine = plan_machine(Settings(), facts(injection=injection)).machine
    assert machine.get(Volumes).injection == injection and machine.find(UsbController)


def test_grub2_starts_the_entry_that_was_read() -> None:
    entry = ExtractedEntry(title="Live", source="grub.cfg", arguments="quiet", kernel=Path("/nowhere/k"))
    planned = plan_machine(Settings(boot_mode=BootMode.GRUB2), facts(entry=entry))
    assert planned.machine.get(DirectKernel).append == "quiet"
    assert planned.machine.find(HostGrub) is None
    assert any("'Live' of grub.cfg" in note for note in planned.notes)
