"""The guest's processes, the machine's devices, the settings, and the files of the session."""

from __future__ import annotations

import re
from typing import Any, Final

from hiperiso.analysis.html.markup import Markup, tag, weight
from hiperiso.analysis.html.recording import Recording
from hiperiso.analysis.report import iso_rows
from hiperiso.contract import files

_MAX_TASKS: Final = 1500
_MAX_DEVICES: Final = 200
_HARDWARE_BYTES: Final = 24_000
_ALL_HARDWARE_BYTES: Final = 120_000
_KTHREADD: Final = 2
_NOT_SET: Final = ("", "None", "()")
_UNITS: Final = {"mb": "MB", "s": "s", "ms": "ms"}
_FUNCTION: Final = re.compile(r"\s*Bus\s+(\d+), device\s+(\d+), function\s+(\d+):")
_DEVICE: Final = re.compile(r"\s*(.{1,80}?): PCI device ([0-9a-f]{4}:[0-9a-f]{4})")


# ── processes ──


def processes(recording: Recording) -> Markup | None:
    """The processes as a tree; kernel threads apart."""
    most = int(_MAX_TASKS * recording.scale)
    known = {task["pid"]: task for task in recording.tasks if isinstance(task.get("pid"), int)}
    children: dict[int, list[int]] = {}
    for pid, task in known.items():
        parent = task.get("ppid")
        children.setdefault(parent if isinstance(parent, int) and parent != pid else 0, []).append(pid)
    if not known:
        return None
    user: list[Markup] = []
    kernel: list[Markup] = []
    seen: set[int] = set()
    roots = [pid for parent, pids in sorted(children.items()) if parent not in known for pid in sorted(pids)]
    for root in [*roots, *sorted(known)]:
        stack = [(root, 0)]
        while stack and len(seen) < most:
            pid, depth = stack.pop()
            if pid in seen:
                continue
            seen.add(pid)
            is_thread = pid == _KTHREADD or known[pid].get("ppid") == _KTHREADD
            (kernel if is_thread else user).append(_task(known[pid], 0 if is_thread else depth))
            stack += [(child, depth + 1) for child in sorted(children.get(pid, []), reverse=True)]
    left_out = len(known) - len(seen)
    return tag(
        "div",
        _task_table("Processes", user) if user else None,
        tag("details", tag("summary", f"{len(kernel)} kernel threads"), _task_table("Kernel threads", kernel))
        if kernel
        else None,
        tag("p", "Started: by the guest kernel’s own clock.", class_="hint"),
        tag("p", f"{left_out} more are in tasks.json.", class_="hint") if left_out > 0 else None,
    )


def _task_table(name: str, rows: list[Markup]) -> Markup:
    head = tag("tr", *(tag("th", name, scope="col") for name in ("PID", "Process", "Started", "State")))
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="tasks")
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=name)


def _task(task: dict[str, Any], depth: int) -> Markup:
    argv = task.get("argv")
    line = " ".join(str(part) for part in argv[:64]) if isinstance(argv, list) else str(argv or "")
    start = task.get("start_s")
    began = f"{start:.2f} s" if isinstance(start, int | float) and not isinstance(start, bool) else ""
    return tag(
        "tr",
        tag("td", str(task.get("pid"))),
        tag(
            "td",
            tag("b", str(task.get("comm") or "?")[:64]),
            " ",
            tag("code", line[:400]),
            class_=f"d{min(depth, 8)}",
        ),
        tag("td", began),
        tag("td", str(task.get("state") or "")[:24]),
    )


# ── machine ──


def machine(recording: Recording) -> Markup:
    """Devices, settings, command line, files."""
    devices = _devices(recording.text(f"{files.HW_DIR}/qemu_pci.txt", 200_000))
    return tag(
        "div",
        _image(recording),
        devices,
        _settings(recording),
        _text_details(recording, files.QEMU_CMDLINE, "QEMU’s command line", open_=False),
        _text_details(recording, files.QEMU_STDERR, "What QEMU printed", open_=True),
        *_hardware(recording),
        _files(recording),
    )


def _image(recording: Recording) -> Markup | None:
    """What was booted: file, size, hash, and what the ISO says it is."""
    manifest = recording.manifest
    iso = recording.report.iso if recording.report else None
    rows = [("File", str(manifest.get("iso_path") or "")), *(iso_rows(iso) if iso else [])]
    pairs = [tag("div", tag("dt", name), tag("dd", value)) for name, value in rows if value]
    return tag("div", tag("h3", "Image"), tag("dl", *pairs, class_="pairs")) if pairs else None


