"""One dialog from the command line. The answer goes to standard output or into a file.

Exit codes: 0 answered, 1 the way back (or interrupted), 2 not possible (no terminal, wrong usage, the command of
``wait`` failed).
"""

# ruff: noqa: PTH123

from __future__ import annotations

import sys

from bootchain.interactive.dialogs import ERROR, OK, Answer, Choice, Dialog, Field, Form, Gauge, Message, Wait
from bootchain.interactive.show import NoTerminal, show

USAGE = """\
usage: bootchain-dialog [OPTION...] choice TEXT TAG LABEL [TAG LABEL]...   prints the tag
       bootchain-dialog [OPTION...] form TEXT NAME LABEL VALUE ...         prints NAME=VALUE lines
       bootchain-dialog [OPTION...] message TEXT
       bootchain-dialog [OPTION...] question TEXT                          yes is 0, no is 1
       bootchain-dialog [OPTION...] gauge TEXT                             reads lines `PERCENT [TEXT]`
       bootchain-dialog [OPTION...] wait TEXT [COMMAND [ARG]...]           a countdown, or until the command ends

  --title TITLE      headline
  --default TAG      what is chosen at first
  --timeout SECONDS  choice: take the default then; wait: the countdown, or the limit of the command
  --secret NAME      a field of the form that is not shown; can be repeated
  --back LABEL       what the way back is called
  --output FILE      write the answer there
  --terminal TTY     talk on this terminal
  --plain, --screen  plain text, or the whole screen, whatever the terminal is
  --                 the end of the options

Exit codes: 0 answered, 1 the way back, 2 not possible.
"""

_VALUES = ("title", "default", "timeout", "secret", "back", "output", "terminal")


class UsageError(Exception):
    """The command line is wrong."""


class _Options:
    def __init__(self) -> None:
        self.how = ""
        self.secret: list[str] = []
        self.values: dict[str, str] = {}

    def get(self, name: str) -> str:
        return self.values.get(name, "")

    @property
    def timeout_s(self) -> float:
        text = self.get("timeout") or "0"
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not 0 <= number < 1e7:
            raise UsageError(f"--timeout {text}: not a number of seconds")
        return number


def main(arguments: list[str]) -> int:
    """Show one dialog. Returns the exit code."""
    if arguments in (["--help"], ["-h"]):
        sys.stdout.write(USAGE)
        return OK
    try:
        options, words = _parse(arguments)
        dialog = _dialog(options, words)
        answer = show(dialog, terminal=options.get("terminal"), how=options.how)
        if answer.code == OK and answer.text:
            _give(answer, options.get("output"))
    except (UsageError, NoTerminal) as error:
        sys.stderr.write(f"bootchain-dialog: {error}\n")
        return ERROR
    except OSError as error:
        sys.stderr.write(f"bootchain-dialog: {error.strerror}: {error.filename or 'terminal'}\n")
        return ERROR
    if answer.code != OK and answer.text:
        sys.stderr.write(f"bootchain-dialog: {answer.text}\n")
    return answer.code


def _parse(arguments: list[str]) -> tuple[_Options, list[str]]:
    """The options, before or right after the kind, and the other words."""
    options = _Options()
    rest = _take_options(options, list(arguments))
    return options, [*rest[:1], *_take_options(options, rest[1:])]


def _take_options(options: _Options, words: list[str]) -> list[str]:
    rest = list(words)
    while rest and rest[0].startswith("--"):
        word = rest.pop(0)[2:]
        if not word:
            break
        if word in ("plain", "screen"):
            options.how = word
            continue
        name, equals, value = word.partition("=")
        if name not in _VALUES:
            raise UsageError(f"unknown option --{name}; see --help")
        if not equals:
            if not rest:
                raise UsageError(f"--{name} needs a value")
            value = rest.pop(0)
        if name == "secret":
            options.secret.append(value)
        else:
            options.values[name] = value
    return rest


def _dialog(options: _Options, words: list[str]) -> Dialog:
    if len(words) < 2:
        raise UsageError("name a kind of dialog and its text; see --help")
    kind, text, *rest = words
    title, back = options.get("title"), options.get("back") or "Back"
    if kind == "choice":
        items = list(zip(rest[::2], rest[1::2], strict=False))
        if not items or len(rest) % 2:
            raise UsageError("choice takes pairs of TAG and LABEL")
        default = options.get("default")
        return Choice(text, items, title=title, default=default, timeout_s=options.timeout_s, back=back)
    if kind == "form":
        if not rest or len(rest) % 3:
            raise UsageError("form takes triples of NAME, LABEL and VALUE")
        triples = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
        fields = [Field(name, label, value, secret=name in options.secret) for name, label, value in triples]
        return Form(text, fields, title=title, back=back)
    if kind == "wait":
        if not rest and not options.timeout_s:
            raise UsageError("wait takes a command, or --timeout SECONDS")
        return Wait(text, timeout_s=options.timeout_s, command=rest, title=title)
    if rest:
        raise UsageError(f"{kind} takes one text; what is {rest[0][:40]!r}?")
    if kind in ("message", "question"):
        return Message(text, title=title, question=kind == "question", back=back)
    if kind == "gauge":
        return Gauge(text, 0, title=title)
    raise UsageError(f"there is no dialog {kind!r}; see --help")


def _give(answer: Answer, path: str) -> None:
    if path:
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{answer.text}\n")
        return
    sys.stdout.buffer.write(f"{answer.text}\n".encode("utf-8", "surrogateescape"))
    sys.stdout.flush()
