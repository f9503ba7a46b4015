from __future__ import annotations

import copy
import os
import pty
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bootchain.interactive.dialogs import CANCEL, OK, Answer, Choice
from bootchain.interactive.show import NoTerminal
from hiperiso.stick.console import Consoles
from hiperiso.stick.everywhere import ask_everywhere

QUESTION = Choice("", [("a", "first"), ("b", "second")], title="Which?", back="Leave")
TIMED = Choice("", QUESTION.items, title="Which?", default="b", timeout_s=1, back="Leave")


class Terminal:
    """A terminal without size, so that dialogs are plain text; `type_when` answers what appears on it."""

    def __init__(self) -> None:
        self._ours, self._theirs = pty.openpty()
        self.path = os.ttyname(self._theirs)
        self.seen = ""

    def type_when(self, words: str, keys: str) -> None:
        while words not in self.seen:
            self.seen += os.read(self._ours, 4096).decode()
        os.write(self._ours, keys.encode())

    def modes(self) -> list[object]:
        return termios.tcgetattr(self._theirs)

    def close(self) -> None:
        os.close(self._ours)
        os.close(self._theirs)


@contextmanager
def terminals(count: int) -> Iterator[list[Terminal]]:
    made = [Terminal() for _ in range(count)]
    try:
        yield made
    finally:
        for terminal in made:
            terminal.close()


def ask(question: Choice, *paths: str) -> Answer:
    consoles = Consoles([Path(path) for path in paths])
    try:
        return ask_everywhere(question, consoles)
    finally:
        consoles.close()


def children() -> set[str]:
    """Processes of this one, also those that other tests left: helpers of multiprocessing end with their parent."""
    return {
        pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()
    }


@pytest.mark.parametrize("keys, answer", [("2\r", Answer(OK, "b")), ("q\r", Answer(CANCEL))])
@pytest.mark.parametrize("who", [0, 1])
def test_the_first_answer_counts(who: int, keys: str, answer: Answer) -> None:
    with terminals(2) as made:
        before, others = [terminal.modes() for terminal in made], children()
        person = threading.Thread(target=made[who].type_when, args=("Leave: ", keys))
        person.start()
        assert ask(QUESTION, *(terminal.path for terminal in made)) == answer
        person.join()
        assert [terminal.modes() for terminal in made] == before
        assert children() == others, "the process at the other one has ended"


def test_a_terminal_that_cannot_be_used_does_not_stop_the_others() -> None:
    with terminals(1) as (one,):
        person = threading.Thread(target=one.type_when, args=("Leave: ", "\r"))
        person.start()
        assert ask(QUESTION, "/dev/null", one.path) == Answer(OK, "a")
        person.join()


@pytest.mark.parametrize("paths", [["/dev/null"], ["/dev/null", "/dev/zero"]])
def test_no_terminal_to_ask(paths: list[str]) -> None:
    with pytest.raises(NoTerminal):
        ask(QUESTION, *paths)


def test_the_time_is_up_without_a_key_press() -> None:
    with terminals(2) as made:
        started_s = time.monotonic()
        assert ask(TIMED, *(terminal.path for terminal in made)) == Answer(OK, "b")
        assert time.monotonic() - started_s >= 1


def test_a_key_on_one_console_stops_the_time_on_all() -> None:
    with terminals(2) as made:
        first = made[0]

        def person() -> None:
            first.type_when("any key shows the list", "x")
            first.type_when("Leave: ", "1\r")

        someone = threading.Thread(target=person)
        someone.start()
        question = copy.copy(TIMED)
        question.timeout_s = 1000
        assert ask(question, *(terminal.path for terminal in made)) == Answer(OK, "a")
        someone.join()
        shown = first.seen.partition("any key shows the list")[2]
        assert "Number [" in shown and "1000 s" not in shown, "a list with a clock says how long"
