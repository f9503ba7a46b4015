"""The API of step-scripts written in Python, of the same shape as ``bootchain-sh-functions``.

::

    #!/usr/bin/env python3
    from bootchain.step import Step

    step = Step()
    step.check_parameter("MOUNTFS")
    target = step.resolve_target(step.get_parameter("MOUNTFS"))
    step.run("mount", "-o", "ro", target, step.destdir)

A step ends with ``step.fatal(...)``, ``sys.exit(code)``, or at its last line, which is code 0.
"""

# ruff: noqa: PTH123
# pathlib costs more CPU at the start than this module.

from __future__ import annotations

import os
import sys

from bootchain.cmdline import variable
from bootchain.wire import encode_request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

_CHUNK = 4096


class StepError(Exception):
    """The daemon refused a request, or there is none. The message is for people."""


class Step:
    """The running step.

    Attributes:
        name: name of the step.
        callnum: how often a step of this name was called before.
        number: absolute number of the step, from 0.
        datadir: directory for what the step works with.
        destdir: directory of its result.
        prevdir: the result before; ``""`` for the first step and after ``noop``.
        mntdir: the tree of all results.
        rootmnt: where stage 2 will be mounted.
        debug_mode: whether extended debugging is on.
        terminal: the terminal in the foreground, ``""`` in the background.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        env = os.environ if environment is None else environment
        self._env = env
        self.name = env.get("name", "")
        self.callnum = int(env.get("callnum") or 0)
        self.number = int(env.get("stepnum") or 0)
        self.datadir = env.get("datadir", "")
        self.destdir = env.get("destdir", "")
        self.prevdir = env.get("prevdir", "")
        self.mntdir = env.get("mntdir", "")
        self.rootmnt = env.get("rootmnt", "")
        self.debug_mode = bool(env.get("BC_DEBUG"))
        self.terminal = env.get("BC_TERMINAL", "")
        self._asked = 0

    def message(self, text: str) -> None:
        """Say something: standard error of a step is the log."""
        sys.stderr.write(f"{self.name or 'step'}: {text}\n")
        sys.stderr.flush()

    def verbose(self, text: str) -> None:
        """Say something in debug mode or when ``verbose`` is set."""
        if self.debug_mode or self._env.get("verbose"):
            self.message(text)

    def fatal(self, text: str) -> NoReturn:
        """Say why, and end with code 1."""
        self.message(text)
        sys.exit(1)

    def debug(self, text: str) -> None:
        """Say something in debug mode."""
        if self.debug_mode:
            self.message(f"DEBUG: {text}")

    def enter(self, text: str) -> None:
        """Trace entering a function, in debug mode."""
        if self.debug_mode:
            self.message(f"ENTER: {text}")

    def leave(self, text: str) -> None:
        """Trace leaving a function, in debug mode."""
        if self.debug_mode:
            self.message(f"LEAVE: {text}")

    def fdump(self, path: str) -> None:
        """Show a file, in debug mode."""
        if not self.debug_mode:
            return
        try:
            with open(path, encoding="utf-8", errors="backslashreplace") as file:
                self.message(f"FDUMP: {path}:")
                sys.stderr.write(file.read(1 << 20))
                sys.stderr.flush()
        except OSError:
            self.message(f"FDUMP: {path}: no such file")

    def run(self, *argv: str) -> int:
        """Run an external command (logged in debug mode).

        Returns:
            Its exit code; 127 when it is not there, 128 + N when signal N killed it, as a shell has it.
        """
        if self.debug_mode:
            self.message(f"RUN: {' '.join(argv)}")
        try:
            pid = os.posix_spawnp(argv[0], argv, os.environ)
        except OSError as error:
            self.message(f"{argv[0]}: {error.strerror}")
            return 127 if isinstance(error, FileNotFoundError) else 126
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return code if code >= 0 else 128 - code

    def get_parameter(self, name: str) -> str:
        """The value of a boot parameter for this call of the step, ``""`` when there is none."""
        return self._env.get(f"{variable(name)}{self.callnum}", "")

    def check_parameter(self, name: str) -> str:
        """The same, but fatal when there is none."""
        value = self.get_parameter(name)
        if not value:
            self.fatal(f"required parameter is empty: {variable(name)}{self.callnum}")
        return value

    def resolve_target(self, target: str) -> str:
        """The path of a file, directory or device. Raises StepError: it is not there, or outside."""
        return self._ask("target", target)

    def resolve_devname(self, directory: str) -> str:
        """The ``/dev/node`` of the device that is the result in a directory. Raises StepError: there is none."""
        return self._ask("devname", directory)

    def next_bootchain(self, *names: str) -> None:
        """The steps after this one, once it ends with 0. Raises StepError: there is no daemon to ask."""
        path = self._env.get("BC_NEXTCHAIN", "")
        try:
            with open(path, "a", encoding="utf-8", errors="surrogateescape") as file:
                file.write(f'chainsteps="{",".join(names)}"\n')
        except OSError as error:
            raise StepError(f"next_bootchain: no bootchained daemon to ask: {error}") from error

    def is_step_passed(self, name: str = "") -> bool:
        """Whether this step (or another) has been passed at least once."""
        return os.path.exists(f"{self._env.get('BC_PASSED') or '/nonexistent'}/{name or self.name}")  # noqa: PTH110

    def launch_step_once(self) -> None:
        """Fatal when this step has been passed already."""
        if self.is_step_passed():
            self.fatal(f"step '{self.name}' has been passed already")

    def break_bc_loop(self) -> None:
        """This step is the last one, if it ends with 0."""
        self._send("break")

    def bypass_results(self, directory: str = "") -> None:
        """The previous result, or a mounted directory, is ours, at once. Raises StepError: it cannot be."""
        self._ask("bypass", os.path.abspath(directory) if directory else "")  # noqa: PTH100

    def bc_reboot(self, why: str = "") -> NoReturn:
        """A logged restart of the computer."""
        self.message(f"rebooting{': ' if why else ''}{why}")
        self._ask("reboot", why)
        sys.exit(0)

    def initrd_version(self) -> str:
        """The version of the initramfs."""
        return self._env.get("BC_INITRD_VERSION", "unknown")

    def _send(self, *words: str) -> None:
        fd = self._fd("BC_WISH")
        try:
            data = encode_request(*words)
            while data:
                data = data[os.write(fd, data) :]
        except (OSError, ValueError) as error:
            raise StepError(f"{words[0]}: the daemon does not listen: {error}") from error

    def _ask(self, *words: str) -> str:
        code, text = self._question(*words)
        if code:
            raise StepError(text or f"{words[0]}: refused")
        return text

    def _question(self, *words: str) -> tuple[int, str]:
        """The code and text of the answer; see :mod:`bootchain.wire`."""
        self._asked += 1
        tag = f"p{os.getpid()}.{self._asked}"
        question, answer = self._fd("BC_QUESTION"), self._fd("BC_ANSWER")
        try:
            os.read(self._fd("BC_LOCK"), 1)
            try:
                os.write(question, encode_request(tag, *words))
                return _read_answer(answer, tag)
            finally:
                os.write(self._fd("BC_UNLOCK"), b"\n")
        except (OSError, ValueError) as error:
            raise StepError(f"{words[0]}: the daemon does not listen: {error}") from error

    def _fd(self, variable_name: str) -> int:
        number = self._env.get(variable_name, "")
        if not number.isdigit():
            raise StepError(f"no bootchained daemon to ask ({variable_name} is not set)")
        return int(number)


def _read_answer(fd: int, tag: str) -> tuple[int, str]:
    """The answer with that tag; others are what an asker that was killed has left unread."""
    raw = b""
    while True:
        data = os.read(fd, _CHUNK)
        if not data:
            raise StepError("no answer from the daemon")
        raw += data
        lines = [line.split(" ", 2) for line in os.fsdecode(raw).split("\n")[:-1]]
        own = [line for line in lines if line[1:2] == [tag]]
        if own and own[-1][0].isdigit():
            return int(own[-1][0]), "\n".join(line[2] for line in own)
