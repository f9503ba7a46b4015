"""Step-scripts in the style of the pipeline feature, run unchanged in each shell, under both daemons' modes.

They use every function that the document lists, with ``set -efu`` from the shebang line, arrays by callnum, sub-shells,
traps, loops over lists, here-documents and their own functions, as such scripts do.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .daemons import Daemon

SCRIPTS = Path(__file__).parent / "scripts"
SHELLS = ["bash", "ash", "dash", "posix"]


@pytest.fixture(params=SHELLS)
def shelled(request: pytest.FixtureRequest, daemon: Daemon) -> Daemon:
    """The scripts with their first line for one shell, and nothing else changed."""
    interpreter = daemon.interpreter(str(request.param))
    for script in SCRIPTS.iterdir():
        first, _, rest = script.read_text().partition("\n")
        assert first == "#!/bin/bash -efu"
        path = daemon.steps / script.name
        path.write_text(f"#!{interpreter} -efu\n{rest}")
        path.chmod(0o755)
    (daemon.place / "bin" / "reboot").write_text("#!/bin/sh\nexit 1\n")
    (daemon.place / "bin" / "reboot").chmod(0o755)
    return daemon


def said(daemon: Daemon, name: str) -> list[str]:
    prefix = f"{name}: "
    return [
        line.removeprefix(prefix) for line in daemon.log.read_text().splitlines() if line.startswith(prefix)
    ]


@pytest.mark.parametrize("mode", ["root=pipeline pipeline", "root=bootchain bootchain"])
def test_producer_and_consumers(shelled: Daemon, mode: str) -> None:
    ended = shelled.run(
        f'{mode}=produce,consume,consume,combine,finish produce="a file, with * and spaces" '
        'consume=out consume=step-2/out "combine=pipe0,step-1" quiet'
    )
    dst = shelled.mnt / "dst"
    assert ended.code == 0, ended.log
    assert [(name, code) for name, _, code in ended.steps] == [
        ("produce", 0),
        ("consume", 0),
        ("consume", 0),
        ("combine", 0),
        ("finish", 2 if "pipeline" in mode else 0),
    ]
    assert said(shelled, "consume") == [
        f"call 0 target={dst}/step0/out text=a file, with * and spaces",
        f"call 1 target={dst}/step0/out text=a file, with * and spaces",
    ]
    assert said(shelled, "combine") == [f"part {dst}/step0", f"part {dst}/step2", "2 parts"]


def test_every_function_in_debug_mode(shelled: Daemon) -> None:
    ended = shelled.run("root=bootchain bootchain=produce,everything produce=x everything=out bc_debug")
    assert ended.code == 0, ended.log
    assert said(shelled, "everything")[-1] == "all done"
    for mark in ("DEBUG: ", "ENTER: ", "LEAVE: ", "RUN: ", "ASSIGN: RESULT0=", "FDUMP: "):
        assert any(line.startswith(mark) for line in said(shelled, "everything")), mark


def test_every_function_quietly(shelled: Daemon) -> None:
    ended = shelled.run("root=bootchain bootchain=produce,everything produce=x everything=out")
    assert ended.code == 0, ended.log
    assert said(shelled, "everything") == ["first time", "all done"]


def test_failures_are_seen(shelled: Daemon) -> None:
    """A parameter that is missing, a target that is missing: code 1, a message, and no line further."""
    ended = shelled.run("root=pipeline pipeline=consume pipe-retry=2")
    assert [code for _, _, code in ended.steps] == [1, 1]
    assert said(shelled, "consume") == ["required parameter is empty: CONSUME"] * 2
    ended = shelled.run("root=pipeline pipeline=produce,consume pipe-retry=1 produce=x consume=nothing")
    assert said(shelled, "consume")[-1] == f"not a file: {shelled.mnt}/dst/step0/nothing"


def test_menu_goes_there_and_back(shelled: Daemon) -> None:
    ended = shelled.run("root=bootchain bootchain=menu menu=work menu=back menu=leave")
    assert ended.code == 0, ended.log
    assert [name for name, _, _ in ended.steps] == ["menu", "work", "menu", "once", "menu", "finish"]
    assert said(shelled, "menu") == ["turn 0, call 0: work", "turn 1, call 0: back", "turn 2, call 0: leave"]
