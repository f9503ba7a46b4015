"""The locations of what is read from a kernel besides its log: symbols and members of structures.

Made once per kernel, in 50 to 150 ms of pure Python: call it in a worker thread. It depends only on the kernel build
(addresses are kept relative to ``_stext``), so that a second boot of the same kernel needs no second index. The
symbol table is walked once, for these symbols and for the names of functions.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hiperiso.observe.memory.btf import Btf
from hiperiso.observe.memory.kallsyms import encoding_of, find_symbols, table_from_note
from hiperiso.observe.memory.kernel import IMAGE, KernelMemory
from hiperiso.observe.memory.locate import SymbolLocator
from hiperiso.observe.memory.ram import Unreadable
from hiperiso.observe.memory.tables import find_table

_SYMBOLS = ("init_task", "vc_cons", "fg_console", "__start_BTF", "__stop_BTF")
_MEMBERS = {
    "task_struct": (
        *("tasks", "pid", "tgid", "comm", "real_parent", "start_time", "flags", "mm", "fs", "exit_state"),
        *("__state", "state"),  # until 5.13
    ),
    "fs_struct": ("root",),
    "path": ("mnt",),
    "vfsmount": ("mnt_sb",),
    "super_block": ("s_type",),
    "file_system_type": ("name",),
    "mm_struct": ("arg_start", "arg_end", "pgd"),
    "vc_data": ("vc_rows", "vc_cols", "vc_visible_origin", "vc_hi_font_mask", "vc_mode"),
}
_MAX_BTF_BYTES = 15 << 20
_IMAGE_BYTES = 1 << 30  # modules follow


@dataclass(frozen=True)
class KernelIndex:
    """What is known about one kernel build.

    Attributes:
        build: build id, or release where there is none.
        symbols: addresses relative to ``_stext``.
        offsets: of members, by ``struct.member``.
        sizes: of structures.
        missing: why something cannot be read, one line each; empty when everything can.
        locator: maps addresses of the indexed kernel to names; None without a symbol table.
        stext: address of ``_stext`` in that kernel.
    """

    build: str
    symbols: Mapping[str, int] = field(default_factory=dict)
    offsets: Mapping[str, int] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    locator: SymbolLocator | None = field(default=None, compare=False)
    stext: int = 0

    def address(self, kernel: KernelMemory, symbol: str) -> int:
        """The address of a symbol in this kernel. Raises `Unreadable` when unknown."""
        stext = kernel.note.symbols.get("_stext")
        if stext is None or symbol not in self.symbols:
            raise Unreadable(f"this kernel has no {symbol}")
        return stext + self.symbols[symbol]

    def function_at(self, kernel: KernelMemory, address: int) -> str:
        """The kernel function at an address, such as ``default_idle``; empty when there is none, or unknown."""
        stext = kernel.note.symbols.get("_stext")
        if stext is None or self.locator is None or not IMAGE <= address < IMAGE + _IMAGE_BYTES:
            return ""
        return self.locator.name(address - stext + self.stext)

    def offset(self, member: str) -> int:
        """The offset of ``struct.member``. Raises `Unreadable` when unknown."""
        if member not in self.offsets:
            raise Unreadable(f"this kernel has no {member}")
        return self.offsets[member]


def build_of(kernel: KernelMemory) -> str:
    """Identifies a kernel build: the key under which indexes are cached."""
    return kernel.note.build_id or kernel.note.release


def index_kernel(kernel: KernelMemory) -> KernelIndex:
    """The index of a kernel. Never raises: what cannot be found is listed in ``missing``."""
    build = build_of(kernel)
    stext = kernel.note.symbols.get("_stext")
    if stext is None:
        return KernelIndex(build, missing=("the kernel does not export the address of its code",))
    marks = array("I")
    try:
        table = table_from_note(kernel) or find_table(kernel)
        if table is None:
            return KernelIndex(build, missing=("the kernel has no symbol table (CONFIG_KALLSYMS_ALL)",))
        positions = find_symbols(table, ("_stext", *_SYMBOLS), marks=marks)
        encoding = encoding_of(table, positions.get("_stext"), stext)
    except Unreadable as error:
        return KernelIndex(build, missing=(f"the kernel's symbols cannot be read: {error}",))
    found = {name: value for name, at in positions.items() if (value := encoding(table, at)) is not None}
    index = KernelIndex(
        build,
        {name: address - stext for name, address in found.items()},
        locator=SymbolLocator(table, encoding, marks),
        stext=stext,
    )
    try:
        offsets, sizes = _types(kernel, found)
    except Unreadable as error:
        why = f"the kernel has no type information (CONFIG_DEBUG_INFO_BTF): {error}"
        return replace(index, missing=(why,))
    return replace(index, offsets=offsets, sizes=sizes)


def _types(kernel: KernelMemory, symbols: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    start, stop = symbols.get("__start_BTF"), symbols.get("__stop_BTF")
    if start is None or stop is None or not 0 < stop - start <= _MAX_BTF_BYTES:
        raise Unreadable("no such section")
    btf = Btf(kernel.read(start, stop - start))
    offsets = {}
    for structure, members in _MEMBERS.items():
        for member in members:
            at = btf.offset(structure, member)
            if at is not None:
                offsets[f"{structure}.{member}"] = at
    size = btf.size("vc")
    return offsets, {} if size is None else {"vc": size}
