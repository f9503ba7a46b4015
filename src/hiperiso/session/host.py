"""Facts about the host, without anything that identifies it, and the snapshot env.txt."""

from __future__ import annotations

import os
from pathlib import Path

from hiperiso.contract.manifest import Host


def read_host() -> Host:
    """Kernel, processor and memory from /proc; fields that cannot be read are empty or 0.

    The kernel version omits the part with the names of the builder and its host.
    """
    cpuinfo = _read("/proc/cpuinfo")
    model = _field(cpuinfo, "model name") or _field(cpuinfo, "Hardware") or "unknown"
    flags = f" {_field(cpuinfo, 'flags')} "
    return Host(
        kernel_version=" ".join(_read("/proc/version").split()[:3]),
        cpu_model=model,
        cpu_logical_cores=os.cpu_count() or 0,
        total_ram_mb=total_ram_mb(),
        virt_supported=" vmx " in flags or " svm " in flags,
    )


def total_ram_mb() -> int:
    """The host's RAM in MB (MiB), or 0 when unknown."""
    text = _field(_read("/proc/meminfo"), "MemTotal").split()
    return int(text[0]) // 1024 if text and text[0].isdigit() else 0


def environment_text(sections: dict[str, dict[str, str]], host: Host | None = None) -> str:
    """env.txt: the host (by default this one), then the given sections, as ``key: value`` lines."""
    host = host or read_host()
    parts = {"host": {name: str(getattr(host, name)) for name in host.__struct_fields__}} | sections
    lines: list[str] = []
    for title, values in parts.items():
        lines += [f"[{title}]", *(f"{key}: {_one_line(value)}" for key, value in values.items()), ""]
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _field(text: str, name: str) -> str:
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            return value.strip()
    return ""
