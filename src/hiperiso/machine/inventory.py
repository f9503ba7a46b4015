"""Hardware inventories: QEMU's view of the guest's machine, and facts of the host.

Neither identifies anyone. Host facts are copied field by field from lists of permitted fields; serial numbers,
addresses, UUIDs, host and user names are never read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hiperiso.machine.qmp import Qmp, QmpRefused

_HMP_FILES = {
    "qemu_qtree.txt": "info qtree",
    "qemu_pci.txt": "info pci",
    "qemu_memory.txt": "info mtree -f",
    "qemu_irqchip.txt": "info pic",
    "qemu_ramblock.txt": "info ramblock",
}
_QMP_FILES = {
    "qemu_block.json": ("query-block",),
    "qemu_cpus.json": ("query-cpus-fast",),
    "qemu_version.json": ("query-version", "query-kvm", "query-target"),
    "qemu_memory.json": ("query-memory-size-summary", "query-memory-devices"),
}
_FILE_NAME_KEYS = ("file", "filename", "backing-filename", "full-backing-filename", "backing_file")

_CPU_FIELDS = (
    *("vendor_id", "cpu family", "model", "model name", "stepping", "cache size", "siblings", "cpu cores"),
    *("flags", "vmx flags", "bugs", "clflush size", "cache_alignment", "address sizes"),
)
_MEMORY_FIELDS = (
    *("MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapTotal", "SwapFree", "Shmem"),
    *("HugePages_Total", "HugePages_Free", "Hugepagesize"),
)
_PCI_FIELDS = ("class", "vendor", "device", "subsystem_vendor", "subsystem_device", "revision")
_BLOCK_FIELDS = ("size", "removable", "ro", "queue/rotational", "queue/logical_block_size")


async def qemu_inventory(qmp: Qmp) -> dict[str, str]:
    """Query a running QEMU for its devices; returns file name (``qemu_*``) to content.

    Commands that this QEMU does not support are skipped. Paths of host files are reduced to base names.

    Raises:
        QmpTimeout, QmpClosed: QEMU does not answer.
    """
    files: dict[str, str] = {}
    for name, command in _HMP_FILES.items():
        text = await qmp.hmp(command)
        if text.strip() and not text.startswith(("unknown command", "Error:")):
            files[name] = text
    for name, commands in _QMP_FILES.items():
        answers = {}
        for query in commands:
            try:
                answers[query] = _without_directories(await qmp.execute(query))
            except QmpRefused:
                continue
        if answers:
            content = answers if len(commands) > 1 else next(iter(answers.values()))
            files[name] = json.dumps(content, indent=2) + "\n"
    return files


def host_inventory(*, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> dict[str, str]:
    """Facts of this host; returns file name (``host_*``) to content. Facts that the host lacks are omitted."""
    files = {
        "host_cpuinfo.txt": _cpuinfo(_read(proc / "cpuinfo")),
        "host_meminfo.txt": _fields(_read(proc / "meminfo"), _MEMORY_FIELDS),
        "host_pci.txt": _devices(sys / "bus/pci/devices", _PCI_FIELDS),
        "host_block.txt": _devices(sys / "block", _BLOCK_FIELDS),
        "host_kernel.txt": f"{os.uname().sysname} {os.uname().release} {os.uname().machine}\n",
    }
    return {name: content for name, content in files.items() if content}


def _without_directories(value: Any, key: str = "") -> Any:
    """`value` with the directories of host file names removed, at any depth."""
    if isinstance(value, dict):
        return {k: _without_directories(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_directories(item, key) for item in value]
    if isinstance(value, str) and key in _FILE_NAME_KEYS:
        return value.rsplit("/", 1)[-1]
    return value


def _cpuinfo(text: str) -> str:
    """The first processor's permitted fields and the number of processors; others differ only in irrelevant ones."""
    processors = [block for block in text.split("\n\n") if block.strip()]
    if not processors:
        return ""
    return f"processors\t: {len(processors)}\n" + _fields(processors[0], _CPU_FIELDS)


def _fields(text: str, allowed: Iterable[str]) -> str:
    wanted = frozenset(allowed)
    lines = [line for line in text.splitlines() if line.partition(":")[0].strip() in wanted]
    return "".join(f"{line}\n" for line in lines)


def _devices(directory: Path, fields: Iterable[str]) -> str:
    """One line per device: its bus name, the allowed attributes, its driver."""
    try:
        devices = sorted(directory.iterdir())
    except OSError:
        return ""
    lines = []
    for device in devices:
        values = [(field, _read(device / field).strip()) for field in fields]
        driver = (device / "driver").resolve().name if (device / "driver").is_symlink() else ""
        shown = [
            f"{field.rpartition('/')[2]}={value}" for field, value in [*values, ("driver", driver)] if value
        ]
        lines.append(" ".join([device.name, *shown]) + "\n")
    return "".join(lines)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
