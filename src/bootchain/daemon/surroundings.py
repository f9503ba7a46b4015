"""What steps expect to find around them: a tmpfs for the results, directories, and the boot parameters in a file.

Whatever cannot be made is one line in the log; most chains get by without it.
"""

# ruff: noqa: PTH103, PTH110, PTH112, PTH120, PTH123
# (pathlib and contextlib cost more CPU at the start than the whole daemon.)

from __future__ import annotations

import os
import stat

from bootchain.config import INITENV, ChainSettings
from bootchain.layout import mounted_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STATE_DIR = "/etc/initrd"
_MADE_FOR = "# made by bootchained for "
_MS_NOSUID, _MS_NODEV = 2, 4


def lacks_parameters(initenv: str, cmdline: str) -> bool:
    """Whether the file of parameters has to be made: it is missing, or a daemon with another command line made it.

    One that the initramfs has made stays, and so does what steps have appended before the daemon was started again.
    """
    try:
        with open(initenv, encoding="utf-8", errors="surrogateescape") as file:
            first = file.readline(1 << 20)
    except OSError:
        return bool(initenv)
    return first.startswith(_MADE_FOR) and first != _head(cmdline)


def prepare_surroundings(
    settings: ChainSettings, variables: Mapping[str, str], *, cmdline: str, write_parameters: bool
) -> Iterable[str]:
    """Make what is missing; lines for the log.

    Args:
        variables: the boot parameters, as steps get them.
        cmdline: the command line that they are from.
        write_parameters: make the file of parameters, see :func:`lacks_parameters`.
    """
    yield from _mount_results(settings.mntdir)
    wanted = [settings.bc_root]
    if settings.initenv:
        wanted.append(os.path.dirname(settings.initenv))
    if settings.initenv == INITENV:
        wanted.append(STATE_DIR)
    for directory in wanted:
        try:
            if not os.path.isdir(directory):
                os.makedirs(directory)
        except OSError as error:
            yield f"cannot make {directory}: {error.strerror}"
    if write_parameters:
        try:
            with open(settings.initenv, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(_head(cmdline) + assignments(variables))
        except OSError as error:
            yield f"cannot write {settings.initenv}: {error.strerror}"


def make_terminal(path: str) -> None:
    """Make the node of a virtual terminal, if it is missing. Raises OSError."""
    number = path.removeprefix("/dev/tty")
    if number != path and number.isdigit() and not os.path.exists(path):
        os.mknod(path, 0o620 | stat.S_IFCHR, os.makedev(4, int(number)))


def assignments(variables: Mapping[str, str]) -> str:
    """Variables as lines that a shell reads: ``NAME='value'``."""
    quote = "'\\''"
    return "".join(f"{name}='{value.replace(chr(39), quote)}'\n" for name, value in variables.items())


def _head(cmdline: str) -> str:
    return f"{_MADE_FOR}{' '.join(cmdline.split())}\n"


def _mount_results(mntdir: str) -> Iterable[str]:
    """Mount a tmpfs on mntdir unless it is on one: results outlive the initramfs there, and hold devices."""
    try:
        os.makedirs(mntdir, mode=0o755, exist_ok=True)
        if mounted_type(mntdir) == "tmpfs":
            return
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        flags = ctypes.c_ulong(_MS_NOSUID)
        if libc.mount(b"bootchain", os.fsencode(mntdir), b"tmpfs", flags, b"mode=0755"):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    except (OSError, ImportError) as error:
        yield f"{mntdir} is not a tmpfs of its own: {getattr(error, 'strerror', None) or error}"
