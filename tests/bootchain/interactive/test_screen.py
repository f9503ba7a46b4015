"""Dialogs on the whole screen, on a real terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from waiting import DEADLINE_S, wait_for_end, wait_for_text, wait_until

from .terminals import DIALOG, DOWN, ENTER, ESCAPE, SOURCE, UP, dialog

SYSTEMS = ("rescue", "Rescue system", "debian", "Debian 12", "alpine", "Alpine 3.20")


def test_a_choice_is_made_with_the_arrows() -> None:
    with dialog("--title", "Boot", "choice", "What?", *SYSTEMS) as terminal:
        terminal.see("Alpine 3.20")
        terminal.type(DOWN + DOWN + UP + ENTER)
        assert terminal.end() == (0, "debian\n", "")


@pytest.mark.parametrize(
    ("keys", "tag"), [("a", "alpine"), ("2", "debian"), ("\x1b[F", "alpine"), ("\x1b[H", "rescue")]
)
def test_keys_jump(keys: str, tag: str) -> None:
    with dialog("--default", "debian", "choice", "What?", *SYSTEMS) as terminal:
        terminal.see("Alpine 3.20")
        terminal.type(keys + ENTER)
        assert terminal.end() == (0, f"{tag}\n", "")


@pytest.mark.parametrize("key", [ESCAPE, "\x03", "\x04"])
def test_the_way_back_is_code_1_and_no_signal(key: str) -> None:
    with dialog("choice", "What?", *SYSTEMS) as terminal:
        terminal.see("Esc: Back")
        terminal.type(key)
        assert terminal.end() == (1, "", "")


def test_without_a_person_the_default_is_taken() -> None:
    with dialog("--timeout", "1", "--default", "debian", "choice", "What?", *SYSTEMS) as terminal:
        terminal.see("(1 s)")
        assert terminal.end() == (0, "debian\n", "")


def test_a_key_stops_the_clock() -> None:
    with dialog("--timeout", "1000", "choice", "What?", *SYSTEMS) as terminal:
        terminal.see(" s)")
        terminal.type(DOWN)
        terminal.rest()  # with a clock it would wait for a second at a time
        assert terminal.process.poll() is None
        terminal.type(ENTER)
        assert terminal.end() == (0, "debian\n", "")


def test_a_long_list_scrolls(tmp_path: Path) -> None:
    items = [word for n in range(300) for word in (f"t{n}", f"Entry {n:03}")]
    answer = tmp_path / "answer"
    with dialog("--output", str(answer), "choice", "Many", *items, rows=12) as terminal:
        terminal.see("Entry 003")
        terminal.type("\x1b[6~" * 4 + ENTER)
        assert terminal.end() == (0, "", "")
    assert answer.read_text() == "t24\n", "four pages of six"


def test_a_form_is_filled_in() -> None:
    fields = ("host", "Host name", "rescue", "addr", "Address", "", "pw", "Password", "")
    with dialog("--secret", "pw", "form", "Network", *fields) as terminal:
        terminal.see("Password")
        terminal.type("\x7f" * 6 + "möbius\t10.0.0.2\x1b[D\x1b[D\x1b[D9\t")
        terminal.type("geheim" + ENTER)
        assert terminal.end() == (0, "host=möbius\naddr=10.0.90.2\npw=geheim\n", "")
        assert "geheim" not in terminal.shown
        assert terminal.shown.count("*") >= len("geheim")


def test_a_message_scrolls_and_goes_on() -> None:
    with dialog("message", "\n".join(f"line {n}" for n in range(100)), rows=12) as terminal:
        terminal.see("line 7")
        assert "17" not in terminal.shown
        terminal.type("\x1b[6~")
        terminal.see("17")
        terminal.type(ENTER)
        assert terminal.end()[0] == 0


@pytest.mark.parametrize(("key", "code"), [("y", 0), ("n", 1), (ESCAPE, 1)])
def test_a_question_has_two_answers(key: str, code: int) -> None:
    with dialog("question", "Erase it?") as terminal:
        terminal.see("Erase it?")
        terminal.type(ENTER + key)
        assert terminal.end()[0] == code


def test_a_gauge_shows_progress() -> None:
    feed = b"10 first\nnoise\n55.5% second file\n100 done\n"
    with dialog("--title", "Copy", "gauge", "Fetching", feed=feed) as terminal:
        assert terminal.end() == (0, "", "")
        assert "Fetching" in terminal.shown and "####" in terminal.shown and "done" in terminal.shown


def test_waiting_for_a_command(tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    with dialog("wait", "Working", "sh", "-c", f"echo to the log; cat '{go}'") as terminal:
        terminal.see("Working")
        go.write_text("")
        assert terminal.end() == (0, "", "to the log\n")
    with dialog("wait", "Working", "false") as terminal:
        assert terminal.end() == (2, "", "bootchain-dialog: false ended with 1\n")
    with dialog("wait", "Working", "/nonexistent") as terminal:
        assert terminal.end() == (2, "", "bootchain-dialog: /nonexistent: No such file or directory\n")


def test_giving_up_ends_the_command_and_what_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 100000 & echo $! > {pids}; wait"
    with dialog("wait", "Working", "sh", "-c", script) as terminal:
        terminal.see("Working")
        wait_for_text(pids, "\n")
        terminal.type(ESCAPE)
        assert terminal.end()[0] == 1
    wait_for_end(int(pids.read_text()))


def test_a_limit_ends_the_command() -> None:
    with dialog("--timeout", "0.5", "wait", "Working", "sleep", "100000") as terminal:
        assert terminal.end() == (1, "", "bootchain-dialog: it took too long\n")


def test_a_countdown_passes_or_is_interrupted() -> None:
    with dialog("--timeout", "0.5", "wait", "Starting") as terminal:
        assert terminal.end()[0] == 0
    with dialog("--timeout", "50", "wait", "Starting") as terminal:
        terminal.see("50 s left")
        terminal.type(" ")
        assert terminal.end()[0] == 1


def test_hostile_text_draws_nothing_but_itself() -> None:
    evil = "a\x1b]0;title\x07b\x1b[31mc\x9bd\u202ee"
    with dialog("--title", evil, "choice", evil, "t", evil) as terminal:
        terminal.see("a ]0;title b")
        terminal.type(ENTER)
        assert terminal.end() == (0, "t\n", "")
        assert (
            "\x1b]0" not in terminal.shown and "\x9b" not in terminal.shown and "\u202e" not in terminal.shown
        )


def test_a_hung_up_terminal_is_the_way_back() -> None:
    master, slave = os.openpty()
    running = subprocess.Popen(
        [*DIALOG, "--screen", "choice", "What?", *SYSTEMS],
        env={
            "PYTHONPATH": str(SOURCE),
            "TERM": "xterm",
            "BC_TERMINAL": os.ttyname(slave),
            "PATH": os.environ["PATH"],
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert os.read(master, 100)
    os.close(slave)
    os.close(master)
    running.communicate(timeout=DEADLINE_S)
    assert running.returncode in (1, 2, -signal.SIGHUP)


def test_it_looks_right_in_tmux(tmp_path: Path) -> None:
    socket = str(tmp_path / "tmux")
    command = (
        f"PYTHONPATH={SOURCE} {sys.executable} -S -m bootchain.interactive --title Boot choice 'Found:' "
    )
    command += "a 'Alpine' d 'Debian'"
    tmux = ["tmux", "-S", socket, "-f", "/dev/null"]
    subprocess.run(
        [*tmux, "new-session", "-d", "-x", "60", "-y", "12", command],
        check=True,
        env=os.environ | {"TERM": "xterm"},
    )
    try:
        screen = ""

        def is_drawn() -> bool:
            """The hint is drawn last, in one go with all above it."""
            nonlocal screen
            capture = [*tmux, "capture-pane", "-p"]
            screen = subprocess.run(capture, check=True, capture_output=True, text=True).stdout
            return "Esc: Back" in screen

        wait_until(is_drawn, lambda: screen)
        rows = [row.strip() for row in screen.splitlines() if row.strip()]
        assert [row.strip(" │") for row in rows[1:5]] == ["Found:", "", "Alpine", "Debian"]
        assert rows[0].startswith("┌─ Boot ─") and rows[0].endswith("┐")
        assert rows[5].startswith("└─") and len({len(row) for row in rows[:6]}) == 1
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, capture_output=True)
