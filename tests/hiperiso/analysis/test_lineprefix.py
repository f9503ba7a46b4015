"""Prefixes of unknown collectors: removed where nearly all lines begin with them, and only there."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hiperiso.analysis.explain import explain
from hiperiso.analysis.judge import Judge
from hiperiso.analysis.lineprefix import FirstLines, LinePrefix
from hiperiso.analysis.logfeed import feed_file
from hiperiso.analysis.verdict import Verdict, verdict_of
from hiperiso.contract.words import BootResult
from hiperiso.textblocks import clean_blocks
from machine_speed import assert_cheap
from waiting import DEADLINE_S

from .test_kinds import INIT, KERNEL, STORIES, WELCOME, Kind

PREFIXES = [
    "# ",
    "> ",
    "> > ",
    "| ",
    "demo$ ",
    "[board1] ",
    "serial: ",
    "console | ",
    "    ",
    "guest@lab> ",
    "root@lab:~# ",
    "-- demo --: ",
    "│ ",
]
COUNTED = ["{n} | ", "T+{n}.5s ", "[{n:4d}] ", "demo {n:03d}: ", "00:{n}/demo> "]
NEUTRAL = [f"bank {name} of the demo board was checked" for name in "abcdefgh"]
BOOT = [KERNEL, "[    0.100000] Memory: 2000K", INIT, "demo-init: starting", *NEUTRAL, WELCOME]


def prefixed(lines: list[str], prefix: str) -> str:
    return "\n".join((prefix.format(n=10 + 7 * number) + line) for number, line in enumerate(lines))


def judged(text: str) -> Verdict:
    judge = Judge()
    feed_file(judge, "board.log", io.BytesIO(text.encode()))
    return verdict_of(judge)


def stripped(text: str) -> list[str]:
    prefix = LinePrefix(Judge().attention)
    blocks = [prefix.strip_block(block) for block in clean_blocks(io.BytesIO(text.encode()))]
    return b"".join(block.text for block in blocks).decode().splitlines()


@pytest.mark.parametrize("prefix", [*PREFIXES, *COUNTED])
@pytest.mark.parametrize("ending", ["\n", ""])
def test_a_failure_is_never_a_success(prefix: str, ending: str) -> None:
    lines = [*BOOT[:6], "[    9.000000] Kernel panic - not syncing: Fatal exception"]
    verdict = judged(prefixed(lines, prefix) + ending)
    assert (verdict.result, verdict.stage.value) == (BootResult.FAILURE, "initramfs"), verdict.cause


@pytest.mark.parametrize("prefix", [*PREFIXES, *COUNTED])
def test_a_prompt_behind_it_is_a_prompt(prefix: str) -> None:
    assert judged(prefixed([*BOOT, "demo login: "], prefix)).result is BootResult.SUCCESS
    assert judged(prefixed(BOOT, prefix)).result is BootResult.INCOMPLETE
    assert (
        judged(prefixed([*BOOT, "Give root password for maintenance: "], prefix)).result is BootResult.FAILURE
    )


@pytest.mark.parametrize("kind", STORIES[::3], ids=lambda kind: kind.line[:40])
def test_stories(kind: Kind) -> None:
    lines = [*kind.before[:1], *NEUTRAL, *kind.before[1:], "", kind.line]
    bare, behind = judged("\n".join(lines)), judged(prefixed(lines, "{n}/demo | "))
    assert (behind.result, behind.stage, behind.cause) == (bare.result, bare.stage, bare.cause)


def test_a_quoted_log_in_a_report() -> None:
    prose = ["Dear list,", "", "my board does not boot:", ""]
    quoted = prefixed([*BOOT[:5], *NEUTRAL, "[    9.000000] Kernel panic - not syncing: demo"], "> ")
    text = "\n".join([*prose, quoted, "", "What can I do?"])
    assert judged(text).result is BootResult.FAILURE
    assert stripped(text)[4] == KERNEL
    assert stripped(text)[-1] == "What can I do?"


def test_empty_lines_and_the_numbers_of_lines() -> None:
    lines = [KERNEL, "", *BOOT[1:], "", "\x1b[1m[    9.000000] Kernel panic - not syncing: demo\x1b[0m"]
    judge = Judge()
    feed_file(
        judge, "board.log", io.BytesIO((prefixed(lines, "# ").replace("# \n", "#\n") + "\r\n").encode())
    )
    (panic,) = [finding for finding in judge.findings if finding.severity == "fatal"]
    assert panic.evidence[0].line == len(lines)
    assert judge.findings[-1].evidence[0].text == "[    9.000000] Kernel panic - not syncing: demo"


SHELL = [
    "mount -t proc proc /proc",
    "mkdir /tmp/demo",
    "cd /tmp/demo",
    "touch a b c",
    "rm a",
    "sync",
    "uptime",
    "df",
]


@pytest.mark.parametrize("prompt", ["# ", "/ # ", "root@demo:~# "])
@pytest.mark.parametrize("boot", [True, False])
def test_a_session_of_a_shell_is_none(prompt: str, boot: bool) -> None:
    lines = [*(BOOT if boot else []), *(prompt + command for command in SHELL), prompt + "exit"]
    assert stripped("\n".join(lines)) == lines
    if boot:
        assert judged("\n".join(lines)).result is BootResult.SUCCESS


@pytest.mark.parametrize(
    "lines",
    [
        [f"[    {n}.000000] usb 1-{n}: new device" for n in range(1, 9)],
        [f"(XEN) [    {n}.000000] CPU{n}: demo" for n in range(1, 9)],
        [f"(XEN) CPU{n}: demo" for n in range(1, 9)],
        [f"[  OK  ] Started Demo Service {n}." for n in range(1, 9)],
        [f"NOTICE:  BL{n}: demo" for n in range(1, 9)],
        [f"2024-01-02T03:04:0{n}Z demo" for n in range(1, 9)],
        [f"usb demo {n}" for n in range(1, 9)],  # words, and not many
    ],
    ids=lambda lines: lines[0][:20],
)
def test_what_is_no_prefix(lines: list[str]) -> None:
    assert stripped("\n".join(lines)) == lines


def test_explain_reads_the_same(tmp_path: Path) -> None:
    log = tmp_path / "board.log"
    log.write_text(
        prefixed([*BOOT[:4], "Unable to find a medium containing a live file system", "(initramfs) "], "# ")
    )
    explanation = explain(log)
    assert not any(rule.signature.kind == "shell_prompt" for rule in explanation.rules)
    assert explanation.judge.attempt.emergency


@pytest.mark.parametrize(
    "line", ["1 " * 40 + "x", "1" * 80 + "x", "] " * 60, "a: " * 40, " " * 79 + "1 x", "#" * 90]
)
def test_hostile_lines_cost_little(line: str) -> None:
    lines = [(line + "y" * (number % 3)).encode() for number in range(4000)] + [b"1" * 79 + b"x"] * 2000
    attention = Judge().attention
    began = time.process_time()
    LinePrefix(attention).learn(lines)
    assert_cheap(time.process_time() - began, 2.0)


def test_a_long_log_keeps_no_lines() -> None:
    prefix = LinePrefix(Judge().attention)
    first = FirstLines(prefix)
    for number in range(10_000):
        first.note(f"{number % 7}{'x' * (number % 50)} demo")
    assert prefix.is_settled
    assert not first.holds


def test_it_is_removed_from_a_live_line() -> None:
    text = prefixed([*BOOT[:6], *NEUTRAL, "[    9.000000] Kernel panic - not syncing: demo"], "# ") + "\n"
    done = subprocess.run(
        [sys.executable, "-m", "hiperiso.analysis.cli", "judge", "--follow", "-"],
        input=text,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stderr.count("login")) == (1, 0), done.stdout + done.stderr
