"""``hiperiso-log`` as a process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands import LOG_COMMANDS, run_command
from hiperiso.analysis.report import parse_meta
from machine_speed import assert_cheap
from waiting import DEADLINE_S

CORPUS = Path(__file__).parent / "corpus"
SOURCE = Path(__file__).parents[3] / "src"


def log(*argv: str | Path, timeout_s: float = DEADLINE_S) -> subprocess.CompletedProcess[str]:
    return run_command(*argv, module=LOG_COMMANDS, timeout_s=timeout_s)


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in done.stderr
    assert done.stdout == ""


def test_analyze_writes_three_files_and_prints_the_report(tmp_path: Path) -> None:
    session = tmp_path / "s"
    shutil.copytree(CORPUS / "grub-missing-kernel", session)
    done = log("analyze", session)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.rstrip("\n") == (session / "report.txt").read_text().rstrip("\n")
    assert parse_meta((session / "analysis.meta").read_text()).failure_domain == "bootloader"
    assert json.loads((session / "report.json").read_text())["analysis"]["boot_result"] == "failure"


def test_analyze_json_is_one_document(tmp_path: Path) -> None:
    session = tmp_path / "s"
    shutil.copytree(CORPUS / "busybox-login", session)
    done = log("analyze", session, "--json")
    assert json.loads(done.stdout) == json.loads((session / "report.json").read_text())


@pytest.mark.parametrize(("recording", "code"), [("busybox-login", 0), ("grub-missing-kernel", 1)])
@pytest.mark.parametrize("reader", ["", " | head -1", " | true"])
def test_analyze_exits_as_the_boot_came_out(recording: str, code: int, reader: str, tmp_path: Path) -> None:
    session = tmp_path / "s"
    shutil.copytree(CORPUS / recording, session)
    script = f"{sys.executable} -m hiperiso.analysis.cli analyze {session}{reader}; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.stdout.splitlines()[-1], done.stderr) == (str(code), "")
    assert log("analyze", "--no-exit-code", session).returncode == 0


@pytest.mark.parametrize(("words", "code"), [("Linux demo\n", 1), ("demo login: ", 0)])
def test_a_log_alone_is_not_incomplete(words: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "serial.log").write_text(f"[    0.000000] Linux version 6.1.0-demo (demo@demo)\n{words}")
    assert log("analyze", tmp_path, "--json").returncode == code


def test_serial_as_text_and_as_json() -> None:
    path = CORPUS / "foreign-init-exits/serial.log"
    text = log("serial", path)
    assert text.returncode == 0
    assert "init is leaving" in text.stdout
    assert "\x1b" not in text.stdout
    rows = [json.loads(row) for row in log("serial", path, "--json").stdout.splitlines()]
    assert [row["text"] for row in rows] == text.stdout.splitlines()
    assert rows[0]["line"] == 1


def test_serial_stages() -> None:
    path = CORPUS / "foreign-init-exits/serial.log"
    rows = json.loads(log("serial", path, "--stages", "--json").stdout)
    assert [row["stage"] for row in rows] == ["kernel", "initramfs"]
    assert path.read_text().splitlines()[rows[1]["line"] - 1].endswith("Run /init as init process")
    assert rows[1]["kernel_s"] > 1
    assert [row.split()[0] for row in log("serial", path, "--stages").stdout.splitlines()] == [
        "kernel",
        "initramfs",
    ]


def test_serial_stages_of_many_boots(tmp_path: Path) -> None:
    boot = b"[    0.000000] Linux version 6.1\n[    1.9] Run /init as init process\nonce more\n"
    (tmp_path / "serial.log").write_bytes(boot * 9)
    rows = json.loads(log("serial", tmp_path / "serial.log", "--stages", "--json").stdout)
    assert rows[-1]["boot"] == 9
    assert rows[-1]["line"] == 26


def test_bad_input_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    refused(log("analyze", tmp_path / "gone"), "no such directory")
    refused(log("analyze", tmp_path / "file"), "not a directory")
    refused(log("analyze", tmp_path / "empty"), "not a session directory")
    refused(log("serial", tmp_path / "gone"), "no such file")
    refused(log("serial", tmp_path), "is a directory")
    refused(log("trace", tmp_path / "file"), "is not a trace of QEMU")
    refused(log("trace", tmp_path / "gone", "--format", "csv"), "cannot read")


def test_a_hostile_name_does_not_reach_the_terminal(tmp_path: Path) -> None:
    done = log("serial", tmp_path / "a\x1b[31m\nb")
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = log("analyze", "--debug", tmp_path / "gone")
    assert done.returncode != 0
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    "argv", [[], ["analyze"], ["trace", "x", "--format", "xml"], ["dance"], ["serial", "x", "--bogus"]]
)
def test_usage(argv: list[str]) -> None:
    done = log(*argv)
    assert done.returncode == 2
    assert "usage: hiperiso-log" in done.stderr


@pytest.mark.parametrize("value", ["nan", "inf", "1e999", "x\x1b[31m\ny"])
@pytest.mark.parametrize("words", [("judge", "--follow", "x", "--timeout"), ("trace", "x", "--until")])
def test_what_is_not_a_time(words: tuple[str, ...], value: str) -> None:
    done = log(*words[:-1], f"{words[-1]}={value}")
    assert done.returncode == 2 and "is not a number of seconds" in done.stderr
    assert "\x1b" not in done.stderr


def test_unknown_words_are_cleaned() -> None:
    done = log("trace", "x", "--no-such=\x1b[31m\x9b2J")
    assert done.returncode == 2 and not any(sign in done.stderr for sign in "\x1b\x9b")


def test_help_and_version() -> None:
    done = log("--help")
    assert done.returncode == 0
    assert "examples:" in done.stdout
    assert log("--version").stdout.startswith("hiperiso-log ")


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100_000, bytes(range(256)) * 400, b"\x1b[" * 50_000, b"x" * 500_000]
)
def test_strange_serial_logs(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "serial.log").write_bytes(content)
    (tmp_path / "session.json").write_text("{}")
    for argv in (("analyze", "--no-exit-code", tmp_path), ("serial", tmp_path / "serial.log")):
        done = log(*argv)
        assert (done.returncode, done.stderr) == (0, "")
    assert parse_meta((tmp_path / "analysis.meta").read_text()).has_serial == int(bool(content))


def test_a_read_only_session_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "serial.log").write_bytes(b"x\n")
    (tmp_path / "report.json").mkdir()
    done = log("analyze", tmp_path)
    refused(done, "report.json")


def test_a_closed_pipe_is_not_an_error(tmp_path: Path) -> None:
    big = tmp_path / "serial.log"
    big.write_bytes(b"a line of text\n" * 200_000)
    command = f"{sys.executable} -m hiperiso.analysis.cli serial {big} | head -1"
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("a line of text\n", "")


@pytest.mark.parametrize("size_mb", [4, pytest.param(40, marks=pytest.mark.slow)])
def test_a_large_log_is_streamed(tmp_path: Path, size_mb: int) -> None:
    """In bounded memory, read for the verdict and for the page; processor time: the machine may be busy."""
    block = b"".join(
        b"[%12.6f] usb 1-%d: new high-speed USB device number %d\r\n" % (n / 10, n % 9, n)
        for n in range(1000)
    )
    with (tmp_path / "serial.log").open("wb") as file:
        for _ in range(size_mb * 1_000_000 // len(block)):
            file.write(block)
    (tmp_path / "session.json").write_text("{}")
    before = os.times()
    script = (
        # VmHWM begins anew at exec; ru_maxrss would still count the process that started this one.
        "import re,sys;from hiperiso.analysis.cli import main;code=main(sys.argv[1:]);"
        "sys.stderr.write(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]);sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "analyze", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        timeout=DEADLINE_S,
        check=False,
    )
    after = os.times()
    cpu_s = after.children_user - before.children_user
    assert done.returncode == 3
    assert int(done.stderr) < 100_000  # KiB
    assert_cheap(cpu_s, 3 + size_mb / 2)
