"""Consoles as real terminals."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hiperiso.stick.console import Consoles, Line, Tone
from waiting import DEADLINE_S, wait_until


@pytest.fixture
def terminals() -> Iterator[list[tuple[int, Path]]]:
    """Two terminals: the end that a person sits at, and the path of the other."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(2):
            person, machine = pty.openpty()
            stack.callback(os.close, person)
            stack.callback(os.close, machine)
            found.append((person, Path(os.ttyname(machine))))
        yield found


def received(person: int) -> bytes:
    data = b""
    while select.select([person], [], [], 0.3)[0]:
        data += os.read(person, 65536)
    return data


def test_all_consoles_get_the_text_without_control_sequences(terminals: list[tuple[int, Path]]) -> None:
    consoles = Consoles([path for _, path in terminals] + [Path("/no/such/terminal")])
    assert consoles.paths[-1] == str(terminals[1][1])
    consoles.say("first\nit's \x1b[31mred\x1b]0;title\x07 \u202eevil " + "x" * 1000)
    consoles.close()
    for person, _ in terminals:
        said = received(person)
        assert said.startswith(b"first\r") and b"it's red evil" in said
        assert b"\x1b" not in said and b"\x07" not in said and len(said) < 600


def test_a_line_has_the_colour_that_is_asked_for(terminals: list[tuple[int, Path]]) -> None:
    consoles = Consoles([path for _, path in terminals])
    consoles.say("bad \x1b[2J\n", Tone.BAD)
    consoles.show([Line("fine")])
    consoles.close()
    for person, _ in terminals:
        assert (
            received(person).replace(b"\r\n", b"\n").replace(b"\r", b"") == b"\x1b[1;31mbad\x1b[0m\n\nfine\n"
        )


@pytest.mark.parametrize("which", [0, 1])
def test_a_key_on_any_counts(terminals: list[tuple[int, Path]], which: int) -> None:
    consoles = Consoles([path for _, path in terminals])
    master = terminals[which][0]

    def type_when_asked() -> None:
        wait_until(lambda: not termios.tcgetattr(master)[3] & termios.ECHO, "no key is awaited")
        os.write(master, b"xyR")

    typist = threading.Thread(target=type_when_asked)
    typist.start()
    assert consoles.key("pr", DEADLINE_S) == "r"
    typist.join()
    consoles.close()
    assert b"xyR" not in received(terminals[which][0])  # no echo


def test_no_key_is_pressed(terminals: list[tuple[int, Path]]) -> None:
    consoles = Consoles([terminals[0][1]])
    start_s = time.monotonic()
    assert consoles.key("p", 0.3) == ""
    assert time.monotonic() - start_s > 0.2
    consoles.close()
    no_terminal = Consoles([])
    no_terminal.say("hello")
    assert (no_terminal.paths, no_terminal.key("p", 0.1)) == ([], "")


def test_a_terminal_that_takes_nothing_blocks_nothing(terminals: list[tuple[int, Path]]) -> None:
    consoles = Consoles([terminals[0][1]])
    consoles.say("\n".join(["x" * 150] * 200))  # no reader: the terminal's buffer is full
    consoles.close()


def test_the_kernels_list_of_consoles(tmp_path: Path) -> None:
    assert Consoles.of_this_machine(tmp_path / "none").paths == []
    (tmp_path / "active").write_text("no-such-tty\n")
    assert Consoles.of_this_machine(tmp_path / "active").paths == []


def test_a_line_goes_as_far_as_a_row_of_its_terminal() -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 40))
    consoles = Consoles([Path(os.ttyname(theirs))])
    consoles.say("x" * 90, cut=True)
    assert os.read(ours, 4096).count(b"x") <= 40
    consoles.say("“" + "x" * 90)
    assert os.read(ours, 4096).rstrip() == b'"' + b"x" * 90
    consoles.close()
    os.close(ours)
    os.close(theirs)
