"""Both examples of the bootchain document, and a chain that fails, in a guest: recorded and judged for real."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hiperlab.samples.bootchain import cdrom_recipe, http_image_recipe, http_recipe
from hiperlab.samples.store import build_sample
from integration.conftest import Boot, Booted, iso_of

pytestmark = pytest.mark.boots


def events(booted: Booted, source: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in (booted.session / "events.jsonl").read_text().splitlines())
    return [event for event in lines if event["source"] == source]


def steps(booted: Booted) -> list[tuple[str, int, int | None]]:
    """(name, number, code) of each start of a step, from the guest's chain.jsonl."""
    records = [json.loads(line) for line in (booted.session / "chain.jsonl").read_text().splitlines()]
    assert [event["data"] for event in events(booted, "chain")] == records
    assert all(event["kind"] == "step" for event in events(booted, "chain"))
    return [(r["step"], r["number"], r["code"]) for r in records if r["event"] == "step"]


def serial(booted: Booted) -> str:
    return (booted.session / "serial.log").read_text(errors="replace")


def assert_login_on_overlay(booted: Booted) -> None:
    analysis = booted.manifest["analysis"]
    assert (analysis["boot_stage_final"], analysis["boot_result"]) == ("login", "success"), serial(booted)
    assert booted.exit_code == 0
    assert "overlayfs / overlay rw" in serial(booted)
    assert "rescue login:" in serial(booted)


def assert_report_names(booted: Booted, *names: str) -> None:
    findings = json.loads((booted.session / "report.json").read_text())["findings"]
    summaries = [finding["summary"] for finding in findings if finding["kind"] == "chain_step"]
    assert [name for name in names if any(f"({name}) was done" in summary for summary in summaries)] == [
        *names
    ]
    text = (booted.session / "report.txt").read_text()
    assert all(f"({name}) was done" in text for name in names)


@pytest.mark.slow  # the samples bootchain-cdrom and bootchain-fails are booted always
def test_a_cdrom_is_found_by_its_label_and_its_squashfs_becomes_the_root(boot: Boot) -> None:
    booted = boot(build_sample("bootchain-cdrom"), "--firmware", "bios", "--ram", 1024)
    assert_login_on_overlay(booted)
    names = ("waitdev", "mountfs", "mountfs", "overlayfs", "rootfs")
    assert steps(booted) == [(name, number, 0) for number, name in enumerate(names)]
    assert_report_names(booted, *names)
    times = [event["t"] for event in events(booted, "chain")]
    assert times == sorted(times) and times[0] > 1.0


class Handler(SimpleHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextlib.contextmanager
def web_server(folder: Path) -> Iterator[tuple[int, list[str]]]:
    """Serve a folder on a free port. Yields the port, and a list that fills with the paths that are asked for."""
    asked: list[str] = []
    handler = type("Serving", (Handler,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: handler(*args, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.slow  # the step itself is tried with each of its tools in tests/bootchain/steps
def test_an_image_from_a_web_server_becomes_the_root(boot: Boot, tmp_path: Path) -> None:
    public = tmp_path / "public"
    iso_of(http_image_recipe(), public, "vi-20140918-i586.iso")
    with web_server(public) as (port, asked):
        url = f"http://10.0.2.2:{port}/vi-20140918-i586.iso"
        booted = boot(
            iso_of(http_recipe(url), tmp_path, "boot.iso"), "--firmware", "bios", "--ram", 1024, "--net-dump"
        )
    assert_login_on_overlay(booted)
    names = ("getimage", "mountfs", "overlayfs", "rootfs")
    assert steps(booted) == [(name, number, 0) for number, name in enumerate(names)]
    assert "/vi-20140918-i586.iso" in asked
    assert_report_names(booted, *names)
    assert (booted.session / "network.pcap").stat().st_size > 100_000


@pytest.mark.slow
def test_a_failing_chain_ends_in_the_rescue_shell_with_its_reason(boot: Boot) -> None:
    booted = boot(build_sample("bootchain-fails"), "--firmware", "bios", "--ram", 1024)
    analysis = booted.manifest["analysis"]
    seen = (analysis["boot_stage_final"], analysis["boot_result"], analysis["failure_domain"])
    assert seen == ("initramfs", "failure", "userspace")
    assert booted.exit_code == 1
    assert steps(booted) == [("waitdev", 0, 0), ("mountfs", 1, 0), ("mountfs", 2, 1)]
    report = (booted.session / "report.txt").read_text()
    assert "boot step 2 (mountfs) failed with code 1 at try 1" in report
    assert "step 2 (mountfs) failed with code 1, and repeating is forbidden (noretry)" in report
    assert "mountfs: cannot mount not-there: it is not there" in serial(booted)


@pytest.mark.slow  # the menu itself is tried on terminals in tests/bootchain/interactive
def test_a_menu_on_the_serial_line_goes_on_by_itself(boot: Boot, tmp_path: Path) -> None:
    menu = "title = Stick\nNothing = debug\nThe rescue system = mountfs,overlayfs,rootfs\n"
    recipe = cdrom_recipe(
        "root=bootchain bootchain=waitdev,mountfs,fg,menu waitdev=CDROM: mountfs=DEVNAME mountfs=rescue "
        'menu=boot.menu menu-timeout=2 "menu-default=The rescue system"',
        files={"boot.menu": menu},
    )
    booted = boot(iso_of(recipe, tmp_path, "menu.iso"), "--firmware", "bios", "--ram", 1024)
    assert "  2) The rescue system" in serial(booted), serial(booted)
    assert "Number [2, in 2 s], q: Leave the menu: " in serial(booted)
    assert_login_on_overlay(booted)
    names = ("waitdev", "mountfs", "menu", "mountfs", "overlayfs", "rootfs")
    assert steps(booted) == [(name, number, 0) for number, name in enumerate(names)]
