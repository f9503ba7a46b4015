"""What the README says is true: its commands are such, its quick ones run, its general statements have their tests.

A fenced block of the language ``console`` right below the line ``<!-- quick -->`` holds commands that end within
seconds and boot nothing. Its lines that start with ``$ hiperiso`` are run here, in an empty folder.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from hiperiso.analysis.cli import _parser as log_parser
from hiperiso.contract import files
from hiperiso.contract.row import Where
from hiperiso.contract.settings import ROWS
from hiperiso.errors import ExitCode
from hiperlab.cli.main import app
from waiting import DEADLINE_S

from .repo import ROOT

README = (ROOT / "README.md").read_text()

QUICK_BLOCK = re.compile(r"^<!-- quick -->\n```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def quick_commands(text: str) -> list[str]:
    lines = [line for block in QUICK_BLOCK.findall(text) for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if re.match(r"\$ hiperiso(-log)?( |$)", line)]


def test_the_blocks_are_found() -> None:
    quick = "<!-- quick -->\n```console\n$ hiperiso --help\nUsage: ...\n$ ls\n```\n"
    text = quick + "\n```console\n$ hiperiso boot a.iso\n```\n"
    assert quick_commands(text) == ["hiperiso --help"]


def test_the_quick_commands_of_the_readme_run(tmp_path: Path) -> None:
    commands = quick_commands(README)
    assert commands, "README.md has no quick commands"
    home = {
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in commands:
        done = subprocess.run(
            shlex.split(command, comments=True),
            cwd=tmp_path,
            env={**os.environ, **home, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
    written = {path.relative_to(tmp_path).parts[:2] for path in tmp_path.rglob("*")}
    assert written <= {("state",), ("cache",), ("state", "hiperiso"), ("cache", "hiperiso")}


@pytest.mark.parametrize("line", re.findall(r"^\$ (hiperiso.*)$", README, re.MULTILINE))
def test_each_example_is_a_command_with_its_options(line: str) -> None:
    program, *words = shlex.split(line.partition(" | ")[0], comments=True)
    if "--help" in words:  # the quick commands run
        return
    if program == "hiperiso-log" or words[:1] == ["log"]:
        log_parser().parse_args(words[words[:1] == ["log"] :])
        return
    command = typer.main.get_command(app)
    while children := getattr(command, "commands", None):
        command = children[words.pop(0)]
    command.make_context(program, words)  # an option that there is not, or a bad value, is an error


GENERAL = re.compile(r"\b(?:every|each|any|all|never|nothing|always)\b", re.IGNORECASE)
HELD = {
    "Every boot produces a directory": "integration/test_samples.py::test_the_verdict_is_right",
    "how long each phase took": "hiperiso/analysis/test_phases.py::test_each_phase_lasts_until_the_next_began",
    "prints nothing on a serial port": "integration/test_silent.py::test_a_twin_is_judged_as_its_sample",
    "timeline of all channels": "hiperiso/analysis/html/test_page.py::test_a_boot_that_panics",
    "number of the event": "hiperiso/analysis/test_nextsteps.py::test_evidence_says_when_and_where_it_was_seen",
    "make quick: those that boot nothing, but for the longest": "house/test_readme.py::test_what_make_quick_leaves_out",
    "or nothing was seen": "hiperiso/analysis/test_judge.py::test_what_was_not_finished_is_incomplete",
    "never attributed to the guest": "hiperiso/analysis/test_judge.py::test_faults_of_ours_are_never_the_guests",
    "Every setting of a boot has": "house/test_readme.py::test_every_setting_has_its_variable_in_the_help",
    "every channel on one clock": "hiperiso/session/test_eventlog.py::test_progress_is_of_one_moment",
}
"""A general statement of the README (some words of it) -> the test that holds it, in tests/."""


def test_each_general_statement_has_its_test() -> None:
    lines = [line for line in README.splitlines() if GENERAL.search(line)]
    assert len(lines) >= 5
    missing = [line for line in lines if not any(words in line for words in HELD)]
    assert missing == [], "say less, or name the test that holds it"
    for words, node in HELD.items():
        assert words in README, f"not in the README any more: {words}"
        path, _, name = node.partition("::")
        assert f"def {name}(" in (ROOT / "tests" / path).read_text(), node


def test_what_make_quick_leaves_out() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^quick:.*\n.* -m 'not slow and not boots and not long'$", makefile, re.MULTILINE)


def test_every_setting_has_its_variable_in_the_help() -> None:
    command = typer.main.get_command(app)
    boot = getattr(command, "commands")["boot"]  # noqa: B009 - a group, for mypy too
    parameters = boot.get_params(typer.Context(boot, info_name="boot"))  # some are made on demand
    options = {name: parameter for parameter in parameters for name in parameter.opts}
    rows = [row for row in ROWS.values() if row.applies(Where.WORKSTATION)]
    assert len(rows) > 30
    for row in rows:
        assert row.variable in (options[row.flag].help or ""), row.name


def test_the_table_of_exit_codes_is_the_programs() -> None:
    rows = dict(re.findall(r"^\| (\d) \| (\w+)", README, re.MULTILINE))
    words = {"0": "success", "1": "the", "2": "usage", "3": "incomplete", "4": "harness"}
    assert rows == words
    assert {int(code) for code in rows} == set(ExitCode)


def test_the_files_of_a_session_are_named_as_they_are() -> None:
    (section,) = re.findall(r"^## What a boot produces\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    named = {name.rstrip("/") for name in re.findall(r"`([^`\s]+)`", section)}
    assert len(named) > 8
    assert named <= {
        value for name, value in vars(files).items() if name.isupper() and isinstance(value, str)
    }
