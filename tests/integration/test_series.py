"""Many boots of one ISO from one command: every combination, one table, one exit code."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from hiperlab.samples import build_sample
from integration.conftest import command, environment
from integration.contract_reader import read_session
from waiting import DEADLINE_S, wait_until


def series(tmp_path: Path, *options: object) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        command("boot", "--json", "--log-root", tmp_path / "logs", *options),
        capture_output=True,
        text=True,
        timeout=6 * DEADLINE_S,
        stdin=subprocess.DEVNULL,
        env=environment(),
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


@pytest.mark.boots
def test_a_matrix_is_one_table_and_one_exit_code(tmp_path: Path) -> None:
    junit = tmp_path / "boots.xml"
    code, document, _ = series(
        tmp_path,
        build_sample("missing-kernel"),
        *("--matrix", "expect=bootloader", "--matrix", "expect=kernel", "--matrix", "medium=cdrom,usb"),
        *("--jobs", "2", "--ram", "256", "--accel", "tcg", "--junit", junit),
    )
    rows = {(row["at"]["expect"], row["at"]["medium"]): row for row in document["boots"]}
    assert {at: row["result"] for at, row in rows.items()} == {
        ("bootloader", "cdrom"): "success",
        ("bootloader", "usb"): "success",
        ("kernel", "cdrom"): "failure",
        ("kernel", "usb"): "failure",
    }
    assert code == document["exit_code"] == 1
    for row in rows.values():
        assert read_session(Path(row["session"]))["guest_ram_mb"] == 256
    suite = ElementTree.parse(junit).getroot()[0]
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("4", "2")


def test_mistakes_in_a_matrix_are_all_named(tmp_path: Path) -> None:
    code, _, err = series(tmp_path, build_sample("not-bootable"), "--matrix", "rma=1", "--matrix", "ram=x")
    assert code == 2 and "did you mean 'ram'?" in err and "'x' is not an amount of RAM" in err
    code, _, err = series(tmp_path, build_sample("not-bootable"), "--matrix", "ram=1G", "--ram", "2G")
    assert code == 2 and "given as an option and as an axis of the matrix: ram" in err
    code, _, err = series(tmp_path, build_sample("not-bootable"), "--find-min", "cpus")
    assert code == 2 and "'cpus' is not known" in err and "known: ram, disk" in err
    assert not (tmp_path / "logs").exists()


@pytest.mark.boots
def test_what_is_refused_is_a_row_of_its_own(tmp_path: Path) -> None:
    code, document, _ = series(
        tmp_path, build_sample("triple-fault"), "--matrix", "medium=usb", "--accel", "tcg"
    )
    (row,) = document["boots"]
    assert (code, row["result"], row["exit_code"]) == (2, "refused", 2)
    assert "boots only as a CD" in row["cause"]


@pytest.mark.boots
def test_ctrl_c_ends_every_boot_with_its_report(tmp_path: Path) -> None:
    root = tmp_path / "logs"
    argv = command(
        *("boot", build_sample("hang-silent"), "--log-root", root, "--accel", "tcg"),
        *("--matrix", "ram=256,320,384", "--jobs", "2", "--json"),
    )
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )
    try:
        wait_until(lambda: len(list(root.glob("*/events.jsonl"))) == 2, "two boots side by side")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=2 * DEADLINE_S)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in err, err
    document = json.loads(out)
    assert process.returncode == 3
    results = [row["result"] for row in document["boots"]]
    assert (results[2] == "not run" and "incomplete" in results) or "no_serial" in results
    for row in document["boots"][:2]:
        manifest = read_session(Path(row["session"]))
        assert (manifest["end_reason"], manifest["report_available"]) == ("interrupted", 1)


@pytest.mark.slow
@pytest.mark.boots
def test_the_least_ram_is_found_and_verified(tmp_path: Path) -> None:
    code, document, _ = series(
        tmp_path, build_sample("login-vga"), "--find-min", "ram", "--ram", "512", "--accel", "tcg"
    )
    assert code == 0
    least = document["least_mb"]
    assert document["failed_mb"] == least - 32
    tries = [(row["at"]["ram"], row["result"]) for row in document["boots"]]
    assert tries[0] == ("512 MB", "success")
    assert tries.count((f"{least} MB", "success")) == 2
    assert (f"{least - 32} MB", "success") not in tries
