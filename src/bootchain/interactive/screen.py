"""Dialogs on the whole screen, with curses: draws the rows of a model in a box and gives it the keys."""

# ruff: noqa: SIM105
# (contextlib costs more CPU at the start than this module.)

from __future__ import annotations

import curses
import locale
import os
import sys
from time import monotonic

from bootchain.interactive.dialogs import (
    CANCEL,
    ERROR,
    OK,
    Answer,
    Choice,
    Dialog,
    Gauge,
    Wait,
    clean,
    parse_progress,
)
from bootchain.interactive.models import (
    DIM,
    FIELD,
    NORMAL,
    SELECTED,
    ChoiceModel,
    GaugeModel,
    Model,
    WaitModel,
    model_of,
)
from bootchain.interactive.process import Process

_MAX_WIDTH = 100
_MARGIN = 4
_TICK_S = 0.25
_ESCAPE_DELAY_MS = 60
_MAX_SEQUENCE = 16
_KEYS = {
    curses.KEY_UP: "up",
    curses.KEY_DOWN: "down",
    curses.KEY_LEFT: "left",
    curses.KEY_RIGHT: "right",
    curses.KEY_HOME: "home",
    curses.KEY_END: "end",
    curses.KEY_PPAGE: "page_up",
    curses.KEY_NPAGE: "page_down",
    curses.KEY_ENTER: "enter",
    curses.KEY_BACKSPACE: "backspace",
    curses.KEY_DC: "delete",
    curses.KEY_BTAB: "back_tab",
}
_CHARACTERS = {
    "\n": "enter",
    "\r": "enter",
    "\t": "tab",
    "\x1b": "escape",
    "\x03": "escape",  # Ctrl-C: raw mode makes it a key, for a signal would end the daemon as well
    "\x04": "escape",
    "\x7f": "backspace",
    "\x08": "backspace",
}


_SEQUENCES = {
    f"{lead}{final}": name
    for lead in "[O"
    for final, name in (
        ("A", "up"),
        ("B", "down"),
        ("C", "right"),
        ("D", "left"),
        ("H", "home"),
        ("F", "end"),
    )
} | {"[1~": "home", "[4~": "end", "[5~": "page_up", "[6~": "page_down", "[3~": "delete", "[Z": "back_tab"}


class ScreenError(Exception):
    """This terminal cannot be drawn on; nothing has been written to it."""


def show_on_screen(dialog: Dialog, tty: int) -> Answer:
    """Show a dialog on a terminal.

    Raises:
        ScreenError: curses knows no such terminal.
    """
    try:
        curses.setupterm(fd=tty)
    except curses.error as error:
        raise ScreenError(str(error)) from error
    # The screen takes standard input for itself, and that is where a gauge usually reads.
    source = os.dup(dialog.source) if isinstance(dialog, Gauge) else -1
    screen = _Screen(tty)
    try:
        if isinstance(dialog, Gauge):
            return _gauge(dialog, source, screen)
        if isinstance(dialog, Wait):
            return _wait(dialog, screen)
        return _ask(dialog, screen)
    except KeyboardInterrupt:
        return Answer(CANCEL)
    finally:
        screen.close()
        if source >= 0:
            os.close(source)


def _ask(dialog: Dialog, screen: _Screen) -> Answer:
    model = model_of(dialog)
    timeout_s = dialog.timeout_s if isinstance(dialog, Choice) else 0
    started_s = monotonic()
    while True:
        left_s = started_s + timeout_s - monotonic() if timeout_s else None
        screen.draw(dialog.title, model, f"   ({max(0.0, left_s):.0f} s)" if left_s is not None else "")
        if left_s is not None and left_s <= 0 and isinstance(model, ChoiceModel):
            return model.key("enter") or Answer(CANCEL)
        name = screen.key(None if left_s is None else min(1.0, left_s))
        if name:
            timeout_s = 0  # a person is present
            answer = model.key(name)
            if answer is not None:
                return answer


def _gauge(dialog: Gauge, source: int, screen: _Screen) -> Answer:
    model = GaugeModel(dialog)
    buffer = b""
    while True:
        screen.draw(dialog.title, model)
        data = os.read(source, 65536)
        if not data:
            return Answer(OK)
        *lines, buffer = (buffer + data).split(b"\n")
        buffer = buffer[-4096:]
        for line in lines:
            progress = parse_progress(line.decode("utf-8", "replace"))
            if progress is not None:
                model.percent, model.text = progress


def _wait(dialog: Wait, screen: _Screen) -> Answer:
    model = WaitModel(dialog)
    process = None
    if dialog.command:
        try:
            process = Process(dialog.command)
        except OSError as error:
            return Answer(ERROR, f"{dialog.command[0]}: {error.strerror}")
    started_s = monotonic()
    while True:
        model.elapsed_s = monotonic() - started_s
        screen.draw(dialog.title, model)
        name = screen.key(_TICK_S)
        answer = model.key(name) if name else None
        code = process.poll() if process else None
        if code is not None:
            return Answer(OK) if code == 0 else Answer(ERROR, f"{dialog.command[0]} ended with {code}")
        late = 0 < dialog.timeout_s <= monotonic() - started_s
        if answer is not None or late:
            if process is None:
                return answer or Answer(OK)
            process.stop()
            return answer or Answer(CANCEL, "it took too long")


