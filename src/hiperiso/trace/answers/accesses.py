"""The accesses to registers that the records of a batch show, whichever of QEMU's events shows them.

In the full tier every access is a ``memory_region_ops_*``, and the events of single devices beside it repeat it. In the
detailed tier those are all there is: each row of `_DEVICES` says what its arguments mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Final

from hiperiso.text import masked
from hiperiso.trace.reader import Batch, EventColumns

Key = tuple[str, bool, int]
"""QEMU's name of the memory region, empty for an event of a device; whether it is a write; the address."""
Access = tuple[int, int, Key, int]
"""Its place in the batch, its time in ns, where it goes to, the value."""
Rows = dict[str, list[int]]

PCI_CONFIG: Final = "pci-configuration"
"""Instead of a region: accesses to configuration space, ``bus << 20 | slot << 15 | function << 12 | offset``."""
_OPS: Final = {"memory_region_ops_read": False, "memory_region_ops_write": True}
_RAM_DEVICE: Final = {"memory_region_ram_device_read": False, "memory_region_ram_device_write": True}
_PCI: Final = {"pci_cfg_read": False, "pci_cfg_write": True}
CONFIG_INDEX: Final = "pci-conf-idx"
CONFIG_DATA: Final = "pci-conf-data"
_REPEATED: Final = "pcie-mmcfg-mmio"
"""A region through which configuration space is reached: its own events show those accesses."""
_OTHER_CPU: Final = -1
VIRTIO: Final = "virtio"
"""Instead of a region: queues of virtio devices, which QEMU mostly serves without an access that it records. The
address is ``device << QUEUE_BITS | queue``, the device being a pointer of QEMU's."""
QUEUE_BITS: Final = 16
_QUEUES: Final = {"virtio_queue_notify": True, "virtio_notify": False, "virtio_blk_req_complete": False}


def _at(base: int, argument: str | None = "addr") -> Callable[[Rows], Iterable[int]]:
    if argument is None:
        return lambda _: repeat(base)
    return lambda rows: [base + offset for offset in rows[argument]]


def _pic(rows: Rows) -> Iterable[int]:
    return [
        (0x20 if master else 0xA0) + (offset & 1)
        for master, offset in zip(rows["master"], rows["addr"], strict=True)
    ]


_DEVICES: Final[dict[str, tuple[bool, Callable[[Rows], Iterable[int]], str]]] = {
    "cpu_in": (False, _at(0), "val"),
    "cpu_out": (True, _at(0), "val"),
    "serial_read": (False, _at(0x3F8), "value"),
    "serial_write": (True, _at(0x3F8), "value"),
    "pckbd_kbd_read_data": (False, _at(0x60, None), "val"),
    "pckbd_kbd_read_status": (False, _at(0x64, None), "status"),
    "pckbd_kbd_write_command": (True, _at(0x64, None), "val"),
    "pckbd_kbd_write_data": (True, _at(0x60, None), "val"),
    "pic_ioport_read": (False, _pic, "val"),
    "pic_ioport_write": (True, _pic, "val"),
    "port92_read": (False, _at(0x92, None), "val"),
    "port92_write": (True, _at(0x92, None), "val"),
    "apm_io_read": (False, _at(0xB2), "val"),
    "apm_io_write": (True, _at(0xB2), "val"),
    "ide_ioport_read": (False, _at(0x1F0), "val"),
    "ide_ioport_write": (True, _at(0x1F0), "val"),
    "ide_status_read": (False, _at(0x3F6, None), "val"),
    "ide_ctrl_write": (True, _at(0x3F6, None), "val"),
    "fdc_ioport_read": (False, _at(0x3F0, "reg"), "value"),
    "fdc_ioport_write": (True, _at(0x3F0, "reg"), "value"),
    "parallel_ioport_read": (False, _at(0x378), "value"),
    "parallel_ioport_write": (True, _at(0x378), "value"),
    "vga_std_read_io": (False, _at(0), "val"),
    "vga_std_write_io": (True, _at(0), "val"),
    "vga_vbe_read": (False, _at(0x1CF, None), "val"),
    "vga_vbe_write": (True, _at(0x1CF, None), "val"),
    "fw_cfg_select": (True, _at(0x510, None), "key_value"),
}


def shows_all(batch: Batch) -> bool:
    """Whether every access is recorded where this batch is from."""
    return any(part.event in _OPS for part in batch.events)


def accesses(batch: Batch, *, full: bool) -> list[Access]:
    """The accesses of a batch, in the order of the trace; `full`: all are recorded, so that others repeat them."""
    parts = {part.event: part for part in batch.events if part.form}
    found: list[Access] = []
    for event, write in _OPS.items():
        if event in parts:
            found += _region_accesses(batch, parts[event], write=write)
    for event, write in _RAM_DEVICE.items():
        if event in parts:
            found += _keyed(parts[event], "ram-device", numbers(parts[event])["addr"], "value", write=write)
    for event, write in _PCI.items():
        if event in parts:
            rows = numbers(parts[event])
            places = [
                bus << 20 | slot << 15 | function << 12 | offset & 0xFFF
                for bus, slot, function, offset in zip(
                    *(rows[name] for name in ("bus", "slot", "func", "offs")), strict=True
                )
            ]
            found += _keyed(parts[event], PCI_CONFIG, places, "val", write=write)
    for event, write in _QUEUES.items():
        if event in parts:
            rows = numbers(parts[event])
            queues = rows.get("n", repeat(0))
            places = [
                device << QUEUE_BITS | queue for device, queue in zip(rows["vdev"], queues, strict=False)
            ]
            found += _rows(parts[event], VIRTIO, places, repeat(0), write=write)
    if not full:
        for event in _DEVICES.keys() & parts.keys():
            write, addresses, value = _DEVICES[event]
            found += _keyed(parts[event], "", addresses(numbers(parts[event])), value, write=write)
    found.sort(key=_place)
    return found


def _place(access: Access) -> int:
    return access[0]


def numbers(part: EventColumns) -> Rows:
    """The arguments that are numbers, by name."""
    assert part.form is not None
    return {
        name: column.tolist()
        for name, kind, column in zip(part.form.arguments, part.form.kinds, part.arguments, strict=True)
        if kind != "str"
    }


def texts(batch: Batch, part: EventColumns, name: str) -> list[str]:
    """An argument that is a string."""
    assert part.form is not None
    column = part.arguments[part.form.arguments.index(name)]
    known = {code: masked(batch.strings[code].decode("utf-8", "replace")) for code in set(column)}
    return [known[code] for code in column]


def _keyed(
    part: EventColumns, region: str, addresses: Iterable[int], value: str, *, write: bool
) -> Iterator[Access]:
    return _rows(part, region, addresses, numbers(part)[value], write=write)


def _rows(
    part: EventColumns, region: str, addresses: Iterable[int], values: Iterable[int], *, write: bool
) -> Iterator[Access]:
    keys = zip(repeat(region), repeat(write), addresses)
    return zip(part.row.tolist(), part.t_ns.tolist(), keys, values, strict=False)


def _region_accesses(batch: Batch, part: EventColumns, *, write: bool) -> Iterator[Access]:
    assert part.form is not None
    rows = numbers(part)
    named = "name" in part.form.arguments  # since QEMU 6.1
    regions = texts(batch, part, "name") if named else [""] * len(part.row)
    return (
        (row, t_ns, (region, write, address), value)
        for row, t_ns, region, address, value, cpu in zip(
            part.row, part.t_ns, regions, rows["addr"], rows["value"], rows["cpu_index"], strict=True
        )
        if cpu != _OTHER_CPU and region != _REPEATED
    )
