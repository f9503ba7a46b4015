"""``hiperiso-log judge`` and ``explain``: plain logs of any origin, by file, by standard input, and live."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

import pytest

from commands import LOG_COMMANDS, run_command
from waiting import DEADLINE_S

KERNEL = "[    0.000000] Linux version 6.1.0-demo (demo@demo) (gcc 12)\n"
LOGIN = KERNEL + "Welcome to Demo Linux 1!\ndemo login: "
PANIC = KERNEL + "demo: x[    2.000000] Kernel panic - not syncing: Fatal exception\n"
WIRED = {"PYTHONUNBUFFERED": "1", "PATH": os.environ["PATH"]}


def command(*argv: object) -> list[str]:
    return [sys.executable, "-m", "hiperiso.analysis.cli", *map(str, argv)]


def run(*argv: object, given: str = "") -> subprocess.CompletedProcess[str]:
    return run_command(*argv, module=LOG_COMMANDS, given=given.encode(errors="surrogateescape"))


def live(*argv: object, stdin: int | IO[bytes] = subprocess.DEVNULL) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*argv), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=WIRED
    )


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "login.log").write_text(LOGIN)
    (tmp_path / "panic.log").write_text(PANIC)
    (tmp_path / "kernel.log").write_text(KERNEL)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "code", "result"),
    [("login", 0, "success"), ("panic", 1, "failure"), ("kernel", 3, "incomplete")],
)
def test_it_exits_as_a_boot(logs: Path, name: str, code: int, result: str) -> None:
    done = run("judge", logs / f"{name}.log")
    assert done.returncode == code, done.stderr
    assert f"{name}.log: {result} at " in done.stdout


def test_several_logs_and_json(logs: Path) -> None:
    done = run("judge", "--json", logs / "login.log", logs / "kernel.log", logs / "panic.log")
    assert done.returncode == 1
    first, second, third = json.loads(done.stdout)
    assert (first["boot_stage_final"], second["exit_code"], third["kernel_panic_count"]) == ("login", 3, 1)
    assert any(
        finding["kind"] == "kernel_panic" and finding["evidence"][0]["line"] == 2
        for finding in third["findings"]
    )


def test_a_log_that_cannot_be_read_does_not_stop_the_others(logs: Path) -> None:
    done = run("judge", "--json", "--junit", logs / "out.xml", logs / "gone.log", logs, logs / "login.log")
    judged, gone, folder = json.loads(done.stdout)
    assert (done.returncode, judged["boot_result"]) == (2, "success")
    assert gone["file"] == str(logs / "gone.log") and "no such file" in gone["error"] in done.stderr
    assert "is a directory" in folder["error"] and "analyze" in folder["hint"]
    suite = ElementTree.parse(logs / "out.xml").getroot()[0]
    assert [suite.attrib[name] for name in ("tests", "errors")] == ["3", "2"]


def test_standard_input() -> None:
    done = run("judge", "-", given=LOGIN)
    assert (done.returncode, done.stdout) == (0, "-: success at login: a login prompt appeared\n")


def test_junit(logs: Path) -> None:
    run("judge", "--junit", logs / "out.xml", logs / "login.log", logs / "panic.log", logs / "kernel.log")
    suite = ElementTree.parse(logs / "out.xml").getroot()[0]
    assert [suite.attrib[name] for name in ("tests", "failures", "skipped")] == ["3", "1", "1"]
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "Kernel panic" in failure.attrib["message"]


def test_what_was_expected(logs: Path) -> None:
    assert run("judge", "--expect", "kernel", logs / "kernel.log").returncode == 0
    assert run("judge", "--expect-text", "6\\.1\\.0", logs / "kernel.log").returncode == 0
    assert run("judge", "--expect-text", "7\\.1", logs / "kernel.log").returncode == 3


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("judge",), "name logs to evaluate"),
        (("judge", "gone.log"), "no such file: gone.log"),
        (("judge", "."), "is a directory"),
        (("judge", "--expect-text", "(", "-"), "not a regular expression"),
        (("judge", "--timeout", "3", "-"), "--timeout is for --follow"),
        (("explain", "gone"), "no such file or directory: gone"),
    ],
)
def test_bad_usage_is_one_clear_line(argv: tuple[str, ...], words: str) -> None:
    done = run(*argv)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_growing_file_is_followed(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_text(KERNEL)
    child = live("judge", "--follow", log, "--timeout", str(DEADLINE_S))
    assert child.stderr is not None
    assert "kernel" in child.stderr.readline()  # it has read what was there
    with log.open("a") as file:
        file.write("Welcome to Demo Linux 1!\ndemo login: ")
    out, _ = child.communicate(timeout=DEADLINE_S)
    assert (child.returncode, "success at login" in out) == (0, True)


def test_a_pipe_is_followed_to_its_end(tmp_path: Path) -> None:
    fifo = tmp_path / "line"
    os.mkfifo(fifo)
    child = live("judge", "--follow", fifo, "--timeout", str(DEADLINE_S))
    with fifo.open("w") as file:
        file.write(PANIC)
    out, _ = child.communicate(timeout=DEADLINE_S)
    assert (child.returncode, "failure at kernel" in out) == (1, True)


def test_a_serial_line_is_followed() -> None:
    """A pseudo terminal is what a USB adapter looks like; the prompt that waits has no newline."""
    ours, theirs = os.openpty()
    child = live("judge", "--follow", os.ttyname(theirs), "--timeout", str(DEADLINE_S))
    os.write(ours, LOGIN.encode())
    out, _ = child.communicate(timeout=DEADLINE_S)
    os.close(ours)
    os.close(theirs)
    assert (child.returncode, "success at login" in out) == (0, True)


def test_the_time_is_up(logs: Path) -> None:
    done = run("judge", "--follow", logs / "kernel.log", "--timeout", "0.5")
    assert done.returncode == 3
    assert "the time ran out at stage kernel" in done.stdout


def test_explain_names_what_decided_and_what_did_not_count(tmp_path: Path) -> None:
    log = tmp_path / "board.log"
    log.write_text("panic: a program died\n" + PANIC)
    done = run("explain", log)
    assert done.returncode == 0, done.stderr
    assert "was recognised before" in done.stdout
    assert "verdict rule panic: decides: failure at kernel" in done.stdout
    rules = json.loads(run("explain", "--json", log).stdout)["rules"]
    counted = {rule["rule"]: rule["counted"] for rule in rules if rule["counted"]}
    assert counted["kernel_panic"] == 1


def test_explain_reads_a_session(tmp_path: Path) -> None:
    (tmp_path / "serial.log").write_text(LOGIN)
    done = run("explain", tmp_path)
    assert "verdict rule goal: decides: success at login" in done.stdout
