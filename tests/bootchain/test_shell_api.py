"""The shell API, function by function, in each shell, with ``set -efu``."""

from __future__ import annotations

import subprocess

import pytest

from .daemons import ROOM, Daemon

SHELLS = ["bash", "ash", "dash"]
NASTY = [
    "a b",
    "*",
    "'",
    "\\n",
    "$(id)",
    "`id`",
    "-n",
    "-e",
    "--",
    "%s%d",
    "~",
    "ünï\u2028",
    "a;b|c&d",
    "x=y",
    "$HOME",
]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run_step(daemon: Daemon, shell: str, body: str, *, extra: str = "", chain: str = "a") -> tuple[str, int]:
    """Run one step alone. Returns what it left in ``out``, and its code."""
    daemon.step("a", f"exec 4>'{daemon.place}/out'\n{body}", shell=shell)
    ended = daemon.run(f"root=bootchain bootchain=noretry,{chain} {extra}")
    code = ended.steps[-1][2]
    assert code is not None, ended.log
    return daemon.place.joinpath("out").read_text(), code


def test_get_parameter_gives_the_value_by_callnum(daemon: Daemon, shell: str) -> None:
    daemon.step("a", f"get_parameter MOUNTFS >>'{daemon.place}/out'", shell=shell)
    daemon.run("root=bootchain bootchain=a,a,a mountfs=x mountfs=y")
    assert daemon.place.joinpath("out").read_text() == "xy"


def test_get_parameter_maps_dashes(daemon: Daemon, shell: str) -> None:
    body = "get_parameter MOUNTFS_OPTS >&4; get_parameter mountfs-opts >&4; get_parameter mountfs >&4"
    out, code = run_step(daemon, shell, body, extra="mountfs-opts=ro,x mountfs=m")
    assert (out, code) == ("ro,xro,xm", 0)


@pytest.mark.parametrize("value", [v for v in NASTY if '"' not in v])
def test_values_pass_unharmed(daemon: Daemon, shell: str, value: str) -> None:
    body = 'v="$(get_parameter A)"; printf %s "$v" >&4; resolve_target "$destdir" >/dev/null'
    assert run_step(daemon, shell, body, extra=f'"a={value}"') == (value, 0)


@pytest.mark.parametrize("name", [*NASTY, "line\nbreak", 'quo"te', "tab\t"])
def test_resolve_target_passes_any_name(daemon: Daemon, shell: str, name: str) -> None:
    daemon.step("first", "")
    daemon.step(
        "second",
        f"IFS= read -r _ <'{daemon.place}/name' || :\n"
        f"wanted=\"$(cat '{daemon.place}/name')\"\n"
        ': >"$prevdir/$wanted"\n'
        f"resolve_target \"$wanted\" >'{daemon.place}/out'",
        shell=shell,
    )
    daemon.place.joinpath("name").write_text(name)
    ended = daemon.run("root=bootchain bootchain=noretry,first,second")
    assert daemon.place.joinpath("out").read_text() == f"{daemon.mnt}/dst/step0/{name}\n", ended.log


def test_check_parameter_is_fatal_when_empty(daemon: Daemon, shell: str) -> None:
    daemon.step("a", "check_parameter MOUNTFS; check_parameter MOUNTFS_OPTS; echo never >&2", shell=shell)
    ended = daemon.run("root=bootchain bootchain=noretry,a mountfs=x")
    assert ended.steps == [("a", 1, 1)]
    assert "a: required parameter is empty: MOUNTFS_OPTS\n" in ended.log
    assert "never" not in ended.log


def test_check_parameter_passes(daemon: Daemon, shell: str) -> None:
    assert run_step(daemon, shell, "check_parameter A; check_parameter a; echo ok >&4", extra="a=1") == (
        "ok\n",
        0,
    )


def test_resolve_target_never_fails(daemon: Daemon, shell: str) -> None:
    body = (
        'x="$(resolve_target step-4/x)"; y="$(resolve_target pipe9)"; z="$(resolve_target nothing)"\n'
        'printf "<%s>" "$x" "$y" "$z" "$(resolve_target pipe0/new/x-*)" "$(resolve_target /no/such)" >&4'
    )
    out, code = run_step(daemon, shell, body)
    assert (out, code) == (f"<><><><{daemon.mnt}/dst/step0/new/x-*></no/such>", 0)
    assert "a: where: nothing: there is no previous result to look in\n" in daemon.log.read_text()


def test_devname_alone_is_the_content_of_the_file(daemon: Daemon, shell: str) -> None:
    daemon.step("dev", 'echo /dev/null >"$destdir/DEVNAME"')
    daemon.step("a", 'for t in DEVNAME pipe0/DEVNAME dev; do resolve_target "$t" >&2; done', shell=shell)
    ended = daemon.run("root=bootchain bootchain=dev,a")
    assert f"\n/dev/null\n{daemon.mnt}/dst/step0/DEVNAME\n{daemon.mnt}/dst/step0/dev\n" in ended.log


