"""Dialogs as plain text: every question is a line to answer, every answer ends with Enter.

No escape sequence is written: this works on a serial line, in a log, and with a screen reader. Ctrl-C and Ctrl-D are
the way back, and never a signal: the daemon shares the terminal.
"""

# (contextlib costs more CPU at the start than this module.)

from __future__ import annotations

import os
import termios
from select import select
from time import monotonic

from bootchain.interactive.dialogs import (
    CANCEL,
    ERROR,
    OK,
    Answer,
    Choice,
    Dialog,
    Field,
    Form,
    Gauge,
    Message,
    Wait,
    clean,
    parse_progress,
    wrap,
)
from bootchain.interactive.process import Process

WIDTH = 78
_BACK = ("q", "Q")
_INTERRUPT = "\x03"
_LFLAG, _CC = 3, 6
_STEP_PERCENT = 10
_TICK_S = 0.2


def show_plain(dialog: Dialog, tty: int) -> Answer:
    """Show a dialog on a terminal as text."""
    with _Terminal(tty) as terminal:
        if dialog.title:
            terminal.say(f"\n== {clean(dialog.title)} ==")
        else:
            terminal.say("")
        if isinstance(dialog, Choice):
            return _choice(dialog, terminal)
        if isinstance(dialog, Form):
            return _form(dialog, terminal)
        if isinstance(dialog, Message):
            return _message(dialog, terminal)
        if isinstance(dialog, Gauge):
            return _gauge(dialog, terminal)
        return _wait(dialog, terminal)


def _choice(dialog: Choice, terminal: _Terminal) -> Answer:
    terminal.say(*wrap(dialog.text, WIDTH))
    for number, (_, label) in enumerate(dialog.items, 1):
        terminal.say(f"  {number}) {clean(label)}")
    limit = f", in {dialog.timeout_s:g} s" if dialog.timeout_s else ""
    question = f"Number [{dialog.default + 1}{limit}], q: {clean(dialog.back)}: "
    deadline_s = monotonic() + dialog.timeout_s if dialog.timeout_s else None
    while True:
        line = terminal.ask(question, deadline_s)
        if line is None:
            return Answer(CANCEL)
        deadline_s = None  # a person is present
        word = line.strip()
        tags = [tag for tag, _ in dialog.items]
        if not word:
            return Answer(OK, tags[dialog.default])
        if word.isascii() and word.isdigit() and len(word) < 6 and 1 <= int(word) <= len(tags):
            return Answer(OK, tags[int(word) - 1])
        if word in tags:
            return Answer(OK, word)
        if word in _BACK:
            return Answer(CANCEL)
        terminal.say(f"  {clean(word)[:40]} is not on the list")


def _form(dialog: Form, terminal: _Terminal) -> Answer:
    terminal.say(
        *wrap(dialog.text, WIDTH), f"(Enter keeps what is in brackets; Ctrl-D: {clean(dialog.back)})"
    )
    values = []
    for field in dialog.fields:
        value = _ask_field(field, terminal)
        if value is None:
            return Answer(CANCEL)
        values.append(f"{field.name}={value}")
    return Answer(OK, "\n".join(values))


def _ask_field(field: Field, terminal: _Terminal) -> str | None:
    shown = "*" * len(field.value) if field.secret else clean(field.value)
    question = f"{clean(field.label)}{f' [{shown}]' if shown else ''}: "
    line = terminal.ask(question, secret=field.secret)
    if line is None:
        return None
    return line or field.value


def _message(dialog: Message, terminal: _Terminal) -> Answer:
    terminal.say(*wrap(dialog.text, WIDTH))
    if not dialog.question:
        line = terminal.ask(f"Enter to go on, q: {clean(dialog.back)}: ")
        return Answer(CANCEL if line is None or line.strip() in _BACK else OK)
    while True:
        line = terminal.ask("yes or no: ")
        if line is None or line.strip().lower() in ("n", "no", "q"):
            return Answer(CANCEL)
        if line.strip().lower() in ("y", "yes"):
            return Answer(OK)


