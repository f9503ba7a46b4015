"""A dialog on all consoles at once: the first answer counts, on the screen or on the serial line.

Each terminal gets its own process, because a dialog owns its terminal until it is answered; the others are signalled
to stop, and restore their terminals.
"""

from __future__ import annotations

import contextlib
import copy
import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from typing import NoReturn

from bootchain.interactive.dialogs import OK, Answer, Choice
from bootchain.interactive.show import NoTerminal, show
from hiperiso.stick.console import Consoles

_END_GRACE_S = 2.0
_MAX_ANSWER_BYTES = 4096


def ask_everywhere(choice: Choice, consoles: Consoles) -> Answer:
    """Show the choice on every console; the first answer counts. A key on any of them stops the timeout.

    Raises:
        NoTerminal: it could not be shown on any.
    """
    paths = consoles.paths
    if len(paths) <= 1:
        return show(choice, terminal="".join(paths))
    if choice.timeout_s:
        tag, label = choice.items[choice.default]
        consoles.say(f"{label} in {choice.timeout_s:g} s; any key shows the list")
        if not consoles.key("", choice.timeout_s):
            return Answer(OK, tag)
        choice = copy.copy(choice)
        choice.timeout_s = 0
    asked = [_ask(choice, path) for path in paths]
    try:
        return _first_answer(asked)
    finally:
        for one in asked:
            _end(one)


@dataclass(frozen=True)
class _Asked:
    """A terminal with a dialog. ``answers``: descriptor that receives one answer, or ends without."""

    pid: int
    answers: int


def _first_answer(asked: list[_Asked]) -> Answer:
    waiting = [one.answers for one in asked]
    while waiting:
        for descriptor in select.select(waiting, [], [])[0]:
            data = os.read(descriptor, _MAX_ANSWER_BYTES)
            if data:
                code, _, text = data.decode().partition(" ")
                return Answer(int(code), text)
            waiting.remove(descriptor)
    raise NoTerminal("none of the consoles can be used")


def _ask(choice: Choice, terminal: str) -> _Asked:
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _answer(choice, terminal, writer)
    os.close(writer)
    return _Asked(pid, reader)


def _answer(choice: Choice, terminal: str, writer: int) -> NoReturn:
    """The child: no code of the parent may run here, in any case."""
    try:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the dialog restores its terminal
        answer = show(choice, terminal=terminal)
        os.write(writer, f"{answer.code} {answer.text}".encode())
    except BaseException:  # noqa: S110 - reported as a missing answer
        pass
    finally:
        os._exit(0)


def _end(asked: _Asked) -> None:
    os.close(asked.answers)
    deadline_s = time.monotonic() + _END_GRACE_S
    with contextlib.suppress(ProcessLookupError):
        os.kill(asked.pid, signal.SIGTERM)
    while time.monotonic() < deadline_s:
        if os.waitpid(asked.pid, os.WNOHANG)[0]:
            return
        time.sleep(0.02)
    os.kill(asked.pid, signal.SIGKILL)
    os.waitpid(asked.pid, 0)