def _devices(listing: str) -> Markup | None:
    rows: list[Markup] = []
    address = ""
    for line in listing.split("\n"):
        place = _FUNCTION.match(line)
        if place:
            address = f"{int(place[1]):02x}:{int(place[2]):02x}.{int(place[3]):x}"
            continue
        device = _DEVICE.match(line)
        if device and len(rows) < _MAX_DEVICES:
            cells = (
                tag("td", tag("code", address)),
                tag("td", device[1].strip()),
                tag("td", tag("code", device[2])),
            )
            rows.append(tag("tr", *cells))
    if not rows:
        return None
    head = tag(
        "tr", *(tag("th", name, scope="col") for name in ("PCI address", "Device", "Vendor and device"))
    )
    table = tag("table", tag("thead", head), tag("tbody", *rows))
    return tag(
        "div",
        tag("h3", "Devices"),
        tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Devices"),
    )


def _settings(recording: Recording) -> Markup | None:
    """env.txt: ``key: value`` lines under ``[section]`` heads."""
    blocks: list[Markup] = []
    section = ""
    pairs: list[Markup] = []
    for line in [*recording.text(files.ENV_TXT, int(32_000 * recording.scale)).split("\n"), "[]"]:
        if line.startswith("["):
            if pairs:
                blocks.append(tag("div", tag("h4", section), tag("dl", *pairs, class_="pairs")))
            section, pairs = line.strip("[] "), []
            continue
        key, colon, value = line.partition(":")
        if colon and value.strip() not in _NOT_SET:
            name, shown = _in_words(key.strip(), value.strip()[:600])
            pairs.append(tag("div", tag("dt", name), tag("dd", shown)))
    return (
        tag("div", tag("h3", "Host and settings"), tag("div", *blocks, class_="columns")) if blocks else None
    )


def _in_words(key: str, value: str) -> tuple[str, str]:
    """A line of env.txt for a person: the unit stands at the number.

    >>> _in_words("guest_ram_mb", "2048"), _in_words("keep_disks", "False")
    (('guest ram', '2048 MB'), ('keep disks', 'no'))
    """
    stem, _, unit = key.rpartition("_")
    if unit in _UNITS and stem:
        key, value = stem, f"{value} {_UNITS[unit]}"
    return key.replace("_", " "), {"True": "yes", "False": "no"}.get(value, value)


def _text_details(recording: Recording, name: str, title: str, *, open_: bool) -> Markup | None:
    body = recording.text(name, int(32_000 * recording.scale)).strip()
    if not body:
        return None
    copy = (
        tag("button", "Copy", type="button", class_="copy only-script")
        if name == files.QEMU_CMDLINE
        else None
    )
    return tag(
        "details", tag("summary", title, tag("small", name)), copy, pre(title, body, "wrap"), open=open_
    )


def pre(name: str, body: str, class_: str | None = None) -> Markup:
    """Text in a box that scrolls, by keyboard too."""
    return tag("pre", body, class_=class_, tabindex="0", role="region", aria_label=name)


def _hardware(recording: Recording) -> list[Markup]:
    folder = recording.session.path / files.HW_DIR
    if folder.is_symlink() or not folder.is_dir():
        return []
    found: list[Markup] = []
    room = int(_ALL_HARDWARE_BYTES * recording.scale)
    for name in sorted(path.name for path in folder.iterdir())[:40]:
        body = recording.text(f"{files.HW_DIR}/{name}", min(_HARDWARE_BYTES, max(room, 0))).strip()
        if body:
            room -= weight(body)
            found.append(tag("details", tag("summary", f"{files.HW_DIR}/{name}"), pre(name, body)))
    return [tag("h3", "Hardware"), *found] if found else []


def _files(recording: Recording) -> Markup | None:
    names = recording.report.files if recording.report else []
    if not names:
        return None
    rows = []
    for name in names[:400]:
        there = bool(recording.session.read(name, 1))
        rows.append(tag("li", tag("code", name[:300]), class_=None if there else "empty"))
    return tag(
        "details", tag("summary", f"{len(names)} files of the session"), tag("ul", *rows, class_="file-list")
    )