def test_resolve_devname(daemon: Daemon, shell: str) -> None:
    body = (
        'echo /dev/null >"$destdir/DEVNAME"; resolve_devname "$destdir" >&4\n'
        'mkdir "$datadir/e"; resolve_devname "$datadir/e" >&4; resolve_devname "$datadir/none" >&4\n'
        'resolve_devname "" >&4; resolve_devname >&4; resolve_devname "$destdir/DEVNAME" >&4\n'
        'echo nonsense >"$datadir/e/DEVNAME"; resolve_devname "$datadir/e" >&4\n'
        'prevdir="$destdir"; resolve_devname >&4'
    )
    assert run_step(daemon, shell, body) == ("/dev/null\n/dev/null\n", 0)


def test_messages_go_to_standard_error_with_the_name(daemon: Daemon, shell: str) -> None:
    out, _ = run_step(
        daemon, shell, 'message "a  b" "*" -n; verbose quiet; debug x; enter x; leave x; message'
    )
    assert out == ""
    log = daemon.log.read_text()
    assert "\na: a  b * -n\na: \n" in log
    assert "quiet" not in log


def test_debug_functions_speak_in_debug_mode(daemon: Daemon, shell: str) -> None:
    body = (
        'debug one two; enter f 1; leave f; verbose loud; printf \'l1\\nl2\' >"$datadir/f"; fdump "$datadir/f"\n'
        'fdump /nonexistent; run true x; assign A "b c"; fdump'
    )
    _, code = run_step(daemon, shell, body, extra="bc_debug")
    log = daemon.log.read_text()
    assert code == 0, log
    for line in ("DEBUG: one two", "ENTER: f 1", "LEAVE: f", "loud", "RUN: true x", "ASSIGN: A='b c'"):
        assert f"\na: {line}\n" in log
    assert "\nl1\nl2\n" in log
    assert "FDUMP: /nonexistent: no such file" in log


def test_debug_functions_are_silent_and_harmless_else(daemon: Daemon, shell: str) -> None:
    body = "debug x\nenter x\nleave x\nverbose x\nfdump /nonexistent\nassign A b\nrun true\necho ok >&4"
    assert run_step(daemon, shell, body) == ("ok\n", 0)
    assert "a: " not in daemon.log.read_text()


def test_run_returns_the_code(daemon: Daemon, shell: str) -> None:
    body = "run sh -c 'exit 7' || echo $? >&4\nrun sh -c 'printf \"%s|\" \"$@\"' x 'a b' '*' '' >&4"
    assert run_step(daemon, shell, body) == ("7\na b|*||", 0)


def test_failing_run_ends_a_script_under_set_e(daemon: Daemon, shell: str) -> None:
    assert run_step(daemon, shell, "run false\necho never >&4") == ("", 1)


def test_assign_computes_the_left_side(daemon: Daemon, shell: str) -> None:
    body = (
        'assign "V$callnum" "a b"; echo "$V0" >&4; assign W=1=2; echo "$W" >&4; assign X = "p  q"; echo "$X" >&4\n'
        'assign Y; echo "<$Y>" >&4; assign Z \'$(echo $V0)\'; echo "$Z" >&4\n'
        'n=0; assign "U\\$n" "\\$V0 \\${X}"; echo "$U0" >&4; assign S "it\'s *"; echo "$S" >&4'
    )
    assert run_step(daemon, shell, body) == ("a b\n1=2\np  q\n<>\na b\na b p  q\nit's *\n", 0)


def test_assign_takes_an_element_of_an_array_under_bash(daemon: Daemon) -> None:
    body = 'assign "a[1]" v; assign "a[$((1 + 1))]" "\\${a[1]}w"; echo "${a[*]}" >&4; assign "a[" x'
    assert run_step(daemon, "bash", body) == ("v vw\n", 1)


def test_assign_refuses_what_is_not_a_variable(daemon: Daemon, shell: str) -> None:
    assert run_step(daemon, shell, "assign 'x;id' 1\necho never >&4") == ("", 1)


def test_fatal_ends_with_1(daemon: Daemon, shell: str) -> None:
    assert run_step(daemon, shell, "fatal 'no way'\necho never >&4") == ("", 1)
    assert "\na: no way\n" in daemon.log.read_text()


def test_initrd_version(daemon: Daemon, shell: str) -> None:
    out, code = run_step(daemon, shell, "initrd_version >&4")
    assert code == 0
    assert out.strip()


def test_functions_do_not_leak_into_the_options_of_the_script(daemon: Daemon, shell: str) -> None:
    out, _ = run_step(daemon, shell, "resolve_target / >/dev/null\necho $- >&4")
    assert {"e", "f", "u"} <= set(out.strip())


