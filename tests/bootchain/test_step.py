"""The step API of Python."""

from __future__ import annotations

import pytest

from bootchain.step import Step, StepError

from .daemons import Daemon


def test_same_answers_as_the_shell(daemon: Daemon) -> None:
    daemon.step("first", 'mkdir "$destdir/d"; : >"$destdir/d/a b"; echo /dev/null >"$destdir/DEVNAME"')
    daemon.python_step(
        "second",
        "print(step.name, step.callnum, step.number, step.prevdir == step.mntdir + '/dst/step0', flush=True)\n"
        "print(step.get_parameter('MOUNTFS'), step.get_parameter('mountfs-opts'), step.get_parameter('NONE') == '')\n"
        "print(step.check_parameter('MOUNTFS'))\n"
        "print(step.resolve_target('step-1/d/a b'), step.resolve_devname(step.prevdir))\n"
        "print(step.resolve_target('DEVNAME'))\n"
        "print(step.is_step_passed(), step.is_step_passed('first'), step.is_step_passed('none'))\n"
        "print(step.run('sh', '-c', 'exit 7'), step.run('sh', '-c', 'kill -9 $$'), step.run('/nonexistent'))\n"
        "step.message('said'); step.verbose('not'); step.debug('not'); step.enter('not'); step.leave('not')\n"
        "step.fdump('/nonexistent'); step.launch_step_once(); print(step.initrd_version())\n"
        "step.next_bootchain('third,third')",
    )
    daemon.python_step("third", "step.bypass_results(); step.callnum and step.break_bc_loop()")
    ended = daemon.run("root=bootchain bootchain=first,second,never mountfs=x mountfs-opts=ro")
    assert ended.code == 0, ended.log
    assert [s[0] for s in ended.steps] == ["first", "second", "third", "third"]
    dst = f"{daemon.mnt}/dst/step0"
    for line in (
        "second 0 1 True",
        "x ro True",
        "x",
        f"{dst}/d/a b /dev/null",
        "/dev/null",
        "False True False",
        "7 137 127",
        "second: said",
    ):
        assert f"\n{line}\n" in ended.log
    assert "not\n" not in ended.log


def test_errors(daemon: Daemon) -> None:
    daemon.python_step(
        "a",
        "from bootchain.step import StepError\n"
        "for call in (lambda: step.resolve_target('step-9/x'), lambda: step.resolve_devname('/usr'),\n"
        "             lambda: step.bypass_results('/nonexistent')):\n"
        "    try:\n        call()\n    except StepError as error:\n        step.message(f'refused: {error}')\n"
        "step.check_parameter('nothing')",
    )
    ended = daemon.run("root=bootchain bootchain=noretry,a")
    assert ended.steps == [("a", 1, 1)]
    assert "a: refused: step-9/x: out of range, only 0 step(s) came before this one" in ended.log
    assert "a: refused: /usr: no device in /usr (neither DEVNAME nor dev); there: bin, " in ended.log
    assert "a: refused: no such directory: /nonexistent" in ended.log
    assert "a: required parameter is empty: NOTHING0" in ended.log


def test_debug_mode(daemon: Daemon) -> None:
    (daemon.place / "f").write_text("contents\n")
    daemon.python_step(
        "a",
        "step.debug('x'); step.enter('f'); step.leave('f'); step.verbose('v'); step.run('true', '1')\n"
        f"step.fdump('{daemon.place}/f'); step.fdump('/nonexistent')",
    )
    log = daemon.run("root=bootchain bootchain=a bc_debug").log
    for line in ("a: DEBUG: x", "a: ENTER: f", "a: LEAVE: f", "a: v", "a: RUN: true 1", "contents"):
        assert f"\n{line}\n" in log
    assert "a: FDUMP: /nonexistent: no such file" in log


def test_launch_step_once_and_fatal(daemon: Daemon) -> None:
    daemon.python_step("a", "step.launch_step_once()")
    ended = daemon.run("root=bootchain bootchain=noretry,a,a")
    assert ended.steps == [("a", 1, 0), ("a", 1, 1)]
    assert "a: step 'a' has been passed already" in ended.log


def test_reboot(daemon: Daemon) -> None:
    reboot = daemon.place / "bin" / "reboot"
    reboot.write_text("#!/bin/sh\nexit 1\n")
    reboot.chmod(0o755)
    daemon.python_step("a", "step.bc_reboot('why')")
    ended = daemon.run("root=bootchain bootchain=noretry,a")
    assert "step 0 (a) reboots the computer: why" in ended.log
    assert ended.steps == [("a", 1, 1)]


def test_outside_the_daemon() -> None:
    step = Step({"name": "a", "A0": "x"})
    assert step.get_parameter("a") == "x"
    assert not step.is_step_passed("b")
    for call in (lambda: step.resolve_target("x"), step.break_bc_loop, lambda: step.next_bootchain("b")):
        with pytest.raises(StepError, match="no bootchained daemon to ask"):
            call()


def test_dead_descriptors() -> None:
    step = Step({"BC_WISH": "9999", "BC_QUESTION": "9999", "BC_ANSWER": "9999"})
    with pytest.raises(StepError, match="the daemon does not listen"):
        step.break_bc_loop()
