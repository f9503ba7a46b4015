"""Block devices by the forms of ``root=``: found in sysfs and by reading superblocks and partition tables.

======================  =============================================================================
``LABEL=`` ``UUID=``    of the file system, see :mod:`bootchain.superblocks`; ``\\xNN`` stands for a byte
``PARTLABEL=``          name of a GPT partition
``PARTUUID=``           of a GPT partition, or ``SSSSSSSS-PP`` on MBR; ``/PARTNROFF=N`` counts on from there
``/dev/...``            a node or a link to one; ``/dev/disk/by-*/...`` works without udev too
``MAJ:MIN``             by numbers
``CDROM:`` before it    among devices that hold an ISO 9660 file system: discs, sticks, partitions; alone: any of them
======================  =============================================================================
"""

# ruff: noqa: PTH113, PTH116, PTH119, PTH120, PTH208
# (pathlib costs more CPU at the start than the whole search.)

from __future__ import annotations

import os
import stat

from bootchain.partitions import read_partition
from bootchain.superblocks import HEAD_BYTES, Identity, identify

TAGS = ("LABEL", "UUID", "PARTLABEL", "PARTUUID")
_NEVER_READ = ("fd", "ram", "zram", "nbd")
_SCSI_CDROM = "5"
_MAX_TEXT = 4096
_HEX = frozenset("0123456789abcdefABCDEF")


class SpecError(Exception):
    """That is not a form of ``root=``. The message gives the reason."""


class Spec:
    """Which device is meant.

    Attributes:
        tag: one of :data:`TAGS`, ``path``, ``number`` or ``any``.
        value: what it has to be.
        optical: whether it has to hold an ISO 9660 file system, or be a UDF disc in an optical drive.
        offset: partitions to count on from the one that was found.
    """

    __slots__ = ("offset", "optical", "tag", "value")

    def __init__(self, tag: str, value: str, *, optical: bool = False, offset: int = 0) -> None:
        self.tag = tag
        self.value = value
        self.optical = optical
        self.offset = offset


def parse_spec(text: str) -> Spec:
    """Read one of the forms. Raises SpecError."""
    rest = text.removeprefix("CDROM:")
    optical = rest != text
    tag, equals, value = rest.partition("=")
    if equals and tag in TAGS:
        return _tagged(tag, value.strip('"'), text, optical=optical)
    if rest.startswith("/dev/disk/by-"):
        kind, _, name = rest.removeprefix("/dev/disk/by-").partition("/")
        if kind.upper() in TAGS and name:
            return _tagged(kind.upper(), name, text, optical=optical)
    if rest.startswith("/dev/"):
        return Spec("path", rest, optical=optical)
    major, colon, minor = rest.partition(":")
    if colon and major.isdecimal() and minor.isdecimal():
        return Spec("number", f"{int(major[:9])}:{int(minor[:9])}", optical=optical)
    if not rest and optical:
        return Spec("any", "", optical=True)
    if rest and "/" not in rest and "=" not in rest and ":" not in rest:
        return Spec("path", f"/dev/{rest}", optical=optical)
    raise SpecError(f"{text!r} is not a device: expected {'= '.join(TAGS)}= /dev/NAME or MAJ:MIN")


def _tagged(tag: str, value: str, text: str, *, optical: bool) -> Spec:
    offset = 0
    if tag == "PARTUUID":
        value, found, count = value.partition("/PARTNROFF=")
        if found:
            if not count.removeprefix("-").isdecimal():
                raise SpecError(f"{text!r}: PARTNROFF is not a number")
            offset = int(count[:9])
    if not value:
        raise SpecError(f"{text!r}: {tag} is empty")
    return Spec(tag, value, optical=optical, offset=offset)