@pytest.mark.parametrize("shell", [*SHELLS, "posix"])
def test_libraries_are_found_after_a_new_path(daemon: Daemon, shell: str) -> None:
    body = (
        "PATH=/usr/bin:/bin\n. image-sh-functions\n. interactive-sh-functions; . shell-error\n"
        f"echo 'mine() {{ echo mine >&4; }}' >'{daemon.place}/lib'; . '{daemon.place}/lib'; mine\n"
        "command -v mount_image >&4; command -v IM_choice >&4"
    )
    assert run_step(daemon, shell, body) == ("mine\nmount_image\nIM_choice\n", 0)


def test_without_options(daemon: Daemon, shell: str) -> None:
    daemon.step("a", f"resolve_target nope\necho $? >'{daemon.place}/out'", shell=shell, options="")
    daemon.run("root=bootchain bootchain=a")
    assert daemon.place.joinpath("out").read_text() == "0\n"


def test_both_libraries_have_the_api(daemon: Daemon, shell: str) -> None:
    daemon.step("a", '. pipeline-sh-functions\nmessage "$(get_parameter MOUNTFS)"', shell=shell, api=False)
    assert "\na: xyz\n" in daemon.run("root=pipeline pipeline=a mountfs=xyz").log


@pytest.mark.parametrize("call", ["resolve_target x", "next_bootchain a", "break_bc_loop", "bypass_results"])
def test_outside_the_daemon_there_is_a_clear_error(daemon: Daemon, shell: str, call: str) -> None:
    script = f". '{ROOM}/bootchain-sh-functions'\n{call}\necho $?"
    argv = [daemon.interpreter(shell), "-c", script, "me"]
    done = subprocess.run(argv, env={"PATH": "/bin"}, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    assert ": no bootchained daemon to ask (BC_WISH is not set)" in done.stderr


def test_outside_the_daemon_what_needs_none_works(daemon: Daemon, shell: str) -> None:
    script = (
        f"set -efu; . '{ROOM}/bootchain-sh-functions'; message x; get_parameter A; run echo y; initrd_version"
    )
    argv = [daemon.interpreter(shell), "-c", script, "me"]
    env = {"PATH": "/bin", "callnum": "1", "A1": "v"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("vy\nunknown\n", "me: x\n")


def test_no_call_starts_a_process(daemon: Daemon, shell: str) -> None:
    """The kernel's own record: the daemon and the step are the only two processes."""
    body = (
        "check_parameter A; get_parameter A; resolve_target /; resolve_devname / || :; debug x; enter x; leave x\n"
        "fdump x; assign B c; next_bootchain a b; is_step_passed || :; is_step_passed b || :; launch_step_once\n"
        'break_bc_loop; bypass_results "$datadir"; initrd_version; message x; verbose x'
    )
    daemon.step("a", body, shell=shell)
    trace = daemon.place / "trace"
    daemon.prefix = ("strace", "-f", "-qq", "-e", "trace=process", "-o", str(trace))
    ended = daemon.run("root=bootchain bootchain=noretry,a a=1 bc_debug=0")
    assert ended.code == 0, ended.log
    assert len({line.split()[0] for line in trace.read_text().splitlines()}) == 2


def test_many_may_ask_at_once(daemon: Daemon, shell: str) -> None:
    """Both sides of a pipe, and jobs in the background: each gets its own answer."""
    body = (
        'for n in 1 2 3 4 5 6 7 8; do : >"$destdir/f$n"; done; dst="$mntdir/dst/step0"\n'
        "for n in 1 2 3 4 5 6 7 8; do\n"
        '  ( for m in 1 2 3 4 5 6 7 8; do [ "$(resolve_target "$dst/f$n")" = "$dst/f$n" ]; done; echo "$n" >&4 ) &\n'
        "done\nwait\n"
        'cat "$(resolve_target /dev/null)" | cat - "$(resolve_target /dev/null)" >&4'
    )
    out, code = run_step(daemon, shell, body)
    assert code == 0, daemon.log.read_text()
    assert sorted(out.split()) == list("12345678")


@pytest.mark.parametrize("moment", ["", "_bc_put 'BC1 3' lost target /usr;"], ids=["before", "after"])
def test_asker_that_was_killed_blocks_no_other(daemon: Daemon, shell: str, moment: str) -> None:
    body = f"( _bc_take; {moment} exec sh -c 'kill -9 $$' ) 2>/dev/null || :\nresolve_target /dev >&4"
    assert run_step(daemon, shell, body) == ("/dev\n", 0)


def test_bypass_takes_a_relative_directory(daemon: Daemon, shell: str) -> None:
    daemon.step("a", 'cd "$datadir"; mkdir sub; bypass_results sub', shell=shell)
    daemon.step("b", 'echo "$prevdir" >&2')
    assert f"\n{daemon.mnt}/src/step0/sub\n" in daemon.run("root=bootchain bootchain=a,b").log
