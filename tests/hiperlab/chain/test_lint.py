"""The linter of step-scripts, each rule by a script that breaks it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bootchain.daemon.places import BUILTIN_STEPS
from hiperlab.chain.lint import Problem, check_directory
from waiting import DEADLINE_S

GOOD = """\
#!/bin/sh -efu
. bootchain-sh-functions
check_parameter X
helper() { message "$1"; }
helper "$(get_parameter X)"
"""


def lint(folder: Path, text: str, name: str = "step", mode: int = 0o755) -> list[Problem]:
    (folder / name).write_text(text)
    (folder / name).chmod(mode)
    return check_directory(folder)


def rules(problems: list[Problem]) -> set[tuple[str, str]]:
    return {(problem.severity, problem.rule) for problem in problems}


@pytest.mark.parametrize("name", ["step", "step.sh", "step-2"])
def test_a_good_script_has_no_problem(tmp_path: Path, name: str) -> None:
    assert lint(tmp_path, GOOD, name) == []


def test_options_by_set_are_options(tmp_path: Path) -> None:
    assert lint(tmp_path, GOOD.replace(" -efu", "\nset -ef\nset -u", 1)) == []


@pytest.mark.parametrize(
    ("text", "name", "mode", "problem"),
    [
        (GOOD.replace(" -efu", ""), "step", 0o755, ("warning", "no-options")),
        (GOOD.replace(" -efu", " -ef"), "step", 0o755, ("warning", "no-options")),
        (GOOD, "step", 0o644, ("error", "not-executable")),
        (GOOD, "noop", 0o755, ("error", "pseudo-name")),
        (GOOD, "retry.sh", 0o755, ("error", "pseudo-name")),
        (GOOD, "a,b", 0o755, ("error", "bad-name")),
        (GOOD[15:], "step", 0o755, ("error", "no-interpreter")),
        (GOOD.replace("/bin/sh", "/bin/nosuchshell"), "step", 0o755, ("error", "no-interpreter")),
        (GOOD + "if true; then\n", "step", 0o755, ("error", "syntax")),
        (GOOD + "resolve_traget x\n", "step", 0o755, ("error", "unknown-call")),
        (GOOD + 'x="$(reslove_target x)"; echo "$x"\n', "step", 0o755, ("error", "unknown-call")),
        (GOOD + "if is_step_pased; then :; fi\n", "step", 0o755, ("error", "unknown-call")),
        ("#!/bin/sh -efu\nbreak_bc_loop\n", "step", 0o755, ("warning", "no-api")),
        (GOOD + "next_bootchain nosuchstep,mountfs\n", "step", 0o755, ("warning", "unknown-step")),
        (GOOD + "exit 2\n", "step", 0o755, ("warning", "exit-2")),
        ("def f(:\n", "step.py", 0o644, ("error", "syntax")),
    ],
)
def test_each_rule(tmp_path: Path, text: str, name: str, mode: int, problem: tuple[str, str]) -> None:
    assert rules(lint(tmp_path, text, name, mode)) == {problem}


def test_the_line_is_named(tmp_path: Path) -> None:
    problems = lint(tmp_path, GOOD + "# exit 2\necho 'x; nosuch_function'\nnosuch_function a\n")
    assert [(p.rule, p.line) for p in problems] == [("unknown-call", 8)]


def test_steps_of_the_folder_and_built_in_ones_are_known(tmp_path: Path) -> None:
    lint(tmp_path, GOOD, "other")
    assert lint(tmp_path, GOOD + 'next_bootchain other,mountfs noop "$rest"\n') == []


def test_a_library_beside_the_script_is_read(tmp_path: Path) -> None:
    (tmp_path / "own-sh-functions").write_text("own_function() { :; }\n")
    text = GOOD.replace("helper()", ". own-sh-functions\nown_function\nhelper()")
    assert lint(tmp_path, text) == []
    assert rules(lint(tmp_path, text + "other_function\n")) == {("error", "unknown-call")}


def test_the_built_in_steps_have_no_errors() -> None:
    assert not [problem for problem in check_directory(Path(BUILTIN_STEPS)) if problem.severity == "error"]


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "hiperlab.cli.main", "chain", "check", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=DEADLINE_S)


def test_the_command(tmp_path: Path) -> None:
    lint(tmp_path, GOOD)
    assert (check(str(tmp_path)).returncode, check(str(tmp_path)).stdout) == (0, "0 error(s), 0 warning(s)\n")
    lint(tmp_path, GOOD + "nosuch_function\n")
    done = check("--json", str(tmp_path))
    assert done.returncode == 1
    assert [problem["rule"] for problem in json.loads(done.stdout)] == ["unknown-call"]
    assert check(str(tmp_path / "missing")).returncode == 2


@pytest.mark.parametrize(
    "call",
    [
        "while ! no_such_thing; do sleep 1; done",
        "until no_such_thing x; do sleep 1; done",
        "while no_such_thing; do :; done",
        "! no_such_thing || :",
        "true || no_such_thing",
        "true && ! no_such_thing",
        "if ! no_such_thing; then :; fi",
        'x="$(! no_such_thing)"',
        "( no_such_thing )",
    ],
)
def test_calls_are_seen_wherever_a_command_may_stand(tmp_path: Path, call: str) -> None:
    assert ("error", "unknown-call") in rules(lint(tmp_path, f"{GOOD}{call}\n"))


@pytest.mark.parametrize(
    "text",
    [
        "while ! resume_checked; do sleep 1; done\nreadline x /dev/null; rootdelay_pause; has_feature x || :",
        ". pipeline-sh-functions\nin_comma_list a b || pipe_fatal no_such_thing",
        ". interactive-sh-functions\nIM_load_all\nif ! IM_choice x y a b; then IM_errmsg no_such_thing; fi",
        ". shell-signal\nset_cleanup_handler no_such_thing",
        "message no_such_thing ! no_such_thing",
        "echo '! no_such_thing'",
    ],
)
def test_what_scripts_rely_on_is_known(tmp_path: Path, text: str) -> None:
    assert not [p for p in lint(tmp_path, f"{GOOD}{text}\n") if p.rule in ("unknown-call", "no-api")]
