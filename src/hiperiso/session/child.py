"""Programs that end with us, from any thread, in any process, beside any event loop.

The kernel signals a child when the *thread* that started it ends (prctl(2), PR_SET_PDEATHSIG), and the caller's may
end long before the guest: a worker of a pool, a thread that only starts boots. So each child has a thread of its own,
which starts it and waits for it; that thread ends with the child, or with the process. The signal is asked for by a
program that then becomes the child, so nothing of ours runs between fork and exec, where only what is
async-signal-safe may: a process with threads can be started from, and the start does not copy our page tables.

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
"""Where the parent ended before the signal was asked for, nobody would send it."""

_TIED: Final = Path(__file__).with_name("tied.py")
"""The same, slower, where there is no setpriv that can (busybox has one that cannot)."""


def start_child(
    argv: Sequence[str], *, number: signal.Signals = signal.SIGKILL, **options: Any
) -> subprocess.Popen[bytes]:
    """Start a program that gets the signal `number` when this process ends, in whatever way.

    Args:
        argv: the program and its arguments.
        number: the signal.
        options: of `subprocess.Popen`, but for those that run code in the child.

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
    """Start the child and live as long as it does; who asked for it waits for its exit code."""
    try:
        process = subprocess.Popen(command, **options)
    except Exception as error:  # raised where the child was asked for
        started.put(error)
        return
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError as error:
        process.kill()  # nobody else knows of it
        process.wait()
        started.put(error)
        return
    started.put(process)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll()
    os.close(descriptor)


def _launcher(number: signal.Signals) -> list[str]:
    """What asks for the signal; the number of our process and the program follow."""
    setpriv = shutil.which("setpriv")
    if setpriv and Path(setpriv).resolve().name == "setpriv":
        return [setpriv, "--pdeathsig", number.name.removeprefix("SIG"), "/bin/sh", "-c", _SHELL]
    return [sys.executable, "-I", "-S", str(_TIED), str(int(number))]