class _Screen:
    """The terminal in the hands of curses, which draws on standard output: that is lent to it meanwhile."""

    def __init__(self, tty: int) -> None:
        sys.stdout.flush()
        self._saved = [os.dup(fd) for fd in (0, 1)]
        for fd in (0, 1):
            os.dup2(tty, fd)
        try:
            locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
        except locale.Error:
            pass
        for name in ("LINES", "COLUMNS"):  # they may be of another terminal
            os.environ.pop(name, None)
        curses.set_escdelay(_ESCAPE_DELAY_MS)
        self._window = curses.initscr()
        curses.noecho()
        curses.raw()
        self._window.keypad(True)
        curses.flushinp()  # what was typed before the question does not answer it
        self._styles = _styles()

    def close(self) -> None:
        """Give everything back as it was."""
        try:
            self._window.erase()
            self._window.refresh()
            self._window.keypad(False)
            curses.noraw()
            curses.echo()
            curses.endwin()
        except curses.error:
            pass
        for fd, saved in enumerate(self._saved):
            os.dup2(saved, fd)
            os.close(saved)

    def draw(self, title: str, model: Model, note: str = "") -> None:
        """Draw the model in a box in the middle."""
        height, width = self._window.getmaxyx()
        inner = max(10, min(width - _MARGIN - 2, _MAX_WIDTH))
        rows = model.rows(inner, max(1, height - _MARGIN))[: max(1, height - _MARGIN)]
        hint = model.hint + note
        used = min(inner, max([len(row.text) for row in rows] + [len(hint), len(clean(title)), 36]))
        top = max(0, (height - len(rows) - 3) // 2)
        left = max(0, (width - used - 4) // 2)
        self._window.erase()
        self._box(top, left, len(rows) + 2, used + 4)
        self._put(top, left + 2, f" {clean(title)} "[: used + 2] if title else "", curses.A_BOLD)
        cursor = None
        for number, row in enumerate(rows, 1):
            text = f"{row.text[:used]:<{used}}" if row.style in (SELECTED, FIELD) else row.text[:used]
            self._put(top + number, left + 2, text, self._styles[row.style])
            if row.cursor >= 0:
                cursor = (top + number, left + 2 + row.cursor)
        self._put(top + len(rows) + 2, left + 2, hint, self._styles[DIM])
        _show_cursor(cursor is not None)
        if cursor is not None:
            try:
                self._window.move(*cursor)
            except curses.error:
                pass
        self._window.refresh()

    def key(self, timeout_s: float | None) -> str:
        """The name of the next key, ``""`` when none came in time. A hung-up terminal is the way back."""
        self._window.timeout(-1 if timeout_s is None else max(0, int(timeout_s * 1000)))
        try:
            key = self._window.get_wch()
        except curses.error:
            if timeout_s is None:
                raise KeyboardInterrupt from None
            return ""
        if isinstance(key, int):
            return _KEYS.get(key, "")
        if key == "\x1b":
            return self._after_escape()
        return _CHARACTERS.get(key, key if key.isprintable() else "")

    def _after_escape(self) -> str:
        """Escape alone, or a sequence that the description of the terminal does not have (a wrong TERM)."""
        self._window.timeout(_ESCAPE_DELAY_MS)
        sequence = ""
        while len(sequence) < _MAX_SEQUENCE:
            try:
                key = self._window.get_wch()
            except curses.error:
                break
            if not isinstance(key, str):
                break
            sequence += key
            if len(sequence) > 1 and (sequence[0] not in "[O" or key.isalpha() or key == "~"):
                break
        return _SEQUENCES.get(sequence, "") if sequence else "escape"

    def _box(self, top: int, left: int, height: int, width: int) -> None:
        lines, columns = self._window.getmaxyx()
        height, width = min(height, lines - top), min(width, columns - left)
        if height >= 2 and width >= 2:
            frame = self._window.derwin(height, width, top, left)
            if os.environ.get("NOLINES"):
                frame.border(*map(ord, "||--++++"))
            else:
                frame.box()

    def _put(self, row: int, column: int, text: str, style: int) -> None:
        try:
            self._window.addstr(row, column, text, style)
        except curses.error:
            pass  # the last corner of the screen, or a screen that has just become smaller


def _styles() -> dict[str, int]:
    return {NORMAL: curses.A_NORMAL, SELECTED: curses.A_REVERSE, FIELD: curses.A_BOLD, DIM: curses.A_DIM}


def _show_cursor(on: bool) -> None:
    try:
        curses.curs_set(1 if on else 0)
    except curses.error:
        pass  # this terminal has no such wish
