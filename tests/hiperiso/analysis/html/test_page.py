"""The page as any reader parses it: self-contained, bounded, safe, and every link leads somewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest

from hiperiso.analysis.html import render_html, write_html
from hiperiso.analysis.html.page import MAX_BYTES
from hiperiso.analysis.replay import replay_dir
from hiperiso.analysis.report import write_report
from machine_speed import assert_cheap

from .sessions import HOSTILE, LEVELS, Page, boot, disk, png, write_hostile, write_session

OWN_ELEMENTS = """
    html head meta title style body a header nav main section footer script div p span h1 h2 h3 h4 dl dt dd ol ul li b
    small code pre button form input select option label output svg g rect path text dialog img table thead tbody tr th
    td details summary figure figcaption
"""


def check(html: str) -> Page:
    """What holds for every page."""
    page = Page(html)
    assert len(html.encode()) < MAX_BYTES
    names = [name for name, _ in page.elements]
    assert set(names) <= set(OWN_ELEMENTS.split())
    assert (names.count("script"), names.count("style")) == (1, 1)
    for name, attributes in page.elements:
        assert not [
            key
            for key in attributes
            if key.startswith("on") or key in ("style", "srcdoc", "action", "formaction")
        ]
        assert name not in ("link", "iframe", "object", "embed", "base")
        for key in ("src", "href", "xlink:href"):
            value = attributes.get(key, "#")
            assert value.startswith("#") or (
                key == "src" and re.fullmatch(r"data:image/png;base64,[A-Za-z0-9+/=]+", value)
            )
    assert len([1 for _, attributes in page.elements if "id" in attributes]) == len(page.ids)
    assert [link for link in page.links if link[1:] not in page.ids] == []
    return page


def test_a_boot_that_panics(tmp_path: Path) -> None:
    write_session(tmp_path / "s", boot("one line"))
    path = write_html(tmp_path / "s")
    assert path == tmp_path / "s" / "report.html"
    page = check(path.read_text())
    assert "Kernel panic - not syncing: x" not in page.text
    assert page.text.count("Kernel panic - not syncing: one line") >= 3  # verdict, finding, log
    report = json.loads((tmp_path / "s" / "report.json").read_text())
    for stage in report["stages"]:
        assert f"#e{stage['evidence']['event']}" in page.links
    for finding in report["findings"]:
        for item in finding["evidence"]:
            assert f"#e{item['event']}" in page.links


def test_the_phases_stand_with_their_times(tmp_path: Path) -> None:
    page = check(render_html(write_session(tmp_path / "s", boot())))
    report = json.loads((tmp_path / "s" / "report.json").read_text())
    assert len(report["phases"]) >= 2
    for phase in report["phases"]:
        assert f"{phase['name']}{phase['duration_ms'] / 1000:.2f} s" in page.text.replace("\n", "")


def test_the_kernels_own_levels_count(tmp_path: Path) -> None:
    reported = [
        {"source": "kernel", "text": f"a line of {level}", "data": {"level": level, "facility": 0, "boot": 0}}
        for level in LEVELS
    ]
    write_session(
        tmp_path / "s", [*reported, {"source": "kernel", "text": "no error", "data": {"level": "info"}}]
    )
    page = check(write_html(tmp_path / "s").read_text())
    rows = [attributes for name, attributes in page.elements if name == "li" and "data-l" in attributes]
    assert [row["data-l"] for row in rows] == ["4", "4", "4", "4", "3", "2", "1", "0", "1"]


def test_the_policy_allows_the_pages_own_script_and_style_alone(tmp_path: Path) -> None:
    page = check(render_html(write_session(tmp_path / "s", boot())))
    (policy,) = [
        attributes["content"]
        for name, attributes in page.elements
        if name == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for block in page.scripts:
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_hostile_words_everywhere_stay_words(tmp_path: Path) -> None:
    page = check(render_html(write_hostile(tmp_path / "s")))
    for words in HOSTILE[:6]:
        assert page.text.count(words) > 5
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029\u2066-\u2069]", page.text)
    for name, attributes in page.elements:
        if name == "title":
            assert attributes == {}


def test_a_page_that_is_made_before_the_manifest_is_closed(tmp_path: Path) -> None:
    plan = {"source": "harness", "kind": "plan", "data": {"accel": "tcg", "firmware": "uefi", "notes": []}}
    folder = write_session(tmp_path / "s", [plan, *boot("a line")])
    manifest = json.loads((folder / "session.json").read_text())
    for name in ("accel", "firmware", "end_reason"):
        del manifest[name]
    (folder / "session.json").write_text(json.dumps(manifest))
    assert "1024 MiB, 2 CPUs, UEFI, emulated (TCG)" in check(render_html(folder)).text


def test_unfinished_lines_are_reported_once(tmp_path: Path) -> None:
    events = [
        {"source": "serial", "kind": "partial", "text": "copying 1"},
        {"source": "serial", "kind": "partial", "text": "copying 10 %"},
        {"source": "serial", "text": "copying 10 % done"},
        {"source": "serial", "kind": "partial", "text": "Continue? "},
    ]
    html = render_html(write_session(tmp_path / "s", events))
    log = html[html.index('id="log"') :].split("</ol>")[0]
    assert re.findall(r"<span>([^<]*)</span>", log) == ["copying 10 % done", "Continue? "]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("x" * 50, marks=pytest.mark.slow, id="letters"),
        pytest.param("<&>\"'" * 100, id="markup"),
        pytest.param("\U0001f600" * 500, marks=pytest.mark.slow, id="emoji"),
    ],
)
def test_a_session_without_end_stays_within_bounds(tmp_path: Path, words: str) -> None:
    """Every part as large as it can be, in the characters that take most room."""
    count = 12_000
    events: list[dict[str, Any]] = [
        {"source": ("serial", "kernel", "firmware", "qmp")[n % 4], "text": f"{words} {n}", "t": n / 1000}
        for n in range(count)
    ]
    events += [
        {"source": "serial", "text": f"[  1.0] Kernel panic - not syncing: {words} {n}"} for n in range(300)
    ]
    for n in range(300):
        events.append(
            {"source": "screen", "kind": "text", "text": "\n".join([words[:80]] * 25), "data": {"cols": 80}}
        )
        events.append({"source": "screen", "kind": "image", "path": f"screen/{n:04}.png"})
    folder = tmp_path / "s"
    (folder / "screen").mkdir(parents=True)
    for n in range(300):
        (folder / "screen" / f"{n:04}.png").write_bytes(png(200, 200) + os.urandom(4000))
    (folder / "hw").mkdir()
    for n in range(60):
        (folder / "hw" / f"qemu_{n}.txt").write_text(f"{words}\n" * 100)
    (folder / "env.txt").write_text("[a]\n" + f"key: {words}\n" * 200)
    many = disk(words) | {"files": [disk(f"{words}{n}")["files"][0] for n in range(1000)]}
    (folder / "disk.json").write_text(json.dumps(many))
    tasks = [{"pid": n, "ppid": n - 1, "comm": words, "argv": [words[:200]] * 3} for n in range(1, 6000)]
    (folder / "tasks.json").write_text(json.dumps(tasks))
    write_session(folder, events)
    started = time.process_time()
    page = check(render_html(folder))
    assert_cheap(time.process_time() - started, 20)
    assert "lines are left out here" in page.text
    assert f"{words[:30]}" in page.text


def test_pictures_come_from_the_session_alone(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(3, 3))
    folder = tmp_path / "s"
    (folder / "screen").mkdir(parents=True)
    (folder / "screen" / "0000.png").write_bytes(png(5, 5))
    (folder / "screen" / "0001.png").symlink_to(secret)
    (folder / "screen" / "0002.png").write_bytes(b"GIF89a")
    os.mkfifo(folder / "screen" / "0003.png")
    (folder / "screen" / "0004.png").mkdir()
    paths = [f"screen/000{n}.png" for n in range(6)]
    paths += [
        "../secret.png",
        "screen/../../secret.png",
        str(secret),
        "screen/..",
        "",
        "secret.png",
        "screen/\0.png",
    ]
    events = [{"source": "screen", "kind": "image", "path": path} for path in paths]
    page = check(render_html(write_session(folder, events)))
    pictures = [attributes["src"] for name, attributes in page.elements if name == "img"]
    assert [base64.b64decode(source.split(",")[1]) for source in pictures] == [png(5, 5)]


def test_a_recording_of_another_tool_has_its_lines_by_number(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    lines = [
        "[    0.000000] Linux version 6.1.0 (x)",
        "two",
        "",
        "[    2.0] Kernel panic - not syncing: no init found",
    ]
    serial = "".join(f"{line}\r\n" for line in lines)
    (folder / "serial.log").write_text(serial)
    replay = replay_dir(folder)
    write_report(folder, replay.report)
    page = check(render_html(folder))
    assert "no init found" in page.text
    assert any(link.startswith("#e") for link in page.links)


def test_anything_may_be_missing_or_broken(tmp_path: Path) -> None:
    folder = write_hostile(tmp_path / "s")
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    rng = random.Random("broken")
    for name in names:
        whole = (folder / name).read_bytes()
        for broken in (b"", b"null", b"[1, 2", b"[" * 100_000, rng.randbytes(3000), whole[: len(whole) // 2]):
            (folder / name).write_bytes(broken)
            check(render_html(folder))
        (folder / name).unlink()
        check(render_html(folder))
        (folder / name).write_bytes(whole)
    for name in names:
        (folder / name).unlink()
    assert "has not been evaluated" in check(render_html(folder)).text


def test_processes_are_a_tree_and_cycles_end(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", boot())
    tasks = [
        {"pid": 1, "ppid": 0, "comm": "systemd", "argv": ["/sbin/init"], "start_s": 3.25, "state": "S"},
        {"pid": 2, "ppid": 0, "comm": "kthreadd"},
        {"pid": 9, "ppid": 2, "comm": "kworker/0:0"},
        {"pid": 400, "ppid": 1, "comm": "agetty"},
        {"pid": 7, "ppid": 8, "comm": "chicken"},
        {"pid": 8, "ppid": 7, "comm": "egg"},
    ]
    (folder / "tasks.json").write_text(json.dumps({"tasks": tasks}))
    page = check(render_html(folder))
    for task in tasks:
        assert page.text.count(str(task["comm"])) == 1
    assert "2 kernel threads" in page.text
    assert "3.25 s" in page.text
