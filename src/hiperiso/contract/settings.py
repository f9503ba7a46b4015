"""The table of settings: one row each. Everything else about a setting is derived from its row.

A field of `Settings` is a row: its attribute, type and default are the field's own, the rest is in `Row` beside the
type. From the rows come the environment variables, kernel parameters, options of ``hiperiso boot``, checks, the JSON
Schema of ``iso_overrides``, the table in docs/configuration.md, ``hiperiso config``, and what a stick's menu passes on.

Source: the interface contract, "Kernel Command Line Parameters" and "Plugin Parameters"; further ones in that style.
"""
# Without `from __future__ import annotations`: the rows are read from the annotations, with no evaluation of text.

from pathlib import Path
from typing import Annotated, Final

import msgspec

from hiperiso.contract.expected import Expected
from hiperiso.contract.hardware import Board, Bus, Drive, DriveText, Medium, Net, Nic
from hiperiso.contract.menupolicy import MenuPolicy
from hiperiso.contract.replacement import Replacement, Replacements
from hiperiso.contract.row import PLACES, Carried, Row, Where, rows_of
from hiperiso.contract.secureboot import Trust, TrustKind
from hiperiso.contract.tracereport import TraceKeep
from hiperiso.contract.values import (
    Arguments,
    Choice,
    File,
    Flag,
    Integer,
    Megabytes,
    Menu,
    Name,
    Positive,
    Regex,
    Several,
    Text,
)
from hiperiso.contract.words import (
    AccelChoice,
    BootMode,
    BootStage,
    DirectWay,
    Display,
    FirmwareChoice,
    NoKvm,
    OcrChoice,
    TraceLevel,
    Vga,
)

TCG_TIMEOUT_SCALE: Final = 3.0
"""The factor on the timeout when the guest's processor is emulated."""

MAX_CPUS: Final = 255
"""The maximum of q35 without x2APIC remapping."""

CPU_FEATURE: Final = r"[+-]?[a-z0-9][a-z0-9._-]{0,40}"
"""The form of a QEMU CPU feature name; ``-`` before it removes the feature."""

STAGES: Final = tuple(stage for stage in BootStage if stage.rank)
"""The stages that a boot can reach."""