class Device:
    """One block device as sysfs has it.

    Attributes:
        name: name in sysfs; ``!`` stands for ``/``.
        node: where its node should be.
        number: ``MAJ:MIN``.
        partition: number of the partition, 0 for a whole disk.
        parent: name of the whole disk, ``""`` for one.
        optical: whether it is an optical drive.
        size_bytes: 0 when there is no medium.
        in_use: whether an array or a mapping stands on it.
    """

    __slots__ = (
        "generation",
        "in_use",
        "name",
        "node",
        "number",
        "optical",
        "parent",
        "partition",
        "partname",
        "partuuid",
        "size_bytes",
    )

    def __init__(self, sysfs: str, dev: str, name: str) -> None:
        directory = f"{sysfs}/class/block/{name}"
        uevent = dict(
            line.partition("=")[::2] for line in _text(f"{directory}/uevent").splitlines() if "=" in line
        )
        self.name = name
        self.node = f"{dev}/{uevent.get('DEVNAME') or name.replace('!', '/')}"
        self.number = f"{uevent.get('MAJOR', '')}:{uevent.get('MINOR', '')}"
        partition = _text(f"{directory}/partition")
        self.partition = int(partition) if partition.isdecimal() else 0
        self.parent = os.path.basename(os.path.dirname(os.path.realpath(directory))) if self.partition else ""
        self.partname = uevent.get("PARTNAME", "")
        self.partuuid = uevent.get("PARTUUID", "")
        self.optical = name.startswith("sr") or _text(f"{directory}/device/type") == _SCSI_CDROM
        sectors = _text(f"{directory}/size")
        self.size_bytes = int(sectors[:18]) * 512 if sectors.isdecimal() else 0
        try:
            self.in_use = bool(os.listdir(f"{directory}/holders"))
        except OSError:
            self.in_use = False
        whole = f"{sysfs}/class/block/{self.parent}" if self.parent else directory
        self.generation = f"{_text(f'{whole}/diskseq')} {self.number} {sectors}"


class Finder:
    """Looks for one device, remembering what it has read.

    Args:
        sysfs: where sysfs is.
        dev: where the nodes are.
    """

    def __init__(self, spec: Spec, *, sysfs: str = "/sys", dev: str = "/dev") -> None:
        self._spec = spec
        self._sysfs = sysfs
        self._dev = dev
        self._known: dict[str, tuple[str, Identity]] = {}
        self.blkid = _program("blkid")

    def find(self) -> Device | None:
        """Look once. Whole disks come before partitions, and low numbers first."""
        devices = self.devices()
        found = next((device for device in devices if self._is_meant(device)), None)
        if found is None or not self._spec.offset:
            return found
        wanted = found.partition + self._spec.offset
        return next((d for d in devices if d.parent == found.parent and d.partition == wanted), None)

    def devices(self) -> list[Device]:
        """All block devices that have a medium."""
        try:
            names = os.listdir(f"{self._sysfs}/class/block")
        except OSError:
            return []
        devices = [Device(self._sysfs, self._dev, name) for name in names]
        return sorted((d for d in devices if d.size_bytes), key=lambda d: (d.partition > 0, _natural(d.name)))

    def forget(self, name: str = "") -> None:
        """A device has changed (``""``: any may have): read it again."""
        if name:
            self._known.pop(name, None)
        else:
            self._known.clear()

    def identity(self, device: Device) -> Identity | None:
        """What its superblock says; reads it once per medium."""
        generation, identity = self._known.get(device.name, ("", None))
        if identity is not None and generation == device.generation:
            return identity
        identity = self._read_identity(device)
        if identity is not None:
            self._known[device.name] = (device.generation, identity)
        return identity

    def _is_meant(self, device: Device) -> bool:
        spec = self._spec
        if spec.optical and not self._is_disc(device):
            return False
        if spec.tag in ("LABEL", "UUID"):
            return self._holds(device)
        if spec.tag in ("PARTUUID", "PARTLABEL"):
            return bool(device.partition) and self._is_partition(device)
        if spec.tag == "number":
            meant = device.number == spec.value
        else:
            meant = spec.tag == "any" or _same_node(device, spec.value, self._dev)
        return meant and self._is_readable(device)

    def _holds(self, device: Device) -> bool:
        """Whether the file system on it is the one."""
        if device.in_use or device.name.startswith(_NEVER_READ):
            return False
        identity = self.identity(device)
        if identity is None or identity.kind == "linux_raid_member":
            return False
        if self._spec.tag == "UUID":
            return identity.uuid.lower() == self._spec.value.lower()
        return not {self._spec.value, unescape(self._spec.value)}.isdisjoint(identity.labels)

    def _is_disc(self, device: Device) -> bool:
        """Whether it holds the file system of a disc, on whatever medium."""
        if device.in_use or device.name.startswith(_NEVER_READ):
            return False
        identity = self.identity(device)
        return identity is not None and (
            identity.kind == "iso9660" or (device.optical and identity.kind == "udf")
        )

    def _is_partition(self, device: Device) -> bool:
        spec = self._spec
        uuid, name = device.partuuid, device.partname
        if not (uuid if spec.tag == "PARTUUID" else name):
            uuid, name = self._read_table(device)
        if spec.tag == "PARTUUID":
            return uuid.lower() == spec.value.lower()
        return bool(name) and name in (spec.value, unescape(spec.value))

    def _read_table(self, device: Device) -> tuple[str, str]:
        """PARTUUID and PARTLABEL of a partition, from the table of its disk."""
        disk = Device(self._sysfs, self._dev, device.parent)
        block = _text(f"{self._sysfs}/class/block/{device.parent}/queue/logical_block_size")
        with _Opened(disk) as opened:
            return read_partition(opened.read, device.partition, int(block) if block.isdecimal() else 512)

    def _is_readable(self, device: Device) -> bool:
        with _Opened(device) as opened:
            try:
                return len(opened.read(0, 2048)) > 0
            except OSError:
                return False

    def _read_identity(self, device: Device) -> Identity | None:
        with _Opened(device) as opened:
            identity = identify(opened.read, device.size_bytes)
            if identity is None and self.blkid:
                try:
                    unknown = any(opened.read(0, HEAD_BYTES))
                except OSError:
                    unknown = False
                if unknown:
                    identity = ask_blkid(self.blkid, device.node)
        return identity


