"""The page in a real browser: its script runs, nothing of the guest's does, nothing is loaded or complained of."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from hiperiso.analysis.html import write_html
from waiting import DEADLINE_S

from .sessions import boot, disk, write_hostile, write_session

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# In CI the browser must be there: setup installs it.
pytestmark = pytest.mark.skipif(
    BROWSER is None and "CI" not in os.environ, reason="no chromium in PATH: apt install chromium"
)


def open_page(page: Path, profile: Path, *options: str, fragment: str = "") -> tuple[str, str]:
    """The page's DOM after its script ran, and what the browser logged."""
    argv = [
        str(BROWSER),
        *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage"),
        *("--enable-logging=stderr", "--virtual-time-budget=3000", f"--user-data-dir={profile}"),
        *options,
        *("--dump-dom", page.as_uri() + fragment),
    ]
    done = subprocess.run(argv, capture_output=True, timeout=DEADLINE_S, check=True)
    return done.stdout.decode(), done.stderr.decode(errors="replace")


@contextmanager
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """The address of a web server that must not be visited."""
    visits: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(DEADLINE_S)
                    visits.append(connection.recv(200))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1], visits
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(DEADLINE_S)


def test_hostile_words_do_not_run_and_load_nothing(tmp_path: Path) -> None:
    folder = write_hostile(tmp_path / "s")
    with listener() as (port, visits):
        for path in [*folder.glob("*.json*"), folder / "env.txt"]:
            path.write_text(
                path.read_text()
                .replace("127.0.0.1:9/", f"127.0.0.1:{port}/")
                .replace("src=x", f"src=http://127.0.0.1:{port}/x")
            )
        page = write_html(folder)
        assert f"127.0.0.1:{port}/x" in page.read_text()
        dom, reported = open_page(page, tmp_path / "profile")
        assert visits == []
    assert "CONSOLE" not in reported, reported
    title = re.findall(r"<title>([^<]*)", dom)[0]
    assert not title.startswith("RAN")
    assert '<html lang="en" class="script">' in dom  # our own script did run
    assert not re.search(r"<img[^>]+onerror", dom)


def test_the_listener_notices_a_page_that_loads_something(tmp_path: Path) -> None:
    """The test above can fail: a page that does what it forbids is caught by the same means."""
    with listener() as (port, visits):
        page = tmp_path / "x.html"
        page.write_text(
            f"<html><title>x</title><img src='http://127.0.0.1:{port}/x' onerror=\"document.title='RAN'\">"
            "<script>console.error('reported')</script></html>"
        )
        _, reported = open_page(page, tmp_path / "profile")
        assert visits
    assert "CONSOLE" in reported
    assert "reported" in reported


