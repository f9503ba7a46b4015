"""The virtual memory of one Linux kernel, through its VMCOREINFO note and its own page tables.

The kernel image is mapped in one piece: physical = virtual - 0xffffffff80000000 + phys_base. Everything else (the
direct map, vmalloc, modules) is looked up in the page tables, 4 levels or 5.

A note is believed only when ``init_uts_ns``, found through it, holds the same release: that fails for a wrong
phys_base, for a note that was merely copied, and for a kernel whose image has been overwritten since.

Before Linux 4.10 the note has the address of ``phys_base`` and not its value: then every 2 MB step is tried.
"""

from __future__ import annotations

from hiperiso.observe.memory.ram import PAGE, GuestRam, Unreadable
from hiperiso.observe.memory.vmcoreinfo import Note

IMAGE = 0xFFFFFFFF80000000
_IMAGE_BYTES = 1 << 30
IMAGE_ALIGN = 2 << 20
_FRAME = 0x000FFFFFFFFFF000
_PRESENT, _LARGE = 1, 0x80
_CACHE_ENTRIES = 4096
_UTS_SEARCH_BYTES = 64  # the name comes after a reference count at most
_UTS_FIELD = 65  # struct new_utsname: sysname, nodename, release, each 65 bytes


class KernelMemory:
    """Reads at virtual addresses of one kernel. Made by `attach`."""

    def __init__(self, ram: GuestRam, note: Note, phys_base: int) -> None:
        self.ram = ram
        self.note = note
        self.phys_base = phys_base
        encryption = note.numbers.get("sme_mask", 0)
        self._frame = _FRAME & ~encryption
        self._five_levels = note.numbers.get("pgtable_l5_enabled", 0) == 1
        root = note.symbols.get("init_top_pgt") or note.symbols["swapper_pg_dir"]
        self.page_table = root - IMAGE + phys_base
        self._cache: dict[tuple[int, int], int] = {}

    def is_alive(self) -> bool:
        """Whether the image of this kernel is still in memory, at the address in the note."""
        try:
            return release_at(self.ram, self._image(self.note.symbols["init_uts_ns"])) == self.note.release
        except Unreadable:
            return False

    def read(self, address: int, size: int) -> bytes:
        """Exactly ``size`` bytes at a virtual address. Raises `Unreadable`."""
        if IMAGE <= address < IMAGE + _IMAGE_BYTES:
            return self.ram.read(self._image(address), size)
        return self.read_through(self.page_table, address, size)

    def read_through(self, page_table: int, address: int, size: int) -> bytes:
        """Like `read`, with the page tables of a process (their physical address). Raises `Unreadable`."""
        if not 0 <= size <= 16 << 20:
            raise Unreadable(f"{size} bytes: too large for a structure")
        parts = []
        while size > 0:
            physical, room = self._translate(page_table, address)
            part = self.ram.read(physical, min(size, room))
            parts.append(part)
            address += len(part)
            size -= len(part)
        return b"".join(parts)

    def u32(self, address: int) -> int:
        """The 32-bit number at a virtual address. Raises `Unreadable`."""
        return int.from_bytes(self.read(address, 4), "little")

    def u64(self, address: int) -> int:
        """The 64-bit number at a virtual address. Raises `Unreadable`."""
        return int.from_bytes(self.read(address, 8), "little")

    def physical(self, address: int) -> int:
        """The physical address of a virtual one. Raises `Unreadable`."""
        if IMAGE <= address < IMAGE + _IMAGE_BYTES:
            return self._image(address)
        return self._translate(self.page_table, address)[0]

    def forget_translations(self) -> None:
        """Look everything up in the page tables again."""
        self._cache.clear()

    def _image(self, address: int) -> int:
        return address - IMAGE + self.phys_base

    def _translate(self, table: int, address: int) -> tuple[int, int]:
        """(physical address, bytes up to the end of its page), from the cache or the page tables."""
        if not 0 <= address < 1 << 64:
            raise Unreadable(f"{address:#x} is not a canonical address")
        own = table == self.page_table  # those of processes come and go
        if own:
            for shift in (30, 21, 12):
                base = self._cache.get((shift, address >> shift))
                if base is not None:
                    inside = address & ((1 << shift) - 1)
                    return base + inside, (1 << shift) - inside
        base, shift = self._walk(table, address)
        if own:
            if len(self._cache) >= _CACHE_ENTRIES:
                self._cache.clear()
            self._cache[shift, address >> shift] = base
        inside = address & ((1 << shift) - 1)
        return base + inside, (1 << shift) - inside

    def _walk(self, table: int, address: int) -> tuple[int, int]:
        for shift in (48, 39, 30, 21, 12) if self._five_levels else (39, 30, 21, 12):
            entry = self.ram.u64(table + ((address >> shift) & 511) * 8)
            if not entry & _PRESENT:
                raise Unreadable(f"{address:#x} is not mapped")
            table = entry & self._frame
            if shift == 12:
                return table, shift
            if entry & _LARGE:
                if shift > 30:
                    break
                return table & ~((1 << shift) - 1), shift
        raise Unreadable(f"{address:#x}: no such page table")


def attach(ram: GuestRam, note: Note) -> KernelMemory | None:
    """The kernel that this note describes, or None when its image is not at the address in the note."""
    for phys_base in _phys_bases(ram, note):
        kernel = KernelMemory(ram, note, phys_base)
        if kernel.is_alive():
            return kernel
    return None


def _phys_bases(ram: GuestRam, note: Note) -> list[int]:
    recorded = note.numbers.get("phys_base")
    if recorded is not None:
        return [recorded]
    uts = note.symbols["init_uts_ns"] - IMAGE
    last = ram.address_of(ram.size_bytes - PAGE)
    first = -(uts // IMAGE_ALIGN) * IMAGE_ALIGN
    return [0, *range(first, min(last, 1 << 36) - uts, IMAGE_ALIGN)]


def release_at(ram: GuestRam, uts: int) -> str:
    """The release in a ``struct uts_namespace`` at a physical address; empty when there is none."""
    data = ram.read(uts, _UTS_SEARCH_BYTES + 3 * _UTS_FIELD)
    name = data.find(b"Linux\0", 0, _UTS_SEARCH_BYTES + 6)
    if name < 0:
        return ""
    release = data[name + 2 * _UTS_FIELD : name + 3 * _UTS_FIELD]
    return release.partition(b"\0")[0].decode("ascii", "replace")