class _Opened:
    """An open device; reads fail with OSError when it cannot be opened."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._fd = -1

    def __enter__(self) -> _Opened:
        # Without O_NONBLOCK, a drive with its tray out would pull it in.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            self._fd = os.open(self._device.node, flags)
        except OSError:
            self._fd = -1
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def read(self, offset: int, count: int) -> bytes:
        if self._fd < 0:
            raise OSError(f"cannot open {self._device.node}")
        return os.pread(self._fd, count, offset)


def ask_blkid(program: str, node: str) -> Identity | None:
    """What blkid (of util-linux or busybox) knows about a device."""
    import subprocess

    try:
        done = subprocess.run(
            [program, node], stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    line = done.stdout[:_MAX_TEXT].decode("utf-8", "surrogateescape").strip()
    if not line.startswith(f"{node}:"):
        return None
    values = dict(part.split('="', 1) for part in line[len(node) + 1 :].lstrip().split('" ') if '="' in part)
    values = {key: value.removesuffix('"') for key, value in values.items()}
    return Identity(values.get("TYPE", ""), (values.get("LABEL", ""),), values.get("UUID", ""))


def unescape(text: str) -> str:
    r"""Undo the ``\xNN`` of udev in a label."""
    head, *parts = text.split("\\x")
    raw = bytearray(head.encode("utf-8", "surrogateescape"))
    for part in parts:
        if len(part) >= 2 and _HEX.issuperset(part[:2]):
            raw.append(int(part[:2], 16))
            part = part[2:]  # noqa: PLW2901
        else:
            raw += b"\\x"
        raw += part.encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "surrogateescape")


def _same_node(device: Device, path: str, dev: str) -> bool:
    wanted = f"{dev}/{path.removeprefix('/dev/')}"
    if wanted == device.node:
        return True
    try:
        status = os.stat(wanted)
    except OSError:
        return False
    number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return stat.S_ISBLK(status.st_mode) and number == device.number


def _natural(name: str) -> list[tuple[int, str]]:
    """``sda sdb sdaa``, ``sda2 sda10``: by length of the letters, then by number."""
    letters = name.rstrip("0123456789")
    digits = name[len(letters) :]
    return [(len(letters), letters), (len(digits), digits)]


def _program(name: str) -> str:
    """The path of a program, ``""`` when there is none."""
    for directory in os.environ.get("PATH", "/sbin:/usr/sbin:/bin:/usr/bin").split(":"):
        path = f"{directory}/{name}"
        if directory and os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return ""


def _text(path: str) -> str:
    """A small file of sysfs, stripped; ``""`` when there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(fd, _MAX_TEXT).decode("utf-8", "surrogateescape").strip("\n")
    except OSError:
        return ""
    finally:
        os.close(fd)