def test_the_script_filters_zooms_and_finds_the_line_of_a_link(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", boot("a line", "<b>another</b>"))
    (folder / "disk.json").write_text(json.dumps(disk("/live/filesystem.squashfs")))
    page = write_html(folder)
    dom, reported = open_page(page, tmp_path / "profile")
    assert "CONSOLE" not in reported, reported
    assert re.search(r'<output id="shown"[^>]*>\d+ of \d+ lines', dom)
    assert re.search(r'data-s="screen"[^>]*class="[^"]*off|class="[^"]*off"[^>]*data-s="screen"', dom)
    assert re.search(r'viewBox="0 0 \d+(\.\d+)? 1"', dom)
    assert re.search(r'<text x="[\d.]+%" y="14"[^>]*>\d', dom)


ACTS = """
const result = {}, shown = () => document.querySelectorAll("#log > li:not(.off)").length;
const set = (id, value) => { const field = document.getElementById(id); field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true })); };
const wait = () => new Promise((done) => setTimeout(done, 200));
const lane = () => document.querySelector("svg.ticks").getAttribute("viewBox").split(" ").map(Number);
const press = (zoom) => document.querySelector(`button[data-zoom=${zoom}]`).click();
(async () => {
  await wait(); result.all = shown();
  set("search", "needle <b>"); await wait(); result.searched = shown();
  set("search", ""); set("level", "4"); await wait(); result.errors = shown();
  set("level", "0"); await wait(); result.again = shown();
  const box = document.querySelector("input[name=source][value=process]");
  box.click(); await wait(); result.without = shown();
  result.whole = lane(); press("in"); result.zoomed = lane(); press("right"); result.moved = lane();
  press("all"); result.back = lane();
  document.querySelector(".film .frame").click(); result.enlarged = document.querySelector("#screen").open;
  document.title = JSON.stringify(result);
})();
"""


def test_a_person_searches_filters_zooms_and_enlarges(tmp_path: Path) -> None:
    """The page as it is, but for its policy, which allows no second script: that of this test."""
    page = write_html(write_session(tmp_path / "s", boot("a line", "the needle <b>")))
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
    page.write_text(html.replace("</body>", f"<script>{ACTS}</script></body>"))
    dom, reported = open_page(page, tmp_path / "profile")
    assert "CONSOLE" not in reported, reported
    (title,) = re.findall(r"<title>(\{.*?\})</title>", dom)
    seen = json.loads(title)
    assert 0 < seen["searched"] < seen["all"] == seen["again"]
    assert 0 < seen["errors"] < seen["all"]
    assert seen["without"] == seen["all"] - 2  # the two processes
    assert seen["zoomed"][2] == pytest.approx(seen["whole"][2] / 2)
    assert seen["moved"][0] > seen["zoomed"][0]
    assert seen["back"] == seen["whole"]
    assert seen["enlarged"] is True


def test_a_link_to_a_line_that_is_filtered_out_shows_it(tmp_path: Path) -> None:
    page = write_html(write_session(tmp_path / "s", boot("a line")))
    (number,) = re.findall(r'<li id="e(\d+)" data-s="disk"', page.read_text())

    def line(fragment: str) -> str:
        dom, reported = open_page(page, tmp_path / "profile", fragment=fragment)
        assert "CONSOLE" not in reported, reported
        (found,) = re.findall(rf'<li id="e{number}"[^>]*>', dom)
        return str(found)

    assert "off" in line("")
    assert "off" not in line(f"#e{number}")


def test_it_prints(tmp_path: Path) -> None:
    page = write_html(write_session(tmp_path / "s", boot("a line")))
    target = tmp_path / "x.pdf"
    open_page(page, tmp_path / "profile", f"--print-to-pdf={target}")
    pdf = target.read_bytes()
    assert pdf.startswith(b"%PDF")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 8


AXE = find_spec("axe_core_python")
needs_axe = pytest.mark.skipif(
    AXE is None and "CI" not in os.environ, reason="axe-core is not installed: pip install -e '.[dev]'"
)
CHECK = """
document.querySelectorAll("details").forEach((box) => { box.open = true; });
axe.run().then((found) => {
  const broken = found.violations.map((rule) =>
    ({ rule: rule.id, where: rule.nodes.map((node) => node.html.slice(0, 200)) }));
  const card = (item) => item.closest("section").getBoundingClientRect().right;
  const wide = [...document.querySelectorAll(".phases *")]
    .filter((item) => item.getBoundingClientRect().right > card(item)).map((item) => item.outerHTML.slice(0, 200));
  const phases = document.querySelectorAll(".phases").length;
  document.title = JSON.stringify({ rules: found.passes.length, broken, wide, phases });
});
"""


def checked(html: str, folder: Path, width: int) -> dict[str, Any]:
    """What axe-core finds on a page as it is, but for its policy, which allows no second script."""
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    assert AXE is not None and AXE.origin is not None
    axe = Path(AXE.origin).with_name("axe.min.js").read_text()
    page = folder / f"checked-{width}.html"
    page.write_text(html.replace("</body>", f"<script>{axe}</script><script>{CHECK}</script></body>"))
    options = (f"--window-size={width},900", "--virtual-time-budget=60000")
    dom, reported = open_page(page, folder / "profile", *options)
    titles = re.findall(r"<title>(\{.*?\})</title>", dom, re.DOTALL)
    assert titles, reported
    result: dict[str, Any] = json.loads(unescape(titles[0]))
    return result


@needs_axe
@pytest.mark.parametrize("width", [500, 1280])
def test_axe_core_finds_nothing(tmp_path: Path, width: int) -> None:
    folder = write_session(tmp_path / "s", boot("a line", "<b>another</b>"))
    (folder / "disk.json").write_text(json.dumps(disk("/live/filesystem.squashfs")))
    (folder / "qemu.cmdline").write_text("qemu-system-x86_64 -m 2048 " * 40)
    result = checked(write_html(folder).read_text(), tmp_path, width)
    assert result["broken"] == []
    assert result["rules"] > 10
    assert result["phases"] and result["wide"] == []  # the bars stay within their card


@needs_axe
def test_axe_core_finds_a_picture_without_a_name(tmp_path: Path) -> None:
    """The test above can fail."""
    html = '<!doctype html><html lang="en"><title>x</title><body><main><h1>x</h1><svg role="img"></svg></main></body>'
    assert [row["rule"] for row in checked(html, tmp_path, 1280)["broken"]] == ["svg-img-alt"]


FOCUS = """
setTimeout(() => {
  const log = document.querySelector("#log"), box = log.getBoundingClientRect();
  const stops = (list) => list.querySelectorAll('[tabindex="0"], a:not([tabindex]), button:not([tabindex])').length;
  const first = log.querySelector('a[tabindex="0"]');
  first.focus();
  first.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", bubbles: true }));
  const line = document.querySelector(".decisive"), at = line && line.getBoundingClientRect();
  document.title = JSON.stringify({ log: stops(log), film: stops(document.querySelector(".film")),
    decisive: line && line.textContent, visible: at && at.top >= box.top && at.bottom <= box.bottom,
    moved: document.activeElement !== first && log.contains(document.activeElement) });
}, 500);
"""


def test_a_list_is_one_tab_stop_and_the_log_opens_at_the_failure(tmp_path: Path) -> None:
    folder = write_session(tmp_path / "s", boot(*(f"a line {n}" for n in range(300))))
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", write_html(folder).read_text())
    page = tmp_path / "x.html"
    page.write_text(html.replace("</body>", f"<script>{FOCUS}</script></body>"))
    dom, reported = open_page(page, tmp_path / "profile")
    assert "CONSOLE" not in reported, reported
    seen = json.loads(unescape(re.findall(r"<title>(\{.*?\})</title>", dom)[0]))
    assert seen["log"] == seen["film"] == 1
    assert "panic" in seen["decisive"].lower()
    assert seen["visible"] is True
    assert seen["moved"] is True
