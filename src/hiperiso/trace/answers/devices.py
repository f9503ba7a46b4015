"""Which register an access goes to, and what the trace says about the machine: PCI functions and their mappings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from hiperiso.contract.tracereport import PciBar, PciFunction
from hiperiso.trace.answers.accesses import (
    CONFIG_DATA,
    CONFIG_INDEX,
    PCI_CONFIG,
    QUEUE_BITS,
    VIRTIO,
    Key,
    numbers,
    texts,
)
from hiperiso.trace.answers.memory import bar_register, region_register
from hiperiso.trace.answers.ports import standard_port
from hiperiso.trace.answers.registers import PORTS_END, Register, Role
from hiperiso.trace.reader import Batch

_MAX_FUNCTIONS: Final = 512
_MAX_REGISTERS: Final = 1 << 16
_NOTHING: Final = "io"
"""QEMU's region of all ports behind which there is nothing."""
_EMPTY: Final = "empty"
_ONES: Final = (0xFF, 0xFFFF, 0xFFFFFFFF)
_READ: Final = "pci_cfg_read"
_UNMAPPED: Final = "pci_update_mappings_del"
_CONFIG_EVENTS: Final = frozenset({_READ, "pci_cfg_write"})
_LEARNED: Final = _CONFIG_EVENTS | {_UNMAPPED, "pci_update_mappings_add"}
_DISK_EVENTS: Final = frozenset({"virtio_blk_handle_read", "virtio_blk_handle_write"})
_VIRTIO_DISK: Final = "virtio-blk-pci"
_CONFIG: Final = {
    0x00: "vendor and device ID",
    0x02: "device ID",
    0x04: "command",
    0x06: "status",
    0x08: "revision and class",
    0x0A: "class",
    0x0C: "cache line size",
    0x0E: "header type",
    0x34: "capabilities",
    0x3C: "interrupt line",
    0x3D: "interrupt pin",
}


@dataclass
class _Function:
    name: str
    found_s: float
    vendor: str = ""
    device: str = ""
    class_code: str = ""
    bars: dict[int, PciBar] = field(default_factory=dict)


