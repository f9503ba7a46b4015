"""A child ends with the process that started it, not with the thread: in threads, pools and event loops."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hiperiso.errors import HarnessFault
from hiperiso.session.child import start_child
from waiting import DEADLINE_S


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until_gone(pid: int) -> None:
    """By its end, not by a time: a pidfd is readable when the process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended, _, _ = select.select([descriptor], [], [], DEADLINE_S)
    os.close(descriptor)
    assert ended, "it lives on"


def test_a_thread_that_ends_takes_no_child_with_it() -> None:
    started: list[subprocess.Popen[bytes]] = []
    thread = threading.Thread(
        target=lambda: started.append(start_child(["cat"], stdin=subprocess.PIPE, stdout=-1))
    )
    thread.start()
    thread.join()
    (process,) = started
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(
        b"still here\n"
    )  # the thread is gone: a child that had got its signal could not answer
    process.stdin.close()
    assert process.stdout.read() == b"still here\n"
    assert process.wait(DEADLINE_S) == 0
    process.stdout.close()


STARTS = {
    "main thread": """
import signal, subprocess
process = start_child(["sleep", "600"])
print(process.pid, flush=True)
signal.pause()
""",
    "thread that has ended": """
import signal, threading
thread = threading.Thread(target=lambda: print(start_child(["sleep", "600"]).pid, flush=True))
thread.start()
thread.join()
signal.pause()
""",
    "forked pool": """
import multiprocessing, signal
def work(_):
    return start_child(["sleep", "600"]).pid
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.map(work, [0])[0], flush=True)
    signal.pause()
""",
    "event loop": """
import asyncio
async def main():
    process = await asyncio.to_thread(start_child, ["sleep", "600"])
    print(process.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
""",
}


@pytest.mark.parametrize("place", STARTS)
def test_a_child_ends_with_the_process(place: str) -> None:
    code = f"from hiperiso.session.child import start_child\n{STARTS[place]}"
    argv = [sys.executable, "-W", "error", "-c", code]
    parent = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert parent.stdout is not None
    try:
        child = int(parent.stdout.readline())
        assert not gone(child)
        if place == "forked pool":
            (worker,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
            os.kill(int(worker), signal.SIGKILL)
        else:
            parent.kill()
        wait_until_gone(child)
    finally:
        os.killpg(
            parent.pid, signal.SIGKILL
        )  # also the worker that the pool has started in place of the other
        parent.wait(DEADLINE_S)
        parent.stdout.close()


@pytest.mark.parametrize("search", ["", "/nonexistent"])
def test_signal_and_arguments_arrive_with_and_without_setpriv(
    search: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = 'for a in "$@"; do echo "[$a]"; done; grep -c . /proc/self/status >/dev/null; exit 7'
    if search:
        monkeypatch.setenv("PATH", search)
    process = start_child(
        ["/bin/sh", "-c", script, "name", "a b", "$(c)", ""],
        number=signal.SIGTERM,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert process.stdout is not None
    assert process.stdout.read() == b"[a b]\n[$(c)]\n[]\n"
    assert process.wait(DEADLINE_S) == 7
    process.stdout.close()


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(HarnessFault, match="cannot start /no/such: no such program"):
        start_child(["/no/such"])
