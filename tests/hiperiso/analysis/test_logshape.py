"""Logs as people capture them: broken by a terminal, by script(1), conserver, CI runners and labs, in UTF-16."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hiperiso.analysis.judge import Judge
from hiperiso.analysis.logfeed import feed_file
from hiperiso.analysis.logshape import LogShape, shaped_rows, width_of_terminal
from hiperiso.analysis.verdict import verdict_of
from hiperiso.contract.words import FindingKind
from hiperiso.textblocks import clean_blocks

from .test_kinds import INIT, KERNEL, WELCOME

LONG = "[    0.200000] demo: a message of the kernel that goes on for more columns than most of the terminals have: x"
WHY = "VFS: Unable to mount root fs on unknown-block(0,0) after a long search"
PANIC = f"[    9.000000][    T1] demo: at the end ---[ end Kernel panic - not syncing: {WHY} ]---"
FAILS = [KERNEL, INIT, "[    9.000000] Kernel panic - not syncing: Fatal exception"]
BOOTS = [KERNEL, INIT, WELCOME, "demo login: "]


def broken(lines: list[str], width: int) -> str:
    return "".join(
        line[at : at + width] + "\n" for line in lines for at in range(0, max(len(line), 1), width)
    )


def judged(data: bytes) -> tuple[Judge, str]:
    judge = Judge()
    feed_file(judge, "board.log", io.BytesIO(data))
    return judge, verdict_of(judge).result.value


@pytest.mark.parametrize("width", [40, 72, 80, 100, 132])
def test_what_a_terminal_broke_is_whole(width: int) -> None:
    judge, result = judged(
        broken([KERNEL + " x" * 30, LONG + " y" * 30, LONG + " z" * 30, PANIC], width).encode()
    )
    assert result == "failure"
    (panic,) = [finding for finding in judge.findings if finding.kind is FindingKind.KERNEL_PANIC]
    assert panic.summary == f"Kernel panic - not syncing: {WHY}"


def test_a_space_at_the_margin_is_often_lost() -> None:
    text = "".join(line.rstrip() + "\n" for line in broken([KERNEL, LONG, PANIC], 80).splitlines())
    assert " than\nmost " in text
    block = next(iter(clean_blocks(io.BytesIO(text.encode()))))
    assert LogShape(Judge().attention).shape(block).text.decode().splitlines() == [KERNEL, LONG, PANIC]


def test_the_numbers_of_lines_are_those_of_the_file(tmp_path: Path) -> None:
    text = broken([KERNEL, LONG, LONG, "[    9.000000] Kernel panic - not syncing: x"], 80)
    log = tmp_path / "board.log"
    log.write_text(text)
    rows = list(shaped_rows(log, Judge().attention))
    assert [row.text for row in rows][1:3] == [LONG, LONG]
    assert [row.line for row in rows] == [1, 2, 4, 6]


@pytest.mark.parametrize(
    "lines",
    [
        [KERNEL, "=" * 80, "demo", "=" * 80, "demo"],  # a rule across the screen
        ["[    1.000000] " + "x" * 65, "[    2.000000] demo"],
        ["[    1.000000] " + "x" * 66, "demo"],  # once, and not as wide as a terminal
        ["[    1.000000] " + "x" * 65, "demo", "[    2.000000] " + "y" * 65, "[    3.000000] demo"],
        ["x" * 300, "y"],
        [],
    ],
    ids=["rule", "stamped", "once", "not always", "wide", "empty"],
)
def test_what_is_not_broken(lines: list[str]) -> None:
    assert width_of_terminal([line.encode() for line in lines]) is None
    text = "".join(line + "\n" for line in lines)
    shape = LogShape(Judge().attention)
    assert (
        b"".join(shape.shape(block).text for block in clean_blocks(io.BytesIO(text.encode())))
        == text.encode()
    )


def of_script(lines: list[str]) -> bytes:
    head = 'Script started on 2024-01-02 03:04:05+00:00 [TERM="xterm" COLUMNS="80" LINES="24"]\n'
    typed = "\x1b[?2004hme@host:~$ demo-console /dev/ttyUSB0\r\n\x1b[?2004l\r"
    return (
        head + typed + "\r\n".join(lines) + '\n\nScript done on 2024-01-02 03:05:06 [COMMAND_EXIT_CODE="0"]\n'
    ).encode()


def of_conserver(lines: list[str]) -> bytes:
    return "".join(f"[Tue Jan  2 03:04:{n:02d} 2024]{line}\r\n" for n, line in enumerate(lines)).encode()


def of_github(lines: list[str]) -> bytes:
    steps = ["##[group]Run make boot", "make boot", "##[endgroup]", *lines, "##[error]exit code 1."]
    return "".join(f"2024-01-02T03:04:05.{n:07d}Z {line}\n" for n, line in enumerate(steps)).encode()


def of_gh_run_view(lines: list[str]) -> bytes:
    return "".join(
        f"boot\tRun the board\t2024-01-02T03:04:05.{n:07d}Z {line}\n" for n, line in enumerate(lines)
    ).encode()


def of_lava(lines: list[str]) -> bytes:
    rows = [
        f'- {{"dt": "2024-01-02T03:04:05.{n:06d}", "lvl": "target", "msg": {json.dumps(line)}}}'
        for n, line in enumerate(lines)
    ]
    noise = '- {"dt": "2024-01-02T03:04:05.999999", "lvl": "debug", "msg": "Waiting for Kernel panic - not syncing"}'
    return "\n".join([rows[0], noise, *rows[1:], ""]).encode()


def of_tuxrun(lines: list[str]) -> bytes:
    return "".join(f"\x1b[0m2024-01-02T03:04:05 \x1b[32m{line}\x1b[0m\n" for line in lines).encode()


def of_utf16(lines: list[str]) -> bytes:
    return "\r\n".join(lines).encode("utf-16")


def of_colours(lines: list[str]) -> bytes:
    return "\r\n".join(line.replace("] ", "] \x1b[33m", 1) + "\x1b[0m" for line in lines).encode()


CAPTURES = [of_script, of_conserver, of_github, of_gh_run_view, of_lava, of_tuxrun, of_utf16, of_colours]


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.__name__)
def test_captures(capture: Callable[[list[str]], bytes]) -> None:
    judge, result = judged(capture(FAILS))
    assert (result, judge.stage.value) == ("failure", "initramfs")
    assert judge.book.count(FindingKind.KERNEL_PANIC) == 1
    judge, result = judged(capture(BOOTS))
    assert (result, judge.stage.value) == ("success", "login")
    _, result = judged(capture(BOOTS[:2]))
    assert result == "incomplete"
