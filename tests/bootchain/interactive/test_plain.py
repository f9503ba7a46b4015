"""Dialogs as plain text: dumb and serial terminals, no curses."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bootchain.interactive.show import want_screen

from .terminals import DIALOG, SOURCE, OnTerminal, dialog

SYSTEMS = ("rescue", "Rescue system", "debian", "Debian 12")


def plain(*arguments: str, **options: object) -> OnTerminal:
    return dialog(*arguments, term="dumb", **options)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("2\n", (0, "debian\n", "")),
        ("\n", (0, "rescue\n", "")),
        ("debian\n", (0, "debian\n", "")),
        ("q\n", (1, "", "")),
    ],
)
def test_a_choice_by_number_tag_default_or_back(typed: str, answer: tuple[int, str, str]) -> None:
    with plain("choice", "What?", *SYSTEMS) as terminal:
        terminal.see("Number [1], q: Back: ")
        terminal.type(typed)
        assert terminal.end() == answer
        assert "\x1b" not in terminal.shown
        assert "  2) Debian 12" in terminal.shown


def test_a_wrong_answer_is_asked_again() -> None:
    with plain("choice", "What?", *SYSTEMS) as terminal:
        terminal.see("q: Back: ")
        terminal.type("3\n")
        terminal.see("3 is not on the list")
        terminal.type("1\n")
        assert terminal.end() == (0, "rescue\n", "")


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_ctrl_c_and_ctrl_d_are_the_way_back(key: str) -> None:
    for kind in (
        ("choice", "What?", *SYSTEMS),
        ("form", "Say", "n", "Name", ""),
        ("message", "Hello"),
        ("question", "?"),
    ):
        with plain(*kind) as terminal:
            terminal.see(": ")
            terminal.type(key)
            assert terminal.end()[:2] == (1, ""), kind


def test_a_form_keeps_defaults_and_hides_secrets() -> None:
    with plain("form", "--secret", "pw", "Say", "n", "Name", "me", "pw", "Password", "") as terminal:
        terminal.see("Name [me]: ")
        terminal.type("\n")
        terminal.see("Password: ")
        terminal.type("s3cret\n")
        assert terminal.end() == (0, "n=me\npw=s3cret\n", "")
        assert "s3cret" not in terminal.shown


def test_a_question_wants_yes_or_no() -> None:
    with plain("question", "Sure?") as terminal:
        terminal.see("yes or no: ")
        terminal.type("perhaps\n")
        terminal.see("perhaps\r\nyes or no: ")
        terminal.type("yes\n")
        assert terminal.end()[0] == 0


def test_the_default_is_taken_without_an_answer() -> None:
    with plain("--timeout", "0.4", "--default", "debian", "choice", "What?", *SYSTEMS) as terminal:
        assert terminal.end() == (0, "debian\n", "")


def test_a_gauge_says_each_ten_percent() -> None:
    feed = b"".join(b"%d\n" % n for n in range(101))
    with plain("gauge", "Fetching", feed=feed) as terminal:
        assert terminal.end()[0] == 0
        reported = [line for line in terminal.shown.splitlines() if line.endswith("%")]
        assert [int(line.split()[0]) for line in reported] == list(range(0, 101, 10))


def test_waiting() -> None:
    with plain("wait", "Working", "sleep", "0.2") as terminal:
        assert terminal.end()[0] == 0
    with plain("wait", "Working", "sh", "-c", "exit 3") as terminal:
        assert terminal.end() == (2, "", "bootchain-dialog: sh ended with 3\n")
    with plain("wait", "Working", "sleep", "1000") as terminal:
        terminal.see("give up")
        terminal.type("q\n")
        assert terminal.end()[0] == 1
    with plain("--timeout", "30", "wait", "Starting") as terminal:
        terminal.see("interrupt")
        terminal.type("\n")
        assert terminal.end()[0] == 1


def test_without_curses_it_is_plain(tmp_path: Path) -> None:
    (tmp_path / "curses.py").write_text("raise ImportError('not in this initramfs')\n")
    with dialog("choice", "What?", *SYSTEMS, env={"PYTHONPATH": f"{tmp_path}:{SOURCE}"}) as terminal:
        terminal.see("Number [1]")
        terminal.type("2\n")
        assert terminal.end() == (0, "debian\n", "")


def test_an_unknown_terminal_is_plain() -> None:
    with dialog("choice", "What?", *SYSTEMS, term="no-such-terminal") as terminal:
        terminal.see("Number [1]")
        terminal.type("\n")
        assert terminal.end() == (0, "rescue\n", "")


def test_no_terminal_is_an_error() -> None:
    done = subprocess.run(
        [*DIALOG, "choice", "What?", *SYSTEMS],
        env={"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == "bootchain-dialog: there is no terminal to ask on: put the step fg before this one\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("choice",),
        ("choice", "text"),
        ("choice", "text", "tag"),
        ("form", "text", "a", "b"),
        ("wait", "text"),
        ("--timeout", "soon", "choice", "t", "a", "b"),
        ("--nonsense", "message", "x"),
        ("sing", "x"),
        ("message", "x", "y"),
    ],
)
def test_wrong_usage_is_code_2(arguments: tuple[str, ...]) -> None:
    with plain(*arguments) as terminal:
        code, out, err = terminal.end()
        assert (code, out) == (2, "")
        assert err.startswith("bootchain-dialog: ")


def test_serial_lines_are_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "linux")
    master, slave = os.openpty()
    try:
        assert not want_screen(slave, "plain")
        assert want_screen(slave, "screen")
        assert not want_screen(slave, ""), "no size: no viewer is known"
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize("shell", ["bash", "dash", "busybox ash"])
def test_shell_steps_ask(shell: str, tmp_path: Path) -> None:
    script = tmp_path / "step"
    script.write_text(
        ". dialog-sh-functions\n"
        'system="$(dialog_choice "What?" rescue "Rescue \'system\'" debian "Debian *")"\n'
        'echo "<$system>"\n'
        "code=0; dialog_question 'Sure?' || code=$?; echo \"$code\"\n"
        'DIALOG_TITLE="A title"; DIALOG_BACK="No thanks"\n'
        'values="$(dialog_form --secret pw "Say" n "Name" "a b" pw "Password" "")"; echo "<$values>"\n'
        "for n in 1 50 100; do echo $n; done | dialog_gauge Fetching\n"
        'code=0; dialog_wait Working false || code=$?; echo "$code"\n'
        "dialog_countdown 0.2 Starting; dialog_message 'Done'; echo end\n"
    )
    path = f"{SOURCE}/bootchain/shell:{os.environ['PATH']}"
    argv = [*shell.split(), "-efu", str(script)]
    with OnTerminal(argv, term="dumb", env={"PATH": path}) as terminal:
        for seen, typed in (
            ("q: Back", "2\n"),
            ("yes or no", "no\n"),
            ("Name [a b]", "\n"),
            ("Password", "x\n"),
        ):
            terminal.see(seen)
            terminal.type(typed)
        terminal.see("Enter to go on")
        terminal.type("\n")
        code, out, _ = terminal.end()
        assert (code, out) == (0, "<debian>\n1\n<n=a b\npw=x>\n2\nend\n")
        assert "== A title ==" in terminal.shown and "No thanks" in terminal.shown