def _gauge(dialog: Gauge, terminal: _Terminal) -> Answer:
    """One line at the start, at every ten percent, and whenever the text changes."""
    terminal.say(*wrap(dialog.text, WIDTH))
    shown: tuple[int, str] | None = None
    with open(dialog.source, encoding="utf-8", errors="replace", closefd=False) as lines:
        for line in lines:
            progress = parse_progress(line)
            if progress is None:
                continue
            percent, text = progress
            news = (percent // _STEP_PERCENT, text)
            if news != shown:
                shown = news
                terminal.say(f"  {percent:3} %{' ' if text else ''}{clean(text)}")
    return Answer(OK)


def _wait(dialog: Wait, terminal: _Terminal) -> Answer:
    terminal.say(*wrap(dialog.text, WIDTH))
    if not dialog.command:
        return _count_down(dialog, terminal)
    try:
        process = Process(dialog.command)
    except OSError as error:
        return Answer(ERROR, f"{dialog.command[0]}: {error.strerror}")
    terminal.say("(q and Enter to give up)")
    deadline_s = monotonic() + dialog.timeout_s if dialog.timeout_s else None
    while (code := process.poll()) is None:
        late = deadline_s is not None and monotonic() >= deadline_s
        line = terminal.line_within(_TICK_S)
        if late or line is None or line.strip() in _BACK:
            process.stop()
            return Answer(CANCEL, "it took too long" if late else "")
    return Answer(OK) if code == 0 else Answer(ERROR, f"{dialog.command[0]} ended with {code}")


def _count_down(dialog: Wait, terminal: _Terminal) -> Answer:
    terminal.say(f"({dialog.timeout_s:g} s; Enter to interrupt)")
    # "" is what nothing gives, too: pressing Enter leaves a newline
    return Answer(OK) if terminal.quiet_for(dialog.timeout_s) else Answer(CANCEL)


class _Terminal:
    """A terminal that reads whole lines, without signals; put back as it was at the end."""

    def __init__(self, tty: int) -> None:
        self._tty = tty
        self._saved = termios.tcgetattr(tty)
        self._rest = ""

    def __enter__(self) -> _Terminal:
        self._set(echo=True)
        termios.tcflush(self._tty, termios.TCIFLUSH)  # what was typed before the question does not answer it
        return self

    def __exit__(self, *_: object) -> None:
        termios.tcsetattr(self._tty, termios.TCSADRAIN, self._saved)

    def say(self, *lines: str) -> None:
        """Write whole lines."""
        self._write("".join(f"{line}\n" for line in lines))

    def ask(self, question: str, deadline_s: float | None = None, *, secret: bool = False) -> str | None:
        """The line that answers a question; ``""`` when the time is up, None for the way back."""
        if secret:
            self._set(echo=False)
        self._write(question)
        try:
            ready, _, _ = select(
                [self._tty], [], [], None if deadline_s is None else max(0.0, deadline_s - monotonic())
            )
            if ready:
                return self._read()
            self._write("\n")
            return ""
        finally:
            if secret:
                self._set(echo=True)
                self._write("\n")

    def line_within(self, seconds: float) -> str | None:
        """A line that was typed meanwhile, else ``""``; None for the way back."""
        ready, _, _ = select([self._tty], [], [], seconds)
        return self._read() if ready else ""

    def quiet_for(self, seconds: float) -> bool:
        """Whether there is no answer in that time."""
        ready, _, _ = select([self._tty], [], [], seconds)
        if ready:
            self._read()
        return not ready

    def _read(self) -> str | None:
        try:
            data = os.read(self._tty, 4096)
        except OSError:
            return None
        text = data.decode("utf-8", "replace")
        if not text or _INTERRUPT in text:
            return None
        return text.rstrip("\r\n")

    def _write(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        try:
            while data:
                data = data[os.write(self._tty, data) :]
        except OSError:
            pass  # hung up: the next read says so

    def _set(self, *, echo: bool) -> None:
        """Canonical mode without signals; Ctrl-C ends a line, so that it is seen at once."""
        settings = termios.tcgetattr(self._tty)
        flags = settings[_LFLAG] | termios.ICANON | termios.ECHONL
        flags &= ~(termios.ISIG | termios.ECHO | termios.ECHONL)
        settings[_LFLAG] = flags | (termios.ECHO if echo else 0)
        settings[0] |= termios.ICRNL
        settings[1] |= termios.OPOST | termios.ONLCR
        settings[_CC][termios.VEOL] = b"\x03"
        termios.tcsetattr(self._tty, termios.TCSADRAIN, settings)
