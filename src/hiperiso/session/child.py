"""Child processes that end with this one, started from any thread, in any process, beside any event loop.

The kernel signals a child when the *thread* that started it ends (prctl(2), PR_SET_PDEATHSIG), and the caller's may
end long before the guest: a worker of a pool, a thread that only starts boots. So each child has a thread of its own,
which starts it and waits for it; that thread ends with the child, or with the process. The signal is requested by a
program that then becomes the child, so none of our code runs between fork and exec, where only
async-signal-safe code may run: this works in a process with threads, and does not copy our page tables.

::

    thread "child" --vfork--> setpriv --pdeathsig KILL --exec--> sh: still ours? --exec--> the program
"""

from __future__ import annotations

import os
import queue
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from hiperiso.errors import HarnessFault

_SHELL: Final = '[ "$PPID" = "$0" ] || exit 1; exec "$@"'
"""If the parent ended before the signal was requested, it would never be sent."""

_TIED: Final = (
    r"import sys; sys.path[:] = sys.argv.pop(1).split('\n'); "
    "from hiperiso.session.tied import main; main(sys.argv[1:])"
)
"""The same, slower, where there is no setpriv that can (busybox has one that cannot): see `hiperiso.session.tied`."""


def start_child(
    argv: Sequence[str], *, number: signal.Signals = signal.SIGKILL, **options: Any
) -> subprocess.Popen[bytes]:
    """Start a program that gets the signal `number` when this process ends for any reason.

    Args:
        argv: the program and its arguments.
        number: the signal number.
        options: for `subprocess.Popen`, except those that run code in the child.

    Raises:
        HarnessFault: the program cannot be started.
    """
    program = shutil.which(argv[0])
    if program is None:
        raise HarnessFault(f"cannot start {argv[0]}: no such program", hint="run `hiperiso doctor`")
    started: queue.SimpleQueue[subprocess.Popen[bytes] | Exception] = queue.SimpleQueue()
    command = [*_launcher(number), str(os.getpid()), program, *argv[1:]]
    threading.Thread(target=_keep, args=(command, options, started), name="child", daemon=True).start()
    result = started.get()
    if isinstance(result, OSError):
        raise HarnessFault(f"cannot start {argv[0]}: {result.strerror}", hint="run `hiperiso doctor`")
    if isinstance(result, Exception):
        raise result
    return result


def _keep(
    command: list[str],
    options: dict[str, Any],
    started: queue.SimpleQueue[subprocess.Popen[bytes] | Exception],
) -> None:
    """Start the child and live as long as it does, so that its exit code can be awaited."""
    try:
        process = subprocess.Popen(command, **options)
    except Exception as error:  # re-raised in the thread that requested the child
        started.put(error)
        return
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError as error:
        process.kill()  # no one else has a reference to it
        process.wait()
        started.put(error)
        return
    started.put(process)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll()
    os.close(descriptor)


def _launcher(number: signal.Signals) -> list[str]:
    """The command that requests the signal; our process id and the program follow."""
    setpriv = shutil.which("setpriv")
    if setpriv and Path(setpriv).resolve().name == "setpriv":
        return [setpriv, "--pdeathsig", number.name.removeprefix("SIG"), "/bin/sh", "-c", _SHELL]
    return [sys.executable, "-I", "-S", "-c", _TIED, "\n".join(sys.path), str(int(number))]
