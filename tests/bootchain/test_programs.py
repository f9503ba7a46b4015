"""The programs around the daemon, and where they go."""

from __future__ import annotations

import os
import resource
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bootchain.initramfs import files

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


def read_until(master: int, text: str, timeout_s: float = 20) -> str:
    seen = ""
    deadline = time.monotonic() + timeout_s
    while text not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([master], [], [], 0.1)[0]:
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
    assert sum(Path(source).stat().st_size for source in {source for _, source, _ in files()}) < 300_000


def test_daemon_runs_from_there(root: Path, daemon: Daemon) -> None:
    daemon.step("a", "break_bc_loop")
    env = daemon.env() | {
        "BOOTCHAIN_LIB": str(root / "usr/lib/bootchain"),
        "BOOTCHAIN_PYTHON": sys.executable,
    }
    argv = [str(root / "sbin/bootchained"), "--cmdline", "root=bootchain bootchain=a"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


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
    daemon.step("a", "exec true", api=False)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert daemon.run("root=bootchain bootchain=a").code == 3
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.120


def test_log_is_shown_on_a_terminal(daemon: Daemon) -> None:
    master, slave = os.openpty()
    daemon.environment["BC_LOG_VT"] = os.ttyname(slave)
    daemon.step("a", "message one; printf 'evil \\033[2J\\007 text\\n' >&2; sleep 1.5; message two")
    argv = daemon.argv("root=bootchain bootchain=a")
    with subprocess.Popen(argv, env=daemon.env(), stderr=subprocess.DEVNULL) as running:
        seen = read_until(master, "the chain is exhausted")
        assert running.wait(20) == 3
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
    daemon.step("a", f'echo up >"{daemon.place}/up"; sleep 60')
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
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=30)
        return done.returncode, done.stdout

    cmdline.write_text("quiet root=/dev/sda1 bootchain=a\n")
    assert call("start") == (0, "")
    assert call("status") == (3, "bootchained is not running\n")
    cmdline.write_text("quiet root=bootchain bootchain=a\n")
    assert call("start") == (0, "")
    try:
        deadline = time.monotonic() + 20
        while not (daemon.place / "up").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert call("status")[0] == 0
        assert call("start") == (0, "")
    finally:
        assert call("stop") == (0, "")
    assert call("status") == (3, "bootchained is not running\n")
    assert daemon.ended(0, "").message == "stopped by signal 15"
    assert call("frob")[0] == 2
