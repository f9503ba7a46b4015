"""Session directories for the page: with given words in every place that a guest, an image or a user can fill."""

from __future__ import annotations

import json
import struct
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from hiperiso.analysis.replay import replay_dir
from hiperiso.analysis.report import write_report

LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
HOSTILE = [
    "<script>document.title='RAN'</script>",
    "</script><script>document.title='RAN'</script>",
    "</pre></li></ol><img src=x onerror=\"document.title='RAN'\">",
    "\"' onmouseover='document.title=1' x=\"",
    "<svg/onload=document.title='RAN'>",
    "javascript:document.title='RAN'",
    "<a href=\"javascript:document.title='RAN'\">click</a>",
    "<style>*{display:none}</style><link rel=stylesheet href=//127.0.0.1:9/x.css>",
    "<!-- <script> -->]]><![CDATA[",
    "<iframe srcdoc=\"<script>parent.document.title='RAN'</script>\"></iframe>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "&lt;script&gt; &amp; &#x3c;",
    "\u202eevil\u2066 \u2028 \u2029 \ufeff \x1b[31mred\x1b[0m \x00 \x9b31m",
    "\ud800 lone".encode("utf-8", "replace").decode(),
]


def write_session(directory: Path, events: list[dict[str, Any]], **manifest: Any) -> Path:
    """A finished session of these events, judged by the analysis itself."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"n": n, "t": 0.1 * n, "kind": "line", **event}) for n, event in enumerate(events)]
    (directory / "events.jsonl").write_text("\n".join(lines) + "\n")
    reported = {
        "session_id": "sample_20260702T011452Z",
        "iso_basename": "sample.iso",
        "accel": "tcg",
        "firmware": "bios",
        "guest_ram_mb": 1024,
        "guest_cpus": 2,
        "start_time_utc": "2026-07-02T01:14:52Z",
        "end_reason": "panic",
    }
    (directory / "session.json").write_text(json.dumps(reported | manifest))
    replay = replay_dir(directory)
    write_report(directory, replay.report)
    return directory


def boot(*words: str) -> list[dict[str, Any]]:
    """Events of a boot that ends in a panic, with lines of these words on every channel."""
    reported: list[dict[str, Any]] = [
        {"source": "firmware", "text": "SeaBIOS (version 1.16.2-debian-1.16.2-1)"},
        {"source": "serial", "text": "GNU GRUB  version 2.06"},
        {"source": "serial", "text": "[    0.000000] Linux version 6.1.0-30-amd64 (x) #1 SMP"},
        {"source": "serial", "text": "[    1.000000] Run /init as init process"},
    ]
    for number, word in enumerate(words):
        reported += [
            {"source": "serial", "text": f"[    2.{number:06}] {word}"},
            {"source": "serial", "kind": "partial", "text": word},
            {
                "source": "kernel",
                "text": word,
                "data": {"level": LEVELS[number % len(LEVELS)], "facility": 0, word: word},
            },
            {
                "source": "screen",
                "kind": "text",
                "text": f"{word}\n{word}",
                "path": word,
                "data": {"cols": 80, "rows": 25},
            },
            {"source": "screen", "kind": "image", "path": word, "data": {"width": 8, "height": 8}},
            {"source": "qmp", "kind": "event", "text": word, "data": {word: word}},
            {"source": "harness", "kind": "stderr", "text": word},
            {
                "source": "process",
                "kind": "started",
                "text": word,
                "data": {"pid": 100 + number, "comm": word, "argv": [word], "root": word},
            },
            {"source": "chain", "kind": "step", "text": word, "data": {"step": word}},
            {"source": "disk", "kind": "read", "text": word, "data": {"bytes": 2048, "requests": word}},
        ]
    reported += [
        {"source": "serial", "text": f"[    3.000000] Kernel panic - not syncing: {word}"}
        for word in words or ("x",)
    ]
    return reported


def write_hostile(directory: Path) -> Path:
    """Every hostile string in every place."""
    everything = " ".join(HOSTILE)
    write_session(
        directory, boot(*HOSTILE), iso_basename=everything, end_reason=everything, start_time_utc=everything
    )
    (directory / "disk.json").write_text(json.dumps(disk(everything)))
    tasks = [
        {"pid": 1, "ppid": 0, "comm": everything, "argv": [everything], "start_s": 1.0, "state": everything},
        {"pid": 2, "ppid": 0, "comm": "kthreadd", "argv": everything},
        {"pid": 3, "ppid": 4, "comm": "a"},
        {"pid": 4, "ppid": 3, "comm": "b"},  # each other's parent
        {"pid": everything, "ppid": None},
    ]
    (directory / "tasks.json").write_text(json.dumps(tasks))
    (directory / "hw").mkdir()
    for name in ("env.txt", "qemu.cmdline", "qemu.stderr", "hw/host_x.txt", "hw/qemu_pci.txt"):
        (directory / name).write_text(
            f"[{everything}]\nkey: {everything}\n{everything}\n" + "\x1b]0;x\x07\n".join(HOSTILE)
        )
    listing = f"  Bus  0, device   1, function 0:\n    {everything[:60]}: PCI device 8086:1234\n"
    (directory / "hw" / "qemu_pci.txt").write_text(listing)
    (directory / "hw" / "<img src=x onerror=alert(1)>").write_text("x")
    return directory


def disk(path: str) -> dict[str, Any]:
    """A disk.json with this path in it."""
    row = {
        "path": path,
        "place": "file",
        "order": 1,
        "lba": 30,
        "size_bytes": 4096,
        "bytes_read": 8192,
        "bytes_unique": 4096,
        "requests": 4,
        "first_s": 0.5,
        "last_s": 0.9,
    }
    return {
        "iso_path": path,
        "iso_bytes": 2048 * 256,
        "mapped": True,
        "file_systems": ["rock_ridge"],
        "complete": True,
        "requests": 4,
        "bytes_read": 8192,
        "bytes_unique": 4096,
        "first_s": 0.5,
        "last_s": 0.9,
        "busy_s": 0.2,
        "root_image": {"path": path, "first_s": 0.5},
        "bucket_bytes": 2048,
        "heat": [0] * 15 + [4096, 4096] + [0] * 239,
        "covered": [0] * 15 + [2048, 2048] + [0] * 239,
        "files": [row],
        "files_left_out": 0,
    }


def png(width: int, height: int) -> bytes:
    """A grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes([y % 251]) * width for y in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


class Page(HTMLParser):
    """A page taken apart: elements, ids, links, and the text of each element that carries an id."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            self.scripts.append(data)
        else:
            self.words.append(data)

    @property
    def ids(self) -> set[str]:
        return {attributes["id"] for _, attributes in self.elements if "id" in attributes}

    @property
    def links(self) -> list[str]:
        return [attributes["href"] for _, attributes in self.elements if "href" in attributes]

    @property
    def text(self) -> str:
        return "".join(self.words)
