"""Plans: numbers, parameters and addresses of a command line, and what can never work."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from hiperlab.chain.lint import builtin_steps
from hiperlab.chain.plan import Plan, explain
from waiting import DEADLINE_S

SCRIPTS = builtin_steps()
CDROM = (
    "root=bootchain bootchain=waitdev,mountfs,mountfs,overlayfs,rootfs "
    "waitdev=CDROM:LABEL=ALT_regular-rescue/x86_64 mountfs=DEVNAME mountfs=rescue"
)


def plan(chain: str, parameters: str = "", root: str = "bootchain") -> Plan:
    return explain(f"root={root} bootchain={chain} {parameters}", {**SCRIPTS, "work": "/steps/work"})


def reads(made: Plan) -> list[list[str]]:
    return [
        [read.path or read.problem for read in step.reads] for step in made.steps if step.number is not None
    ]


def problems(made: Plan) -> list[str]:
    of_steps = [problem for step in made.steps for problem in step.problems]
    return [
        *made.problems,
        *of_steps,
        *(read.problem for step in made.steps for read in step.reads if read.problem),
    ]


def test_the_example_of_the_document() -> None:
    made = explain(CDROM, SCRIPTS)
    assert made.sound and made.mode == "native" and made.tries == 5
    assert [(s.name, s.number, s.callnum, s.previous) for s in made.steps] == [
        ("waitdev", 0, 0, None),
        ("mountfs", 1, 0, 0),
        ("mountfs", 2, 1, 1),
        ("overlayfs", 3, 0, 2),
        ("rootfs", 4, 0, 3),
    ]
    assert [s.parameters for s in made.steps][1:3] == [(("MOUNTFS0", "DEVNAME"),), (("MOUNTFS1", "rescue"),)]
    dst = "/dev/bootchain/dst"
    assert reads(made)[1:] == [
        ["/dev/<device of step 0>"],
        [f"{dst}/step1/rescue"],
        [f"{dst}/step2"],
        [f"{dst}/step3"],
    ]
    assert made.steps[0].reads[0].what == "the device CDROM:LABEL=ALT_regular-rescue/x86_64"
    assert made.end == "step 4 (rootfs) ended the chain"


def test_the_second_example_runs_in_compatibility_mode() -> None:
    made = explain(
        "root=pipeline pipeline=getimage,mountfs,overlayfs,rootfs getimage=http://host/vi.iso mountfs=rescue",
        SCRIPTS,
    )
    assert made.sound and (made.mode, made.mntdir) == ("pipeline", "/dev/pipeline")
    assert made.log_file == "/var/log/pipelined.log"
    assert reads(made)[1] == ["/dev/pipeline/dst/step0/rescue"]


def test_pseudo_steps_have_no_number_and_say_what_they_do() -> None:
    made = plan("work,noop,noretry,fg,work,retry,work")
    assert [(s.name, s.number) for s in made.steps] == [
        ("work", 0), ("noop", None), ("noretry", None), ("fg", None), ("work", 1), ("retry", None), ("work", 2)
    ]  # fmt: skip
    assert [s.previous for s in made.steps if s.number is not None] == [None, None, 1]
    assert "/dev/tty2" in made.steps[3].note
    assert made.end.startswith("the chain is exhausted")


@pytest.mark.parametrize(
    ("chain", "parameters", "problem"),
    [
        ("mountfs", "mountfs=pipe3/x", "pipe3/x: step 3 has not run yet (this is step 0)"),
        ("work,mountfs", "mountfs=step-5/x", "step-5/x: out of range, only 1 step(s) came before this one"),
        ("work,mountfs", "mountfs=../x", "../x: points outside of /dev/bootchain/dst/step0"),
        ("work,noop,mountfs", "mountfs=x", "x: there is no previous result to look in"),
        ("mountfs,mountfs", "mountfs=/a", "required parameter is empty: MOUNTFS1 (1 given)"),
        ("mountfs", "mountfs=/a mountfs=/b", "MOUNTFS1=/b is not read by any step: mountfs is called once"),
        ("work", "waitdev=LABEL=x", "WAITDEV0=LABEL=x is not read by any step: waitdev is not in the chain"),
        ("nosuch", "", "no step-script 'nosuch'"),
        ("work,rootfs,work", "", "is never reached"),
        ("rootfs", "", "no previous result to use as root"),
        ("waitdev", "waitdev=LABEL=", "LABEL"),
    ],
)
def test_what_can_never_work_is_found(chain: str, parameters: str, problem: str) -> None:
    made = plan(chain, parameters)
    assert not made.sound
    assert any(problem in found for found in problems(made)), problems(made)


def test_parameters_of_other_software_are_not_a_problem() -> None:
    assert plan("work,rootfs", "quiet console=ttyS0 mem=1G init=/bin/sh").sound


def test_options_belong_to_their_step() -> None:
    made = plan("mountfs", 'mountfs=/a mountfs-opts="ro,noatime x"')
    assert made.sound
    assert made.steps[0].parameters == (("MOUNTFS0", "/a"), ("MOUNTFS_OPTS0", "ro,noatime x"))


def test_without_a_mode_the_daemon_would_not_start() -> None:
    made = explain("root=/dev/sda1 quiet", SCRIPTS)
    assert made.problems == ("neither root=bootchain nor root=pipeline: the daemon would not start",)


def test_overlay_layers_and_versions() -> None:
    made = plan("work,work,overlayfs,mountfs", "overlayfs=pipe0,step-1/a mountfs=lastver:vmlinuz-*")
    assert reads(made)[2] == ["/dev/bootchain/dst/step0", "/dev/bootchain/dst/step1/a"]
    assert made.steps[3].reads[0].what == "the highest version of vmlinuz-*"


def hiperiso(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "hiperlab.cli.main", "chain", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=DEADLINE_S)


def test_the_command_prints_the_plan() -> None:
    done = hiperiso("explain", CDROM)
    assert done.returncode == 0, done.stderr
    assert "   2  mountfs, call 1, after step 1 -> /dev/bootchain/dst/step2" in done.stdout
    assert "reads rescue: /dev/bootchain/dst/step1/rescue" in done.stdout
    made = json.loads(hiperiso("explain", "--json", CDROM).stdout)
    assert made["sound"] and made["steps"][4]["name"] == "rootfs"


def test_the_command_fails_for_a_plan_that_cannot_work() -> None:
    done = hiperiso("explain", "root=bootchain bootchain=mountfs mountfs=\x1b[31m")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout and "there is no previous result" in done.stdout


def test_a_misspelt_name_of_a_device_is_answered_with_what_the_step_before_leaves() -> None:
    """The first example of the document, as it is printed."""
    plan = explain(
        "root=bootchain bootchain=waitdev,mountfs,mountfs,overlayfs,rootfs "
        "waitdev=CDROM:LABEL=ALT_regular-rescue/x86_64 mountfs=DEVNANE mountfs=rescue",
        builtin_steps(),
    )
    assert not plan.sound
    problem = plan.steps[1].reads[0].problem
    assert problem.endswith("there: DEVNAME, dev; nearest: DEVNAME")
    assert not plan.steps[2].reads[0].problem
