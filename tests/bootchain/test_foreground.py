"""The restart in the foreground, on a real pseudo-terminal."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Callable
from time import monotonic

import pytest

from waiting import DEADLINE_S, wait_for_text

from .daemons import Daemon, Ended


def run_on_pty(
    daemon: Daemon,
    cmdline: str,
    *,
    typed: str = "",
    leader: bool = False,
    after: str = "",
    then: str | Callable[[], None] = "",
) -> tuple[Ended, str]:
    """Run a daemon whose interactive terminal is a pty. ``then`` is typed (or called) when ``after`` is shown.

    Returns how it ended, and what the terminal showed.
    """
    master, slave = os.openpty()
    daemon.environment["BC_FGVT"] = os.ttyname(slave)
    running = subprocess.Popen(
        daemon.argv(cmdline),
        env=daemon.env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0 if leader else None,
    )
    os.write(master, typed.encode())
    shown = b""
    deadline = monotonic() + DEADLINE_S
    while running.poll() is None or select.select([master], [], [], 0.1)[0]:
        assert monotonic() < deadline, shown
        if select.select([master], [], [], 0.05)[0]:
            shown += os.read(master, 65536)
        if after and after.encode() in shown:
            after = ""
            if callable(then):
                then()
            else:
                os.write(master, then.encode())
    _, stderr = running.communicate()
    os.close(slave)
    os.close(master)
    return daemon.ended(running.returncode, stderr), shown.decode()


@pytest.mark.parametrize("leader", [False, True], ids=["member", "group-leader"])
def test_restart_keeps_all_state(daemon: Daemon, leader: bool) -> None:
    daemon.step(
        "a",
        'message "$callnum $stepnum <$prevdir> $(get_parameter A)"\n'
        "if is_step_passed; then message passed; fi\n"
        '[ -z "$BC_TERMINAL" ] || { message "pid $$ on $BC_TERMINAL"; break_bc_loop; }',
    )
    ended, _ = run_on_pty(
        daemon, "root=bootchain bootchain=a,noretry,fg,a,never a=v0 a=v1 bc_debug=0", leader=leader
    )
    assert ended.code == 0, ended.log
    said = [line for line in ended.log.splitlines() if line.startswith("a: ")]
    assert said[:3] == ["a: 0 0 <> v0", f"a: 1 1 <{daemon.mnt}/dst/step0> v1", "a: passed"]
    assert said[3].endswith(f"on {daemon.environment['BC_FGVT']}")
    assert [(line["n"], line["event"]) for line in ended.lines] == list(
        enumerate(["start", "step", "resume", "step", "finish"])
    )


def test_noretry_survives_the_restart(daemon: Daemon) -> None:
    daemon.step("bad", "exit 1")
    ended, _ = run_on_pty(daemon, "root=bootchain bootchain=noretry,fg,bad")
    assert ended.steps == [("bad", 1, 1)]
    assert ended.code == 1


def test_step_talks_with_the_terminal(daemon: Daemon) -> None:
    daemon.step(
        "ask",
        'message "<$TERM>"; tty >&2; printf "your name? "; IFS= read -r answer\n'
        'message "answer: $answer"; break_bc_loop',
    )
    ended, shown = run_on_pty(daemon, "root=bootchain bootchain=fg,ask", typed="hello world\n")
    assert "your name? " in shown
    assert "ask: answer: hello world" in ended.log
    assert f"\n{daemon.environment['BC_FGVT']}\n" in ended.log
    assert "ask: <vt100>" in ended.log


def test_terminal_is_the_controlling_one(daemon: Daemon) -> None:
    daemon.step("a", "echo to-the-terminal >/dev/tty; break_bc_loop")
    _, shown = run_on_pty(daemon, "root=bootchain bootchain=fg,a", leader=True)
    assert "to-the-terminal" in shown


def test_next_bootchain_can_bring_the_daemon_to_the_foreground(daemon: Daemon) -> None:
    daemon.step("a", "next_bootchain fg,b")
    daemon.step("b", 'message "on <$BC_TERMINAL>"; break_bc_loop')
    ended, _ = run_on_pty(daemon, "root=bootchain bootchain=a")
    assert f"b: on <{daemon.environment['BC_FGVT']}>" in ended.log


def test_fg_a_second_time_does_nothing(daemon: Daemon) -> None:
    daemon.step("a", "break_bc_loop")
    ended, _ = run_on_pty(daemon, "root=bootchain bootchain=fg,fg,a")
    assert ended.code == 0
    assert "fg: already in the foreground" in ended.log


@pytest.mark.parametrize("terminal", ["/nonexistent", "/dev/null"])
def test_without_a_terminal_the_daemon_stays_in_the_background(daemon: Daemon, terminal: str) -> None:
    daemon.environment["BC_FGVT"] = terminal
    daemon.step("a", 'message "<$BC_TERMINAL>"; break_bc_loop')
    ended = daemon.run("root=bootchain bootchain=fg,a")
    assert ended.code == 0
    assert "a: <>" in ended.log
    assert f"{terminal}" in ended.log
    assert "no terminal to run on: staying in the background" in ended.log


def test_stopping_the_first_process_stops_the_foreground(daemon: Daemon) -> None:
    """Who started the daemon knows one process: it stands for the one on the terminal."""
    master, slave = os.openpty()
    daemon.environment["BC_FGVT"] = os.ttyname(slave)
    daemon.step("a", f'echo $$ >"{daemon.place}/pid"; exec sleep 100000')
    argv = daemon.argv("root=bootchain bootchain=fg,a")
    with subprocess.Popen(argv, env=daemon.env(), stderr=subprocess.DEVNULL, process_group=0) as running:
        wait_for_text(daemon.place / "pid", "\n")
        running.terminate()
        assert running.wait(DEADLINE_S) == 143
    os.close(slave)
    os.close(master)
    assert daemon.ended(143, "").message == "stopped by signal 15"


@pytest.mark.parametrize(("delay", "at_once"), [("", True), ("100000", False)])
def test_terminal_is_activated_after_the_delay(daemon: Daemon, delay: str, at_once: bool) -> None:
    """A pty cannot come to a screen; that it is tried, and when, shows in the system calls."""
    daemon.environment["BC_FGVT_ACTIVATE"] = delay
    trace = daemon.place / "trace"
    daemon.prefix = ("strace", "-f", "-qq", "-e", "trace=openat,open", "-o", str(trace))
    tried = f"until grep -q /dev/tty0 '{trace}'; do sleep 0.02; done" if at_once else ":"
    daemon.step("a", f"{tried}; break_bc_loop")
    ended, _ = run_on_pty(daemon, "root=bootchain bootchain=fg,a")
    assert ended.code == 0
    assert ("/dev/tty0" in trace.read_text()) is at_once


def test_ctrl_c_ends_the_step_and_not_the_daemon(daemon: Daemon) -> None:
    daemon.step(
        "wait", '[ -e "$datadir/again" ] || { : >"$datadir/again"; echo waiting; exec sleep 100000; }'
    )
    daemon.step("end", "break_bc_loop")
    ended, _ = run_on_pty(
        daemon, "root=bootchain bootchain=fg,wait,end", typed="", leader=True, after="waiting", then="\x03"
    )
    assert ended.code == 0, ended.log
    assert ended.steps[0][2] == -2
    assert ended.steps[-1] == ("end", 1, 0)


def test_signal_brings_the_daemon_to_the_foreground(daemon: Daemon) -> None:
    daemon.step("a", "kill -USR1 $PPID")
    daemon.step("b", 'message "on <$BC_TERMINAL>"; break_bc_loop')
    ended, _ = run_on_pty(daemon, "root=bootchain bootchain=a,b", leader=True)
    assert ended.code == 0
    assert f"b: on <{daemon.environment['BC_FGVT']}>" in ended.log
