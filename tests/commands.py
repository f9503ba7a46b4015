"""Runs the project's commands as processes of their own, forked from one that has imported them.

Starting Python and importing a command takes longer than most commands need for their work, and tests run many. Here a
server per process of tests does both once. What a command sees is its own: arguments, environment, working directory,
standard streams, warnings; it ends its process itself. Where that would not be enough (signals, a terminal, pipes, what
is imported, another locale) tests start a program with ``subprocess``.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from waiting import DEADLINE_S

COMMANDS = "hiperlab.cli.main"
LOG_COMMANDS = "hiperiso.analysis.cli"
_REQUEST_BYTES = 1 << 20
_lock = threading.Lock()


def run_command(
    *words: object,
    module: str = COMMANDS,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    given: bytes = b"",
    strict: bool = False,
    timeout_s: float = DEADLINE_S,
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m MODULE WORDS`` to its end.

    Args:
        env: the whole environment; that of the tests if None.
        given: what the command reads from its standard input, a file.
        strict: warnings are errors, as with ``python -W error``.

    Raises:
        subprocess.TimeoutExpired: it had not ended in time, and was killed.
    """
    argv = [module, *map(str, words)]
    request = {
        "argv": argv,
        "env": dict(os.environ if env is None else env),
        "cwd": str(cwd or Path.cwd()),
        "strict": strict,
    }
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        stdin.write(given)
        stdin.seek(0)
        with _lock:
            code = _server().run(request, [stdin.fileno(), out.fileno(), err.fileno()], timeout_s)
        out.seek(0)
        err.seek(0)
        stdout, stderr = (file.read().decode(errors="surrogateescape") for file in (out, err))
    if code is None:
        raise subprocess.TimeoutExpired(argv, timeout_s, stdout, stderr)
    return subprocess.CompletedProcess(argv, code, stdout, stderr)


class _Server:
    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "commands", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=Path(__file__).parent,
            )

    def run(self, request: dict[str, object], fds: list[int], timeout_s: float) -> int | None:
        """The exit code as ``subprocess`` has it, None where the time was over."""
        socket.send_fds(self._socket, [json.dumps(request).encode()], fds)
        self._socket.settimeout(DEADLINE_S)
        pid = int(self._socket.recv(_REQUEST_BYTES))
        self._socket.settimeout(timeout_s)
        try:
            return int(self._socket.recv(_REQUEST_BYTES))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)  # the server has not collected it yet: the number is still its own
            self._socket.settimeout(DEADLINE_S)
            self._socket.recv(_REQUEST_BYTES)
            return None

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


_servers: list[_Server] = []


def _server() -> _Server:
    if not _servers:
        _servers.append(_Server())
        atexit.register(lambda: _servers.pop().close())
    return _servers[0]


def _serve(connection: socket.socket) -> None:
    """Fork a process for each request, until the tests close their end. Returns in each of them as the command's."""
    import gc

    _load()
    gc.freeze()  # pages that no collection writes to stay shared
    while True:
        message, fds, _, _ = socket.recv_fds(connection, _REQUEST_BYTES, 3)
        if not message:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            connection.close()
            _become(json.loads(message), fds)
            return
        for fd in fds:
            os.close(fd)
        connection.send(b"%d" % pid)
        connection.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _load() -> None:
    import importlib
    import pkgutil

    for package in (
        "hiperlab.cli",
        "hiperlab.stick",
        "hiperlab.sessions",
        "hiperiso.analysis",
        "hiperiso.config",
    ):
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)


def _become(request: dict[str, object], fds: list[int]) -> None:
    import warnings

    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    argv, env = request["argv"], request["env"]
    assert isinstance(argv, list) and isinstance(env, dict)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(str(request["cwd"]))
    sys.path[0] = str(request["cwd"])
    sys.argv = argv
    # they are open until the process ends
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    if request["strict"]:
        warnings.simplefilter("error")


def _main() -> None:
    import runpy
    import warnings

    _serve(socket.socket(fileno=int(sys.argv[1])))
    with warnings.catch_warnings():
        # it was imported by the server, and is executed now
        warnings.filterwarnings("ignore", "'.*' found in sys.modules", RuntimeWarning)
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