_HAND_OVER: Final = "only a machine booted from a stick can be handed over to an ISO"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of one boot. ``timeout_s`` is at native speed; see `timeout_in_force_s`."""

    ram_mb: Annotated[
        int,
        Row(
            name="ram",
            kind=Megabytes("an amount of RAM", 16, 1 << 22),
            help="Guest RAM in MB",
            example="4G",
            variable="HIPERISO_GUEST_RAM",
        ),
    ] = 2048
    cpus: Annotated[
        int,
        Row(
            kind=Integer("number of vCPUs", 1, MAX_CPUS),
            help="Guest vCPUs",
            example="4",
            variable="HIPERISO_GUEST_CPUS",
        ),
    ] = 2
    trace: Annotated[
        TraceLevel,
        Row(
            kind=Choice(TraceLevel),
            help="Trace tier",
            variable="HIPERISO_TRACE_LEVEL",
            carried=Carried.UNLESS_TRACE,
        ),
    ] = TraceLevel.STANDARD
    trace_from: Annotated[
        BootStage | None,
        Row(
            kind=Choice(BootStage, STAGES),
            help="Record this tier from a stage on; before it the standard tier",
            example="kernel",
        ),
    ] = None
    trace_until: Annotated[
        str | None,
        Row(
            kind=Text("STAGE|TEXT"),
            help="Record this tier until a stage, or until the guest prints a text; then the standard tier",
            example="userspace",
            carried=Carried.FILE,
        ),
    ] = None
    trace_limit: Annotated[
        int | None,
        Row(
            kind=Megabytes("a size of the trace", 1, 1 << 20),
            help="Keep the trace under a size in MB",
            example="500",
            automatic="no limit",
        ),
    ] = None
    trace_keep: Annotated[
        TraceKeep, Row(kind=Choice(TraceKeep), help="Which part is kept when the trace reaches its limit")
    ] = TraceKeep.FIRST
    display: Annotated[Display, Row(kind=Choice(Display), help="Where the guest's screen is shown")] = (
        Display.NONE
    )
    vga: Annotated[Vga, Row(kind=Choice(Vga), help="Display adapter")] = Vga.STD
    firmware: Annotated[
        FirmwareChoice,
        Row(kind=Choice(FirmwareChoice), help="Firmware", automatic="auto, what the ISO has"),
    ] = FirmwareChoice.AUTO
    net_dump: Annotated[
        bool, Row(kind=Flag(), help="Give the guest a network, and record it in network.pcap")
    ] = False
    net: Annotated[Net, Row(kind=Choice(Net), help="The guest's network, not recorded")] = Net.NONE
    nic: Annotated[
        Nic | None,
        Row(
            kind=Choice(Nic),
            help="The guest's network card",
            automatic=f"{Nic.VIRTIO} where there is a network",
        ),
    ] = None
    cpu: Annotated[
        str | None,
        Row(
            kind=Name("the name of a CPU model", r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", cased=True),
            help="The guest's CPU model, as `qemu-system-x86_64 -cpu help` lists them",
            example="Skylake-Client",
            automatic="host with KVM, else max",
        ),
    ] = None
    cpu_features: Annotated[
        tuple[str, ...],
        Row(
            kind=Several(Name("the name of a CPU feature", CPU_FEATURE)),
            help="CPU features to add, or with - to remove, of those that QEMU knows",
            example="vmx,-avx2",
        ),
    ] = ()
    secure_boot: Annotated[
        Trust,
        Row(
            kind=TrustKind(),
            help="UEFI firmware that checks signatures: 1 trusts what its vendor does, else Microsoft's certificates "
            "of those years; revoked trusts both years and revokes the first",
        ),
    ] = Trust.OFF
    tpm: Annotated[
        bool,
        Row(kind=Flag(), help="A virtual TPM 2.0 (swtpm); the measured boot is compared with its registers"),
    ] = False
    machine: Annotated[Board, Row(kind=Choice(Board), help="The guest's board")] = Board.Q35
    kernel: Annotated[
        Path | None,
        Row(
            kind=File(),
            help="A Linux kernel to start directly, in place of the medium's boot loader; no ISO has to be named then",
            example="vmlinuz",
            carried=Carried.FILE,
        ),
    ] = None
    initrd: Annotated[
        Path | None,
        Row(kind=File(), help="The kernel's initrd", example="initrd.img", carried=Carried.FILE),
    ] = None
    append: Annotated[
        str | None,
        Row(
            kind=Text("ARGS"),
            help="Arguments to add to the kernel command line; the kernel of the boot menu's entry (--menu) is then "
            "started directly",
            example="'console=ttyS0'",
            carried=Carried.FILE,
        ),
    ] = None
    remove: Annotated[
        str | None,
        Row(
            kind=Text("ARGS"),
            help="Arguments to take from that command line, by name or in full",
            example="'quiet splash'",
            carried=Carried.FILE,
        ),
    ] = None
    conf_replace: Annotated[
        tuple[Replacement, ...],
        Row(
            kind=Replacements(),
            help="A file of the ISO, and the file that the guest sees in its place; the ISO is not modified",
            example="'org=/boot/grub/grub.cfg;new=my.cfg'",
        ),
    ] = ()
    boot_mode: Annotated[BootMode, Row(kind=Choice(BootMode), help="How the ISO is started")] = (
        BootMode.NORMAL
    )
    medium: Annotated[
        Medium,
        Row(
            kind=Choice(Medium),
            help="The drive with the ISO; all but cdrom are disks to which it was written",
            automatic="auto, a CD-ROM drive for an ISO, else a disk",
        ),
    ] = Medium.AUTO
    disk: Annotated[
        tuple[Drive, ...],
        Row(
            kind=Several(DriveText(), separator=";", repeated=True),
            help="A disk for the guest: a new one of that size, or a file, which is not modified without write; "
            f"BUS is one of {', '.join(Bus)}",
            example="20G,bus=nvme",
            carried=Carried.FILE,
        ),
    ] = ()
    auto_install: Annotated[
        Path | None,
        Row(
            kind=File(),
            help="Answers for an installer, where it looks for them: kickstart, preseed, AutoYaST, cloud-init, "
            "archinstall, Windows",
            example="ks.cfg",
        ),
    ] = None
    persistence: Annotated[
        Path | None,
        Row(
            kind=File(),
            help="An image to which a live system writes its changes; found by the label of its file system",
            example="changes.dat",
        ),
    ] = None
    dud: Annotated[
        tuple[Path, ...],
        Row(
            kind=Several(File(), separator=";", repeated=True),
            help="The image of a driver update disk, which is not modified",
            example="dud.img",
        ),
    ] = ()
    injection: Annotated[
        Path | None,
        Row(
            kind=File(),
            help="An archive (tar, zip, 7z) whose files are added to the initramfs, or are on a volume INJECTION",
            example="files.tar.gz",
        ),
    ] = None
    keep_disks: Annotated[bool, Row(kind=Flag(), help="Keep new disks in the session directory")] = False
    qemu_arg: Annotated[
        tuple[str, ...],
        Row(
            kind=Several(Arguments(), separator=";", repeated=True),
            help="Further arguments for QEMU, quoted as in a shell",
            example="'-device usb-ehci'",
            carried=Carried.FILE,
        ),
    ] = ()
    accel: Annotated[
        AccelChoice,
        Row(
            kind=Choice(AccelChoice),
            help="Accelerator",
            automatic="auto, KVM where it works",
            carried=Carried.UNLESS_WAY,
        ),
    ] = AccelChoice.AUTO
    fallback: Annotated[
        bool,
        Row(
            kind=Flag(),
            help="Do not use KVM: emulate on a workstation, boot directly on a stick",
            carried=Carried.UNLESS_WAY,
        ),
    ] = False
    no_kvm: Annotated[
        NoKvm,
        Row(
            kind=Choice(NoKvm),
            help="What to do if KVM cannot be used",
            where=Where.STICK,
            why=_HAND_OVER,
        ),
    ] = NoKvm.EMULATE
    direct: Annotated[
        DirectWay,
        Row(
            kind=Choice(DirectWay),
            help="How an ISO is booted without a hypervisor",
            where=Where.STICK,
            why=_HAND_OVER,
        ),
    ] = DirectWay.AUTO
    menu: Annotated[
        MenuPolicy,
        Row(
            kind=Menu(),
            help="What to do about a boot menu that waits: answer it (auto), leave it (wait, off), list its entries "
            "(list), or choose one by number or text (submenus as A>B)",
            example="'Advanced options>Text install'",
        ),
    ] = MenuPolicy()
    timeout_s: Annotated[
        float,
        Row(
            name="timeout",
            kind=Positive("number of seconds", "SECONDS"),
            help="Time limit in seconds of a guest at native speed; time that a busy host takes from it is added",
            example="900",
        ),
    ] = 300.0
    timeout_scale: Annotated[
        float | None,
        Row(
            kind=Positive("factor", "X"),
            help="Multiply the timeout",
            example="5",
            automatic=f"{TCG_TIMEOUT_SCALE:g} where the guest is emulated, else 1",
        ),
    ] = None
    expect: Annotated[
        tuple[Expected, ...],
        Row(
            kind=Several(Choice(Expected)),
            help="What to wait for, the first of: " + ", ".join(Expected),
            example="installer,login",
            automatic="what the image is for: the desktop where one is started, else a login or an installer",
        ),
    ] = ()
    expect_text: Annotated[
        str | None,
        Row(kind=Regex(), help="Text to wait for, on serial, screen, kernel log", example="'Welcome to'"),
    ] = None
    keep: Annotated[
        bool,
        Row(
            kind=Flag(),
            help="Leave the guest running after the verdict, until it is switched off or Ctrl-C is pressed",
            where=Where.WORKSTATION,
            why="on a stick the guest is on the machine's own screen, and runs on when a key was pressed",
        ),
    ] = False
    ocr: Annotated[
        OcrChoice,
        Row(
            kind=Choice(OcrChoice),
            help="Read pictures without known fonts by OCR",
            where=Where.WORKSTATION,
            why="a stick has no program for OCR",
        ),
    ] = OcrChoice.OFF

    def timeout_in_force_s(self, *, emulated: bool) -> float:
        """The wall-clock bound of the boot: scaled where the guest runs emulated."""
        scale = self.timeout_scale
        if scale is None:
            scale = TCG_TIMEOUT_SCALE if emulated else 1.0
        return self.timeout_s * scale


DEFAULTS: Final = Settings()
ROWS: Final[dict[str, Row]] = {row.name: row for row in rows_of(Settings)}
"""Setting name -> its row."""

BY_ATTRIBUTE: Final[dict[str, Row]] = {row.attribute: row for row in ROWS.values() if row.attribute}
ALL_ROWS: Final[tuple[Row, ...]] = (*PLACES, *ROWS.values())
"""With those that say where to read and write."""