class Devices:
    """Learns from batches, names registers.

    Attributes:
        known: what accesses went to that have been asked for, where it is still the same.
    """

    def __init__(self) -> None:
        self._functions: dict[int, _Function] = {}
        self._names: dict[int, str] = {}
        self._virtio_disks: set[int] = set()
        self._bars: dict[tuple[int, int], tuple[int, int]] = {}
        self.known: dict[Key, Register] = {}
        self._selected: dict[tuple[Register, int], Register] = {}
        self._clipped: dict[str, Register] = {}

    def learn(self, batch: Batch, zero_ns: int) -> None:
        """Take the PCI functions and their mappings from a batch; `zero_ns` is the time 0 of the report."""
        for part in batch.events:
            if part.form and part.event in _DISK_EVENTS:
                self._learn_disks(set(numbers(part)["vdev"]))
            if not part.form or part.event not in _LEARNED:
                continue
            rows = numbers(part)
            take = self._found if part.event in _CONFIG_EVENTS else self._map
            for i, name in enumerate(texts(batch, part, "dev")):
                place = _pci_at(rows["bus"][i], rows["slot"][i], rows["func"][i])
                if name != _EMPTY and (place in self._names or len(self._names) < _MAX_FUNCTIONS):
                    self._names[place] = name
                values = {argument: column[i] for argument, column in rows.items()}
                take(part.event, place, values, (part.t_ns[i] - zero_ns) / 1e9)

    def _learn_disks(self, devices: set[int]) -> None:
        if devices <= self._virtio_disks or len(self._virtio_disks) >= _MAX_FUNCTIONS:
            return
        self._virtio_disks |= devices
        for key in [key for key in self.known if key[0] == VIRTIO]:
            del self.known[key]

    def register(self, key: Key) -> Register:
        """What an access goes to."""
        found = self.known.get(key)
        if found is None:
            found = self._register(*key)
            if len(self.known) >= _MAX_REGISTERS:  # such as a frame buffer
                name = found.device
                found = self._clipped.setdefault(name, replace(found, name="further registers"))
            else:
                self.known[key] = found
        return found

    def selected(self, register: Register, index: int) -> Register:
        """The register that a data port shows when `index` was chosen."""
        found = self._selected.get((register, index))
        if found is None:
            name = (register.selected or {}).get(index, f"register 0x{index:x}")
            role = Role.CLOCK if register.device == "RTC" and index < 10 else Role.PLAIN
            found = self._selected[register, index] = replace(register, name=name, role=role)
        return found

    def missing_function(self, index: int, value: int) -> Register | None:
        """The register of the function that an address of configuration space means, if it has shown itself missing."""
        address = (index >> 16 & 0xFF) << 20 | (index >> 8 & 0xFF) << 12 | (index & 0xFC)
        if value not in _ONES or address & ~0xFFF in self._names:
            return None
        return self.register((PCI_CONFIG, False, address))

    def functions(self) -> list[PciFunction]:
        """The PCI functions that were found, in the order of their places."""
        return [
            PciFunction(
                place=pci_place(place),
                name=one.name,
                vendor=one.vendor,
                device=one.device,
                class_code=one.class_code,
                found_s=round(one.found_s, 6),
                bars=[bar for _, bar in sorted(one.bars.items())],
            )
            for place, one in sorted(self._functions.items())
        ]

    def _map(self, event: str, place: int, values: dict[str, int], t_s: float) -> None:
        for key in [key for key in self.known if key[0] != PCI_CONFIG and key[0]]:
            del self.known[key]
        bar, address, size = values["bar"], values["addr"], values["size"]
        if event == _UNMAPPED:
            self._bars.pop((place, bar), None)
            return
        if len(self._bars) < _MAX_FUNCTIONS:
            self._bars[place, bar] = (address, size)
        function = self._function(place, t_s)
        if function:
            first = function.bars.get(bar)
            mapped_s = first.mapped_s if first else round(t_s, 6)
            function.bars[bar] = PciBar(bar=bar, address=f"0x{address:x}", size_bytes=size, mapped_s=mapped_s)

    def _found(self, event: str, place: int, values: dict[str, int], t_s: float) -> None:
        offset, value = values["offs"], values["val"]
        if event != _READ or place not in self._names or (offset == 0 and value & 0xFFFF in (0, 0xFFFF)):
            return
        function = self._function(place, t_s)
        if function is None:
            return
        if offset == 0:
            function.vendor = f"{value & 0xFFFF:04x}"
            function.device = f"{value >> 16 & 0xFFFF:04x}" if value >> 16 else function.device
        elif offset == 2:
            function.device = f"{value & 0xFFFF:04x}"
        elif offset == 8:
            function.class_code = f"{value >> 8 & 0xFFFFFF:06x}" if value >> 8 else function.class_code
        elif offset == 10:
            function.class_code = f"{value & 0xFFFF:04x}"

    def _function(self, place: int, t_s: float) -> _Function | None:
        if place not in self._functions and len(self._functions) < _MAX_FUNCTIONS:
            self._functions[place] = _Function(self._names.get(place, ""), t_s)
        return self._functions.get(place)

    def _register(self, region: str, write: bool, address: int) -> Register:
        if region in (PCI_CONFIG, VIRTIO):
            return self._config(address, write) if region == PCI_CONFIG else self._queue(address, write)
        if region in (CONFIG_INDEX, CONFIG_DATA):
            return Register("PCI", region, address, Role.CONFIG, write, {})
        if region == _NOTHING:
            usual = standard_port(address, write=write)
            named = usual or Register("port", f"0x{address:x}", address, write=write)
            background = named.role is Role.BACKGROUND
            return replace(named, role=named.role if background else Role.ABSENT, selected=None)
        if found := region_register(region, address, write=write):
            return found
        for (place, bar), (base, size) in self._bars.items():
            if base <= address < base + size and (address < PORTS_END) == (base < PORTS_END):
                name = self._names.get(place) or self._functions[place].name
                return bar_register(name, bar, base, address, write=write, port=address < PORTS_END)
        what = "port" if address < PORTS_END else "address"
        unnamed = Register(region or what, f"{what} 0x{address:x}", address, write=write)
        return standard_port(address, write=write) or unnamed

    def _queue(self, address: int, write: bool) -> Register:
        """A queue of a virtio device: which one is known of disks, and where there is only one."""
        names = {name for name in self._names.values() if name.startswith(VIRTIO)}
        name = names.pop() if len(names) == 1 else VIRTIO
        queue = address & (1 << QUEUE_BITS) - 1
        device = _VIRTIO_DISK if address >> QUEUE_BITS in self._virtio_disks else name
        return Register(device, f"queue {queue} notify" if write else "request completed", queue, write=write)

    def _config(self, address: int, write: bool) -> Register:
        offset = address & 0xFFF
        place = address & ~0xFFF
        name = _CONFIG.get(
            offset, f"BAR {(offset - 0x10) // 4}" if 0x10 <= offset < 0x28 else f"offset 0x{offset:x}"
        )
        device = self._names.get(place, _EMPTY)
        absent = device == _EMPTY
        title = f"PCI {pci_place(place)}" + ("" if absent else f" {device}")
        return Register(title, name, address, Role.ABSENT if absent else Role.PLAIN, write)


def pci_place(place: int) -> str:
    """bus:slot.function."""
    return f"{place >> 20:02x}:{place >> 15 & 31:02x}.{place >> 12 & 7}"


def _pci_at(bus: int, slot: int, function: int) -> int:
    return bus << 20 | slot << 15 | function << 12
