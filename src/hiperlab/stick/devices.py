"""Whether a block device may be written, and what would be erased: facts from lsblk, evaluated by pure rules."""

from __future__ import annotations

import errno
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hiperiso.errors import UsageError
from hiperiso.text import printable
from hiperlab.run import run_tool
from hiperlab.stick.layout import MIN_SIZE_BYTES, SECTOR_BYTES, size_text

_COLUMNS: Final = "PATH,TYPE,SIZE,RM,HOTPLUG,RO,TRAN,VENDOR,MODEL,SERIAL,LOG-SEC,FSTYPE,LABEL,MOUNTPOINTS"


@dataclass(frozen=True)
class BlockDevice:
    """A block device or partition from lsblk. ``children``: partitions, and devices on top of them."""

    path: str
    kind: str
    size_bytes: int
    removable: bool
    read_only: bool
    transport: str = ""
    model: str = ""
    serial: str = ""
    sector_bytes: int = SECTOR_BYTES
    filesystem: str = ""
    label: str = ""
    mounted_at: tuple[str, ...] = ()
    children: tuple[BlockDevice, ...] = ()

    def tree(self) -> list[BlockDevice]:
        """The device and everything on it."""
        return [self, *(below for child in self.children for below in child.tree())]

    @property
    def title(self) -> str:
        """``/dev/sdb (Kingston DataTraveler, 14.5 GB, usb)``."""
        words = [self.model, size_text(self.size_bytes), self.transport]
        return f"{self.path} ({', '.join(word for word in words if word)})"


def is_block_device(path: Path) -> bool:
    """Whether `path` names a block device (following links, such as those of /dev/disk/by-id)."""
    try:
        return stat.S_ISBLK(path.stat().st_mode)
    except OSError:
        return False


def inspect_device(path: Path) -> BlockDevice:
    """Query lsblk for a device.

    Raises:
        UsageError: lsblk does not know the device.
        HarnessFault: lsblk is missing or fails.
    """
    argv = ["lsblk", "--json", "--bytes", "--output", _COLUMNS, str(path.resolve())]
    return parse_lsblk(run_tool(argv, package="util-linux"), path)


def parse_lsblk(text: bytes, path: Path) -> BlockDevice:
    """The first device of lsblk's JSON.

    Raises:
        UsageError: there is none.
    """
    devices = json.loads(text or b"{}").get("blockdevices") or []
    if not devices:
        raise UsageError(f"{path} is a device without a medium", hint="lsblk lists the disks of this machine")
    return _device(devices[0])


def refusals(device: BlockDevice, *, needed_bytes: int = MIN_SIZE_BYTES, force: bool = False) -> list[str]:
    """Why `device` may not become a stick; empty if it may.

    `force` allows a device that is not removable. A device in use is never allowed.
    """
    found = []
    if device.kind not in ("disk", "loop"):
        found.append(f"{device.path} is a {device.kind}, not a whole disk")
    for item in device.tree():
        places = [place for place in item.mounted_at if place]
        if places:
            found.append(f"{item.path} is in use: {', '.join(places)}")
        elif item is not device and item.kind not in ("part", "disk", "loop"):
            found.append(f"{item.path} is in use: {item.kind}")
    if not device.removable and not force:
        found.append(f"{device.path} is not removable (--force overrides this)")
    if device.read_only:
        found.append(f"{device.path} is write-protected")
    if device.size_bytes < needed_bytes:
        found.append(
            f"{device.path} is too small: {size_text(device.size_bytes)} of {size_text(needed_bytes)} needed"
        )
    if device.sector_bytes != SECTOR_BYTES:
        found.append(
            f"{device.path} has sectors of {device.sector_bytes} bytes: only {SECTOR_BYTES} is supported"
        )
    return found


def held_by_kernel(path: Path) -> bool:
    """Whether the kernel has a device in exclusive use: mounted in another namespace, part of a RAID, ..."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def losses(device: BlockDevice) -> list[str]:
    """The content of `device` that would be erased, one line each."""
    lines = []
    for item in device.tree():
        if item is device and not item.filesystem:
            continue
        words = [item.filesystem or "unknown content", f"labelled {item.label!r}" if item.label else ""]
        lines.append(f"{item.path}: {size_text(item.size_bytes)}, {' '.join(word for word in words if word)}")
    return lines or [f"{device.path}: no partitions and no known file system"]


def loops_on(image: Path, *, sys_block: Path = Path("/sys/block")) -> list[str]:
    """The loop devices of an image file, which is then in use, perhaps mounted."""
    wanted = str(image.resolve())
    found = []
    for backing in sorted(sys_block.glob("loop*/loop/backing_file")):
        try:
            if backing.read_text().rstrip("\n") == wanted:
                found.append(f"/dev/{backing.parts[-3]}")
        except OSError:
            continue  # detached meanwhile
    return found


def _device(raw: dict[str, Any]) -> BlockDevice:
    def text(name: str) -> str:
        return printable(str(raw.get(name) or ""))

    transport = text("tran")
    return BlockDevice(
        path=text("path"),
        kind=text("type"),
        size_bytes=int(raw.get("size") or 0),
        removable=_true(raw.get("rm")) or _true(raw.get("hotplug")) or transport == "usb",
        read_only=_true(raw.get("ro")),
        transport=transport,
        model=" ".join(f"{text('vendor')} {text('model')}".split()),
        serial=text("serial"),
        sector_bytes=int(raw.get("log-sec") or SECTOR_BYTES),
        filesystem=text("fstype"),
        label=text("label"),
        mounted_at=tuple(printable(str(place)) for place in raw.get("mountpoints") or [] if place),
        children=tuple(_device(child) for child in raw.get("children") or []),
    )


def _true(value: Any) -> bool:
    return value in (True, 1, "1")
