"""Steps that are Python programs (``.py``), as forks of the daemon: their interpreter has started already.

To the step nothing differs: its own environment, descriptors and signals, and a fresh ``__main__``. Only what a
variable (``PYTHON...``) would ask of an interpreter that starts comes too late.
"""

# ruff: noqa: PTH120, PTH123, SIM105
# (pathlib and contextlib cost more CPU at the start than the whole daemon.)

from __future__ import annotations

import os
import sys

from bootchain.daemon.signals import restore_actions, unblock_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MAX_FD = 1024


def can_fork(argv: list[str]) -> bool:
    """Whether a command of a step is a Python program that this interpreter would run."""
    return len(argv) == 3 and argv[:2] == [sys.executable, "-S"]


def fork_step(path: str, env: Mapping[bytes, bytes], descriptors: Iterable[tuple[int, int]]) -> int:
    """Run a program in a process of its own. Returns its process.

    Args:
        path: its source.
        env: its environment.
        descriptors: what it gets: ours, and the number that it has there.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        kept = {theirs for _, theirs in descriptors}
        for own, theirs in descriptors:
            os.dup2(own, theirs)
        first = 0
        for fd in (*sorted(kept), _MAX_FD):
            if first < fd:  # an empty range closes everything
                os.closerange(first, fd)
            first = fd + 1
        restore_actions()
        unblock_all()
        os.environb.clear()
        os.environb.update(env)
        code = _run(path)
    finally:
        os._exit(code)


def _run(path: str) -> int:
    """Run a program as ``__main__``. Returns its exit code."""
    sys.argv = [path]
    sys.path.insert(0, os.path.dirname(path))
    main = type(sys)("__main__")
    main.__dict__["__file__"] = path
    sys.modules["__main__"] = main
    code = 0
    try:
        with open(path, "rb") as file:
            exec(compile(file.read(), path, "exec", dont_inherit=True), main.__dict__)  # noqa: S102
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
        if isinstance(left.code, str):
            sys.stderr.write(f"{left.code}\n")
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    try:
        sys.stdout.flush()
    except OSError:
        pass
    return code & 0xFF
