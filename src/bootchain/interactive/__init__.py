"""Dialogs for steps that run in the foreground (``fg``): choice, form, message, gauge and wait.

On a terminal that can do it they are drawn on the whole screen (curses), on serial lines and dumb terminals they are
plain text, question and answer. Shell steps use ``interactive-sh-functions``, Python steps :func:`show`.
"""

from __future__ import annotations

from bootchain.interactive.dialogs import CANCEL, ERROR, OK, Answer, Choice, Field, Form, Gauge, Message, Wait
from bootchain.interactive.show import NoTerminal, show

__all__ = [
    "CANCEL",
    "ERROR",
    "OK",
    "Answer",
    "Choice",
    "Field",
    "Form",
    "Gauge",
    "Message",
    "NoTerminal",
    "Wait",
    "show",
]
