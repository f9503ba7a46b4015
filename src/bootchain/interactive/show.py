"""Finds the terminal, decides between screen and plain text, and shows a dialog."""

# (contextlib costs more CPU at the start than this module.)

from __future__ import annotations

import os

from bootchain.interactive.dialogs import Answer, Dialog

SERIAL = ("ttyS", "ttyUSB", "ttyACM", "ttyAMA", "ttyGS", "ttymxc", "hvc", "hvsi", "ttysclp", "console")
DUMB = ("", "dumb", "unknown", "network")
MIN_ROWS, MIN_COLUMNS = 8, 40


class NoTerminal(Exception):
    """No terminal to ask on. The message is for users."""


def show(dialog: Dialog, *, terminal: str = "", how: str = "") -> Answer:
    """Show a dialog on the terminal in the foreground.

    Args:
        terminal: a path in place of ``BC_TERMINAL``, of standard input, or of the controlling terminal.
        how: ``screen`` or ``plain``; otherwise ``BC_DIALOG``, or what the terminal can do.

    Raises:
        NoTerminal: there is none.
    """
    tty = open_terminal(terminal or os.environ.get("BC_TERMINAL", ""))
    try:
        if want_screen(tty, how or os.environ.get("BC_DIALOG", "")):
            try:
                from bootchain.interactive.screen import ScreenError, show_on_screen
            except ImportError:  # no curses in this initramfs
                pass
            else:
                try:
                    return show_on_screen(dialog, tty)
                except ScreenError:
                    pass  # no description of this terminal
        from bootchain.interactive.plain import show_plain

        return show_plain(dialog, tty)
    finally:
        os.close(tty)


def open_terminal(path: str) -> int:
    """A descriptor of the terminal to talk on. Raises NoTerminal."""
    candidates = [path] if path else [_name_of(0), _name_of(2), "/dev/tty"]
    for candidate in candidates:
        if not candidate:
            continue
        try:
            tty = os.open(candidate, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            continue
        if os.isatty(tty):
            return tty
        os.close(tty)
    if path:
        raise NoTerminal(f"{path} is not a terminal that can be opened")
    raise NoTerminal("there is no terminal to ask on: put the step fg before this one")


def want_screen(tty: int, how: str) -> bool:
    """Whether the whole screen can be drawn on."""
    if how in ("screen", "plain"):
        return how == "screen"
    name = os.path.basename(_name_of(tty))  # noqa: PTH119
    if os.environ.get("TERM", "") in DUMB or name.startswith(SERIAL):
        return False
    try:
        size = os.get_terminal_size(tty)
    except OSError:
        return False
    return size.lines >= MIN_ROWS and size.columns >= MIN_COLUMNS


def _name_of(fd: int) -> str:
    try:
        return os.ttyname(fd)
    except OSError:
        return ""
