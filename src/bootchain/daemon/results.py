"""The results of steps: their directories, the record of what was passed, and results that are passed on."""

# ruff: noqa: PTH102, PTH106, PTH108, PTH114, PTH208, PTH211
# (pathlib and contextlib cost more CPU at the start than the whole daemon.)

from __future__ import annotations

import errno
import os

from bootchain.layout import Layout, is_mounted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MS_MOVE = 0x2000
UNSIGNED = "unsigned"
"""Mark in the datadir of a step whose result has no signature; it goes along with the result."""


class ResultError(Exception):
    """A result cannot be passed on. The message says why."""


class Results:
    """Passes results on, and takes that back."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._undo: list[Callable[[], None]] = []

    def forget(self) -> None:
        """The step has been passed: what was done for it stays."""
        self._undo.clear()

    def link(self, number: int, source: int | None, target: str) -> str:
        """Make the result of a step that of step ``source``, or the directory ``target``.

        Afterwards ``destdir`` is that result: a link to the directory, or the previous result itself, moved, which
        leaves a link where it was. What the step has in ``destdir`` is moved to its datadir first: the directory may
        be in there.

        Returns:
            One line for the log.

        Raises:
            ResultError: it cannot be; everything is as it was.
        """
        destdir = self._layout.destdir(number)
        wanted = target if source is None else self._layout.destdir(source)
        real, own = os.path.realpath(wanted), os.path.realpath(destdir)
        if not os.path.isdir(real):  # noqa: PTH112
            raise ResultError(f"no such directory: {wanted}")
        if real == own:
            return f"{wanted} is the result of step {number} already"
        before = len(self._undo)
        try:
            aside = self._set_aside(number)
            if aside and real.startswith(f"{own}/"):
                real = aside + real.removeprefix(own)
            if source is None or os.path.islink(wanted) or not self._move(wanted, destdir):
                self._link(real, destdir)
        except OSError as error:
            self._undo_to(before)
            raise ResultError(f"cannot pass on {wanted} as the result of step {number}: {error}") from error
        if source is not None and os.path.exists(f"{self._layout.datadir(source)}/{UNSIGNED}"):  # noqa: PTH110
            os.close(os.open(f"{self._layout.datadir(number)}/{UNSIGNED}", os.O_WRONLY | os.O_CREAT, 0o644))
        kept = f"; what it had written itself is in {aside}" if aside else ""
        return f"the result of step {number} is {real}{kept}"

    def undo(self) -> str:
        """Take back all that was passed on for the step that failed. Returns why not, ``""`` when that went well."""
        return self._undo_to(0)

    def _undo_to(self, count: int) -> str:
        while len(self._undo) > count:
            try:
                self._undo.pop()()
            except OSError as error:
                self._undo.clear()
                return f"cannot take back what the step passed on: {error}"
        return ""

    def _set_aside(self, number: int) -> str:
        """Keep what a step has in its result before it passes on another one. Returns where, ``""`` for nothing."""
        destdir = self._layout.destdir(number)
        mounted = is_mounted(destdir)
        if os.path.islink(destdir) or not (mounted or os.listdir(destdir)):
            return ""
        aside = f"{os.path.realpath(self._layout.datadir(number))}/result"
        if os.path.lexists(aside):
            raise OSError(errno.ENOTEMPTY, "there is a result set aside already", aside)
        if mounted:
            os.mkdir(aside)
            mount(destdir, aside, _MS_MOVE)
        else:
            os.rename(destdir, aside)  # noqa: PTH104
            os.mkdir(destdir)
        self._undo.append(lambda: _bring_back(aside, destdir, mounted))
        return aside

    def _link(self, real: str, destdir: str) -> None:
        if os.path.islink(destdir):
            before = os.readlink(destdir)  # noqa: PTH115
            os.unlink(destdir)
            self._undo.append(lambda: _relink(before, destdir))
        else:
            os.rmdir(destdir)
            self._undo.append(lambda: _directory_again(destdir))
        os.symlink(real, destdir)

    def _move(self, source: str, destdir: str) -> bool:
        """Move a result, leaving a link. Returns False when it has to be linked instead; nothing is done then."""
        if os.path.islink(destdir):
            return False
        mounted = is_mounted(source)
        try:
            if mounted:
                mount(source, destdir, _MS_MOVE)
            else:
                os.rename(source, destdir)  # noqa: PTH104
        except OSError:
            return False  # below a shared mount, in use, or on a file system that cannot
        if mounted and not _rmdir(source):
            self._undo.append(lambda: mount(destdir, source, _MS_MOVE))
            return True
        os.symlink(destdir, source)
        self._undo.append(lambda: _move_back(source, destdir, mounted))
        return True


def mount(source: str, target: str, flags: int) -> None:
    """mount(2) without a type: bind, move. Raises OSError."""
    try:
        import ctypes
    except ImportError:
        option = "--move" if flags & _MS_MOVE else "--rbind"
        argv = ["mount", option, source, target]
        code = os.spawnvp(os.P_WAIT, argv[0], argv)  # noqa: S606
        if code:
            raise OSError(code, f"{' '.join(argv)} ended with {code}") from None
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(os.fsencode(source), os.fsencode(target), None, ctypes.c_ulong(flags), None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def _rmdir(path: str) -> bool:
    try:
        os.rmdir(path)
    except OSError:
        return False
    return True


def _relink(before: str, destdir: str) -> None:
    os.unlink(destdir)
    os.symlink(before, destdir)


def _directory_again(destdir: str) -> None:
    os.unlink(destdir)
    os.mkdir(destdir)


def _bring_back(aside: str, destdir: str, mounted: bool) -> None:
    if not mounted:
        os.rmdir(destdir)
        os.rename(aside, destdir)  # noqa: PTH104
        return
    mount(aside, destdir, _MS_MOVE)
    os.rmdir(aside)


def _move_back(source: str, destdir: str, mounted: bool) -> None:
    os.unlink(source)
    if not mounted:
        os.rename(destdir, source)  # noqa: PTH104
        os.mkdir(destdir)
        return
    os.mkdir(source)
    mount(destdir, source, _MS_MOVE)
