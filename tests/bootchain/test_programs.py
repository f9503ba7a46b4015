"""The programs around the daemon, and where they go."""

from __future__ import annotations

import os
import resource
import select
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bootchain.initramfs import files
from waiting import DEADLINE_S, wait_for_text

from .daemons import PACKAGE, ROOM, Daemon


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree with all files where an initramfs has them."""
    for target, source, mode in files():
        path = tmp_path / "tree" / target.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, path)
        path.chmod(mode)
    return tmp_path / "tree"


def read_until(master: int, text: str) -> str:
    seen = ""
    while text not in seen:
        assert select.select([master], [], [], DEADLINE_S)[0], seen
        seen += os.read(master, 65536).decode()
    return seen


def test_components_are_where_the_document_has_them(root: Path) -> None:
    for path in (
        "bin/bootchain-sh-functions",
        "sbin/bootchained",
        "sbin/bootchain-logvt",
        "etc/rc.d/init.d/bootchain",
    ):
        assert (root / path).is_file(), path
    assert not list(root.rglob("*.pyc"))


def test_engine_is_small() -> None:
    """Steps, dialogs, process 1 and hooks are counted apart: who needs none leaves them out."""
    sources = {source.removeprefix(f"{PACKAGE}/"): Path(source).stat().st_size for _, source, _ in files()}
    apart = ("steps/", "interactive/", "init/", "install/", "shell/dialog", "shell/fallback/interactive")
    core = {name: size for name, size in sources.items() if not name.startswith(apart)}
    assert {"chain.py", "daemon/main.py", "shell/bootchain-sh-functions"} <= core.keys()
    assert sum(core.values()) < 300_000


def test_daemon_runs_from_there(root: Path, daemon: Daemon) -> None:
    daemon.step("a", "break_bc_loop")
    env = daemon.env() | {
        "BOOTCHAIN_LIB": str(root / "usr/lib/bootchain"),
        "BOOTCHAIN_PYTHON": sys.executable,
    }
    argv = [str(root / "sbin/bootchained"), "--cmdline", "root=bootchain bootchain=a"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr  # there is no root


@pytest.mark.parametrize(
    "module", ["step", "chain", "cmdline", "addressing", "config", "wire", "initramfs", "daemon.main"]
)
def test_only_the_bare_interpreter_is_needed(module: str) -> None:
    code = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import bootchain.{module}"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)


def test_daemon_starts_lean() -> None:
    """What costs more than the daemon itself stays out: see the times of ``-X importtime``."""
    code = (
        f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import bootchain.daemon.main\n"
        "print(*sorted(sys.modules.keys() & {'typing', 're', 'dataclasses', 'pathlib', 'subprocess', 'argparse', "
        "'json', 'contextlib', 'shutil', 'ctypes', 'threading', 'asyncio', 'logging'}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"


def test_daemon_starts_with_little_cpu(daemon: Daemon) -> None:
    """In relation to an interpreter that does nothing, on the same machine in the same minute."""
    daemon.step("a", "exec true", api=False)

    def whole_chain() -> None:
        assert daemon.run("root=bootchain bootchain=a").code == 3

    def bare_interpreter() -> None:
        subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True)

    turns = [(cpu_s(whole_chain), cpu_s(bare_interpreter)) for _ in range(5)]
    chain_s, bare_s = (min(times) for times in zip(*turns, strict=True))
    assert chain_s < 8 * bare_s, (chain_s, bare_s)


def cpu_s(action: Callable[[], None]) -> float:
    """What the processes that it starts and waits for cost."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    action()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_log_is_shown_on_a_terminal(daemon: Daemon) -> None:
    master, slave = os.openpty()
    daemon.environment["BC_LOG_VT"] = os.ttyname(slave)
    shown = daemon.place / "shown"
    os.mkfifo(shown)
    daemon.step("a", f"message one; printf 'evil \\033[2J\\007 text\\n' >&2; cat '{shown}'; message two")
    argv = daemon.argv("root=bootchain bootchain=a")
    with subprocess.Popen(argv, env=daemon.env(), stderr=subprocess.DEVNULL) as running:
        seen = read_until(master, "text\r\n")
        assert running.poll() is None, "it is shown while the chain runs"
        shown.write_text("")
        seen += read_until(master, "the chain is exhausted")
        assert running.wait(DEADLINE_S) == 3
    assert "a: one\r\n" in seen
    assert "a: two\r\n" in seen
    assert "evil [2J text\r\n" in seen
    os.close(slave)
    os.close(master)


@pytest.mark.parametrize("terminal", ["", "/nonexistent"])
def test_log_without_a_terminal(daemon: Daemon, terminal: str) -> None:
    daemon.environment["BC_LOG_VT"] = terminal
    daemon.step("a", "break_bc_loop")
    assert daemon.run("root=bootchain bootchain=a").code == 0


def test_log_terminal_usage() -> None:
    done = subprocess.run(["sh", ROOM / "bootchain-logvt.sh"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "usage: bootchain-logvt TERMINAL LOGFILE\n")


def test_start_script(root: Path, daemon: Daemon) -> None:
    daemon.step("a", f'echo up >"{daemon.place}/up"; exec sleep 100000')
    cmdline = daemon.place / "cmdline"
    env = daemon.env() | {
        "BOOTCHAIN_LIB": str(root / "usr/lib/bootchain"),
        "BOOTCHAIN_PYTHON": sys.executable,
        "BOOTCHAIN_DAEMON": str(root / "sbin/bootchained"),
        "BOOTCHAIN_PIDFILE": str(daemon.place / "pid"),
        "BOOTCHAIN_CMDLINE": str(cmdline),
    }

    def call(word: str) -> tuple[int, str]:
        argv = ["sh", str(root / "etc/rc.d/init.d/bootchain"), word]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
        return done.returncode, done.stdout

    cmdline.write_text("quiet root=/dev/sda1 bootchain=a\n")
    assert call("start") == (0, "")
    assert call("status") == (3, "bootchained is not running\n")
    cmdline.write_text("quiet root=bootchain bootchain=a\n")
    assert call("start") == (0, "")
    try:
        wait_for_text(daemon.place / "up", "up\n")
        assert call("status")[0] == 0
        assert call("start") == (0, "")
    finally:
        assert call("stop") == (0, "")
    assert call("status") == (3, "bootchained is not running\n")
    assert daemon.ended(0, "").message == "stopped by signal 15"
    assert call("frob")[0] == 2
