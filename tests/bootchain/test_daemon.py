"""The daemon with real step-scripts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from bootchain.wire import ANSWER_FD
from waiting import DEADLINE_S, runs, wait_for_text

from .daemons import PACKAGE, Daemon


def test_environment_of_steps(daemon: Daemon) -> None:
    out = daemon.place / "out"
    words = "$name $callnum $stepnum $datadir $destdir <$prevdir> $mntdir $rootmnt"
    body = f'echo "{words}" >>"{out}"; ls -d "$datadir" "$destdir"'
    daemon.step("a", body, api=False)
    daemon.step("b", body, api=False)
    ended = daemon.run("root=bootchain bootchain=a,b,retry,a,noop,b")
    mnt = daemon.mnt
    assert ended.code == 3
    assert out.read_text().splitlines() == [
        f"{name} {call} {n} {mnt}/src/step{n} {mnt}/dst/step{n} <{previous}> {mnt} {daemon.root}"
        for n, (name, call, previous) in enumerate(
            [("a", 0, ""), ("b", 0, f"{mnt}/dst/step0"), ("a", 1, f"{mnt}/dst/step1"), ("b", 1, "")]
        )
    ]


def test_boot_parameters_are_arrays_in_the_environment(daemon: Daemon) -> None:
    out = daemon.place / "out"
    daemon.step(
        "a", f'printf "%s|" "$MOUNTFS" "$MOUNTFS0" "$MOUNTFS1" "$MOUNTFS_OPTS0" "$X0" >"{out}"', api=False
    )
    daemon.run('root=pipeline pipeline=a mountfs="a  b" mountfs=c mountfs-opts=ro x')
    assert out.read_text() == "2|a  b|c|ro||"


def test_a_parameter_cannot_change_the_environment_of_the_daemon(daemon: Daemon) -> None:
    daemon.step("a", 'message "<$PATH>"')
    ended = daemon.run("root=bootchain bootchain=a path=/evil destdir=/evil ld_preload=/evil")
    assert ended.steps == [("a", 1, 0)]
    assert "</evil" not in ended.log


def test_failing_chain(daemon: Daemon) -> None:
    daemon.step("bad", "exit 9")
    ended = daemon.run("root=bootchain bootchain=bad,never")
    assert ended.code == 1
    assert ended.steps == [("bad", n, 9) for n in range(1, 6)]
    assert ended.message == "step 0 (bad) failed with code 9: tried 5 times in all, giving up"
    assert ended.stderr == f"bootchained: {ended.message}\n"
    assert ended.log.splitlines()[-1].endswith(f"bootchained: {ended.message}")


def test_pause_between_tries(daemon: Daemon) -> None:
    daemon.environment["BC_RETRY_DELAY"] = "0.3"
    daemon.step("bad", "exit 1")
    ended = daemon.run("root=bootchain bootchain=bad pipe-retry=3")
    moments = [line["t"] for line in ended.lines if line["event"] == "step"]
    assert len(moments) == 3
    assert all(later - earlier >= 0.3 for earlier, later in pairwise(moments))


def test_default_pause_is_two_seconds(daemon: Daemon) -> None:
    daemon.environment["BC_RETRY_DELAY"] = "2"
    daemon.step("bad", '[ -e "$datadir/again" ] || { : >"$datadir/again"; exit 1; }')
    env = daemon.env()
    del env["BC_RETRY_DELAY"]
    argv = daemon.argv("root=bootchain bootchain=bad")
    done = subprocess.run(
        argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    ended = daemon.ended(done.returncode, done.stderr)
    assert ended.code == 3
    first, second = (line for line in ended.lines if line["event"] == "step")
    assert second["t"] - first["t"] >= 2
    assert "try 2 of 5 in 2 s" in ended.log


def test_exhausted_chain(daemon: Daemon) -> None:
    daemon.step("a", "")
    ended = daemon.run("root=bootchain bootchain=a,a")
    assert (ended.code, ended.lines[-1]["outcome"]) == (3, "exhausted")
    assert ended.message == (
        "the chain is exhausted: step 1 (a) was the last step, and none asked to go on to stage 2"
        " (rootfs, break_bc_loop)"
    )


def test_empty_chain(daemon: Daemon) -> None:
    ended = daemon.run("root=bootchain")
    assert (ended.code, ended.message) == (3, "the chain is empty: name its steps with bootchain=step1,step2")


def test_looping_chain_ends_by_its_own_condition(daemon: Daemon) -> None:
    daemon.step(
        "loop", 'message "call $callnum"; [ ! -e "$mntdir/turn6" ] || break_bc_loop; next_bootchain work,loop'
    )
    daemon.step("work", ': >"$mntdir/turn$callnum"')
    ended = daemon.run("root=bootchain bootchain=loop,never")
    assert ended.code == 0
    assert [name for name, _, _ in ended.steps] == ["loop", "work"] * 7 + ["loop"]
    assert ended.message.startswith("step 14 (loop) ended the chain")


def test_launch_step_once_ends_a_loop(daemon: Daemon) -> None:
    daemon.step("once", "launch_step_once; next_bootchain once")
    ended = daemon.run("root=bootchain bootchain=noretry,once")
    assert ended.steps == [("once", 1, 0), ("once", 1, 1)]
    assert "once: step 'once' has been passed already\n" in ended.log
    assert ended.message == "step 1 (once) failed with code 1, and repeating is forbidden (noretry)"


def test_is_step_passed(daemon: Daemon) -> None:
    daemon.step(
        "a",
        'if is_step_passed; then message again; else message first; fi; ! is_step_passed b || message "b too"',
    )
    daemon.step("b", "")
    log = daemon.run("root=bootchain bootchain=a,b,a").log
    assert [line for line in log.splitlines() if line.startswith("a: ")] == [
        "a: first",
        "a: again",
        "a: b too",
    ]


def test_replaced_chain(daemon: Daemon) -> None:
    daemon.step("menu", "next_bootchain x y,z; next_bootchain z,z")
    daemon.step("z", "")
    ended = daemon.run("root=bootchain bootchain=menu,never")
    assert [name for name, _, _ in ended.steps] == ["menu", "z", "z"]
    assert [line["remaining"] for line in ended.lines if line["event"] == "chain"][-1] == ["z", "z"]
    assert "(the chain was replaced by step 0 (menu))" in ended.message


def test_conditional_jump(daemon: Daemon) -> None:
    daemon.step("if", '[ "$(get_parameter IF)" = no ] || next_bootchain then')
    daemon.step("then", "")
    daemon.step("else", "")
    assert [s[0] for s in daemon.run("root=bootchain bootchain=if,else if=yes").steps] == ["if", "then"]
    assert [s[0] for s in daemon.run("root=bootchain bootchain=if,else if=no").steps[2:]] == ["if", "else"]


def test_break_needs_code_0(daemon: Daemon) -> None:
    daemon.step("a", "break_bc_loop; exit 1")
    ended = daemon.run("root=bootchain bootchain=a,never")
    assert (ended.code, ended.steps) == (1, [("a", 1, 1)])
    assert ended.message == "step 0 (a) failed with code 1 after it had ended the chain (break_bc_loop)"


def test_code_2(daemon: Daemon) -> None:
    daemon.step("a", "exit 2")
    native = daemon.run("root=bootchain bootchain=a,never")
    assert (native.code, len(native.steps)) == (1, 5)
    for path in daemon.log.parent.iterdir():
        path.unlink()
    compatible = daemon.run("root=pipeline pipeline=a,never")
    assert (compatible.code, len(compatible.steps)) == (0, 1)
    assert compatible.message.startswith("step 0 (a) ended with code 2: end of the chain")


def test_missing_and_unusable_steps(daemon: Daemon) -> None:
    daemon.step("a", "message $stepnum")
    ended = daemon.run("root=bootchain bootchain=nosuch,a")
    assert ended.code == 3
    assert "the step nosuch is passed over: no step-script 'nosuch' in " in ended.log
    assert "\na: 0\n" in ended.log
    for name in ("../steps/a", ".hidden", "a/b"):
        assert "is not the name of a step-script" in daemon.run(f"root=bootchain bootchain={name}").log
    path = daemon.steps / "plain"
    path.write_text("exit 0\n")
    assert "plain: Permission denied" in daemon.run("root=bootchain bootchain=plain").message
    path.chmod(0o755)
    assert daemon.run("root=bootchain bootchain=plain").code == 3
    path.write_text("#!/nonexistent/shell\n")
    assert "plain: No such file or directory" in daemon.run("root=bootchain bootchain=plain").message


def test_step_that_is_killed(daemon: Daemon) -> None:
    daemon.step("a", "kill -9 $$")
    ended = daemon.run("root=bootchain bootchain=noretry,a")
    assert ended.steps == [("a", 1, -9)]
    assert "was killed by signal 9" in ended.message


def test_step_that_leaves_children_with_everything_open(daemon: Daemon) -> None:
    daemon.step("a", f'sleep 100000 & echo $! >>"{daemon.place}/pids"')
    try:
        ended = daemon.run("root=bootchain bootchain=a,a,a")
    finally:
        children = [int(pid) for pid in (daemon.place / "pids").read_text().split()]
        alive = [runs(pid) for pid in children]
        for pid in children:
            os.kill(pid, signal.SIGKILL)
    assert ended.code == 3
    assert alive == [True] * 3, "the daemon waited for none of them"


def test_child_of_an_earlier_step_cannot_speak_for_a_later_one(daemon: Daemon) -> None:
    later, over = daemon.place / "later", daemon.place / "over"
    os.mkfifo(later)
    os.mkfifo(over)
    evil = f'read now <"{later}"; exec 9>"{over}"; break_bc_loop; next_bootchain evil; resolve_target /'
    daemon.step("a", f"{{ {evil}; }} >/dev/null 2>&1 &")
    # The end of the file comes when the child of the first step has tried all and is gone.
    daemon.step("b", f'echo now >"{later}"; cat "{over}"')
    ended = daemon.run("root=bootchain bootchain=a,b")
    assert [s[0] for s in ended.steps] == ["a", "b"]
    assert ended.code == 3


def test_step_that_closes_its_descriptors(daemon: Daemon) -> None:
    body = "exec 195<&- 196>&- 197>&- 198>&- 199<&-\nbreak_bc_loop || message deaf\nresolve_target / || message dumb"
    daemon.step("a", body, shell="bash")
    daemon.step("b", "exec 0<&- 1>&- 2>&-; resolve_target / || exit 0", shell="bash", options="")
    ended = daemon.run("root=bootchain bootchain=a,b")
    assert (ended.code, [s[2] for s in ended.steps]) == (3, [0, 0])
    assert "a: deaf" in ended.log
    assert "a: dumb" in ended.log


def test_garbage_on_all_descriptors(daemon: Daemon) -> None:
    body = "head -c 300000 /dev/urandom >&198; head -c 300000 /dev/urandom >&197; resolve_target / >&2; break_bc_loop"
    daemon.step("a", body, shell="bash")
    ended = daemon.run("root=bootchain bootchain=a")
    assert ended.code == 0
    assert "bytes of garbage to the daemon" in ended.log


def test_unknown_request(daemon: Daemon) -> None:
    daemon.step("a", "_bc_ask frobnicate || message refused")
    ended = daemon.run("root=bootchain bootchain=a")
    assert "unknown request '.1 frobnicate'" in ended.log
    assert "a: refused" in ended.log


def test_unread_answer_is_not_given_to_the_next_asker(daemon: Daemon) -> None:
    there = f"until read -t 0 -u {ANSWER_FD}; do sleep 0.01; done"
    body = f"_bc_take; _bc_put 'BC1 3' old target /usr; _bc_give; {there}; resolve_target /dev"
    daemon.step("a", body, shell="bash")
    log = daemon.run("root=bootchain bootchain=a").log
    assert "\n/dev\n" in log
    assert "\n/usr\n" not in log


def test_huge_output(daemon: Daemon) -> None:
    daemon.step("a", "head -c 20000000 /dev/zero | tr '\\0' x")
    ended = daemon.run("root=bootchain bootchain=a")
    assert ended.code == 3
    assert len(ended.log) > 20_000_000


CARELESS = """\
import os, signal, sys
numbers = {signals}
for number in numbers:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_SETMASK, numbers)
os.execvp(sys.argv[1], sys.argv[1:])
"""
SHELLS_LEAVE = "[signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGPIPE]"
"""What nohup, a background job of a shell and a pipe of another Python program leave ignored."""
EVERY_SIGNAL = "signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}"
OF_PYTHON = 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1
"""What every Python program ignores by itself."""


@pytest.mark.parametrize("inherited", ["[]", SHELLS_LEAVE, EVERY_SIGNAL], ids=["clean", "shell", "all"])
def test_signals_are_as_a_program_expects_them(daemon: Daemon, inherited: str) -> None:
    daemon.prefix = (sys.executable, "-I", "-S", "-c", CARELESS.format(signals=inherited))
    show = 'grep -E "^Sig(Ign|Blk)" /proc/self/status >&2'
    daemon.step("a", show)
    (daemon.steps / "without-first-line").write_text(f"{show}\n")
    (daemon.steps / "without-first-line").chmod(0o755)
    daemon.python_step("b", "print(open('/proc/self/status').read())")
    for step, ignored_by_itself in (("a", 0), ("without-first-line", 0), ("b", OF_PYTHON)):
        daemon.log.unlink(missing_ok=True)
        log = daemon.run(f"root=bootchain bootchain={step}").log
        assert int(log.partition("SigBlk:\t")[2][:16], 16) == 0, step
        ignored = int(log.partition("SigIgn:\t")[2][:16], 16)
        # The C library keeps two signals for itself, which no program can set.
        assert ignored & ~(3 << 31) == ignored_by_itself, step


@pytest.mark.parametrize("inherited", [SHELLS_LEAVE, EVERY_SIGNAL], ids=["shell", "all"])
def test_signals_that_the_parent_ignored_and_blocked_end_a_step(daemon: Daemon, inherited: str) -> None:
    daemon.prefix = (sys.executable, "-I", "-S", "-c", CARELESS.format(signals=inherited))
    next_name = 'set -- INT QUIT HUP PIPE; echo >>"$datadir/tries"; shift $(($(wc -l <"$datadir/tries") - 1))'
    daemon.step("killed", f"{next_name}; kill -${{1:-KILL}} $$")
    daemon.step("traps", f"{next_name}; trap 'exit 7' ${{1:-TERM}}; kill -${{1:-KILL}} $$; exit 1")
    numbers = [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGPIPE]
    for step, codes in (("killed", [-number for number in numbers]), ("traps", [7] * 4)):
        ended = daemon.run(f"root=bootchain bootchain={step}")
        assert [code for name, _, code in ended.steps if name == step] == [*codes, -signal.SIGKILL]
        daemon.log.with_name("chain.jsonl").unlink()
        (daemon.mnt / "src" / "step0" / "tries").unlink()


def test_daemon_is_stopped_by_signals_that_its_parent_ignored_and_blocked(daemon: Daemon) -> None:
    daemon.prefix = (sys.executable, "-I", "-S", "-c", CARELESS.format(signals=EVERY_SIGNAL))
    daemon.step("a", "kill -HUP $PPID; exec sleep 1000")
    ended = daemon.run("root=bootchain bootchain=a")
    assert (ended.code, ended.message) == (143, "stopped by signal 1")


def test_standard_input_is_empty_and_the_output_is_the_log(daemon: Daemon) -> None:
    daemon.step("a", "cat; echo to-stdout; echo to-stderr >&2", api=False)
    ended = daemon.run("root=bootchain bootchain=a")
    assert "\nto-stdout\nto-stderr\n" in ended.log


def test_step_with_a_result_is_skipped(daemon: Daemon) -> None:
    (daemon.mnt / "dst").mkdir(parents=True)
    (daemon.mnt / "dst" / "step0").symlink_to("/usr")
    daemon.step("a", "message ran $stepnum")
    ended = daemon.run("root=bootchain bootchain=a,a")
    assert ended.steps == [("a", 1, None), ("a", 1, 0)]
    assert "a: ran 1" in ended.log
    assert "a: ran 0" not in ended.log
    assert "step 0 (a): its result is there already, skipped" in ended.log


def test_debug_step_runs_before_every_try_of_every_step(daemon: Daemon) -> None:
    daemon.step("debug", 'message "next: $name $callnum $stepnum $destdir $(get_parameter A)"')
    daemon.step("a", '[ "$callnum" -eq 0 ] || [ -e "$datadir/x" ] || { : >"$datadir/x"; exit 1; }')
    log = daemon.run("root=bootchain bootchain=a,a bc_debug a=v0 a=v1").log
    dst = daemon.mnt / "dst"
    assert [line for line in log.splitlines() if line.startswith("debug: ")] == [
        f"debug: next: a 0 0 {dst}/step0 v0",
        f"debug: next: a 1 1 {dst}/step1 v1",
        f"debug: next: a 1 1 {dst}/step1 v1",
    ]


def test_built_in_debug_step_shows_what_a_step_gets(daemon: Daemon) -> None:
    daemon.step("a", ': >"$destdir/result"')
    log = daemon.run("root=bootchain bootchain=a,a bc_debug a=value").log
    assert f"debug: step 1 (a) call 1: datadir={daemon.mnt}/src/step1" in log
    assert "debug: a=value" in log
    assert "result" in log


def test_no_debug_step_without_debug_mode(daemon: Daemon) -> None:
    daemon.step("debug", "message here")
    daemon.step("a", "")
    assert "here" not in daemon.run("root=bootchain bootchain=a").log


def test_bc_reboot_is_logged(daemon: Daemon) -> None:
    reboot = daemon.place / "bin" / "reboot"
    reboot.write_text(
        f'#!/bin/sh\necho "$@" >"{daemon.place}/rebooted"\nexit "$(cat "{daemon.place}/code")"\n'
    )
    reboot.chmod(0o755)
    (daemon.place / "code").write_text("5")
    daemon.step("a", "bc_reboot 'new kernel'")
    ended = daemon.run("root=bootchain bootchain=noretry,a")
    assert (daemon.place / "rebooted").read_text() == "-f\n"
    assert "step 0 (a) reboots the computer: new kernel" in ended.log
    assert "a: reboot: reboot -f ended with 5" in ended.log
    assert ended.code == 1


def test_stopped_daemon_says_so_and_takes_the_step_along(daemon: Daemon) -> None:
    daemon.step("a", f'echo $$ >"{daemon.place}/pid"; exec sleep 100000')
    argv = daemon.argv("root=bootchain bootchain=a")
    with subprocess.Popen(argv, env=daemon.env(), stderr=subprocess.PIPE, text=True) as running:
        wait_for_text(daemon.place / "pid", "\n")
        running.terminate()
        _, stderr = running.communicate(timeout=DEADLINE_S)
    ended = daemon.ended(running.returncode, stderr)
    assert (ended.code, ended.lines[-1]["outcome"]) == (143, "stopped")
    assert ended.message == "stopped by signal 15"
    assert not Path(f"/proc/{(daemon.place / 'pid').read_text().strip()}").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--cmdline", "quiet"], "neither root=bootchain nor root=pipeline"),
        (["--frob"], "unknown argument '--frob'"),
        (["--cmdline"], "--cmdline needs a value"),
        (["--cmdline-file", "/nonexistent"], "cannot read /nonexistent"),
        (["--resume", "x"], "--resume is for the daemon itself"),
        (["--resume", "9"], "--resume is for the daemon itself"),
        (["--cmdline", "root=bootchain", "--config", "/nonexistent"], "cannot read /nonexistent"),
    ],
)
def test_usage(daemon: Daemon, arguments: list[str], text: str) -> None:
    argv = [sys.executable, "-I", "-S", str(PACKAGE / "daemon" / "__main__.py"), *arguments]
    done = subprocess.run(argv, env=daemon.env(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_and_version() -> None:
    argv = [sys.executable, "-S", "-m", "bootchain.daemon"]
    env = {"PYTHONPATH": str(PACKAGE.parent)}
    assert (
        "usage: bootchained"
        in subprocess.run([*argv, "--help"], env=env, capture_output=True, text=True, check=True).stdout
    )
    assert (
        "bootchained 0"
        in subprocess.run([*argv, "--version"], env=env, capture_output=True, text=True, check=True).stdout
    )


def test_command_line_from_a_file(daemon: Daemon) -> None:
    daemon.step("a", "break_bc_loop")
    (daemon.place / "cmdline").write_text("BOOT_IMAGE=/vmlinuz root=bootchain bootchain=a\n")
    argv = [*daemon.argv("")[:-2], "--cmdline-file", str(daemon.place / "cmdline")]
    assert subprocess.run(argv, env=daemon.env(), capture_output=True, check=False).returncode == 0


def test_error_in_the_daemon_is_the_last_line_of_the_log(daemon: Daemon) -> None:
    daemon.step("a", "")
    daemon.mnt.write_text("a file in the way")
    ended = daemon.run("root=bootchain bootchain=a")
    assert (ended.code, ended.lines[-1]["outcome"]) == (70, "error")
    assert ended.message.startswith("error in the daemon: ")


def test_chain_log(daemon: Daemon) -> None:
    daemon.step("a", "sleep 0.2")
    daemon.step("b", "exit 3")
    started = time.monotonic()
    ended = daemon.run("root=bootchain bootchain=a,noretry,b,c quiet")
    took_ms = (time.monotonic() - started) * 1000
    start, first, second, finish = ended.lines
    assert [line["n"] for line in ended.lines] == [0, 1, 2, 3]
    assert start["chain"] == ["a", "noretry", "b", "c"]
    assert (start["mode"], start["cmdline"]) == ("native", "root=bootchain bootchain=a,noretry,b,c quiet")
    assert 200 <= first["duration_ms"] <= took_ms
    assert {k: v for k, v in second.items() if k not in ("t", "duration_ms")} == {
        "n": 2,
        "event": "step",
        "number": 1,
        "step": "b",
        "callnum": 0,
        "try": 1,
        "code": 3,
        "skipped": False,
        "remaining": ["c"],
    }
    assert (finish["outcome"], finish["exit_code"], finish["root"]) == ("failed", 1, "")


def test_log_on_a_special_device(daemon: Daemon) -> None:
    master, slave = os.openpty()
    daemon.environment |= {"BC_LOGFILE": os.ttyname(slave), "BC_CHAINLOG": str(daemon.place / "chain.jsonl")}
    daemon.step("a", "message hello; break_bc_loop")
    assert daemon.run("root=bootchain bootchain=a").code == 0
    os.close(slave)
    assert b"a: hello\r\n" in os.read(master, 65536)
    os.close(master)


def test_debug_step_cannot_wish(daemon: Daemon) -> None:
    daemon.step("debug", "break_bc_loop; next_bootchain evil; resolve_target / >&2")
    daemon.step("a", "")
    ended = daemon.run("root=bootchain bootchain=a,a bc_debug")
    assert ended.steps == [("a", 1, 0), ("a", 1, 0)]


def test_long_chains(daemon: Daemon) -> None:
    daemon.step(
        "a",
        'set --; n=0; while [ $n -lt 1200 ]; do set -- "$@" x; n=$((n + 1)); done; next_bootchain "$@" end',
    )
    daemon.step("x", "", api=False)
    daemon.step("end", "break_bc_loop")
    ended = daemon.run("root=bootchain bootchain=a")
    assert (ended.code, len(ended.steps)) == (0, 1202)


def test_daemon_started_by_a_careless_parent(daemon: Daemon) -> None:
    """Descriptors closed, SIGCHLD ignored, signals blocked."""
    body = 'trap "" CHLD; exec "$@" <&- >&- 2>&-'
    daemon.prefix = ("bash", "-c", body, "sh")
    daemon.step("a", 'cat; sh -c "exit 3" || message "code $?"; resolve_target / >&2; break_bc_loop')
    ended = daemon.run("root=bootchain bootchain=a")
    assert ended.code == 0, ended.log
    assert "\na: code 3\n/\n" in ended.log
    assert ended.stderr == ""


def test_daemon_without_device_nodes(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    script = f'mkdir "{daemon.place}/dev"; mount --bind "{daemon.place}/dev" /dev && exec "$@"'
    daemon.prefix = ("sh", "-c", script, "sh")
    daemon.step("a", "cat; break_bc_loop")
    ended = daemon.run("root=bootchain bootchain=a")
    assert ended.code == 0, ended.log + ended.stderr


def test_script_without_the_right_to_execute_runs_as_its_first_line_says(daemon: Daemon) -> None:
    path = daemon.step("kept.sh", 'case "$-" in *f*u* | *u*f*) message "$0" ;; esac', options="-fu")
    path.chmod(0o644)
    (daemon.steps / "bare.sh").write_text('echo "bare: ran" >&2\n')
    ended = daemon.run("root=bootchain bootchain=kept,bare")
    assert [code for _, _, code in ended.steps] == [0, 0]
    assert f"\nkept: {path}\n" in ended.log
    assert "\nbare: ran\n" in ended.log
