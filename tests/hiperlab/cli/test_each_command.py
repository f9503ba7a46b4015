"""What holds for each command: its answer to names that no person would type, to unknown options; its JSON."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from commands import run_command
from hiperlab.cli.main import app
from integration.conftest import environment

UNPRINTABLE = os.fsdecode(b"no such\xff\x1b[31m\n\x9b2Jfile.iso")
TOO_LONG = "x" * 300
BUILDERS = ("qemu build", "payload build", "samples build", "stick create", "stick update")
"""They take names of other kinds, or work for minutes."""


def commands_of(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from commands_of(inner, *path, name)
    else:
        yield " ".join(path), command


COMMANDS = dict(commands_of(typer.main.get_command(app)))
ANY_TEXT = ("chain explain", "chain run", "config explain")
NAMING = [
    name
    for name, command in COMMANDS.items()
    if name in ("boot", "stick boot")  # their argument is a setting
    or (name not in BUILDERS and any(item.param_type_name == "argument" for item in command.params))
]


WITHOUT_JSON = {
    "config schema",  # JSON by itself
    "log",  # its commands have their own options
    *("open", "follow", "chain install"),  # nothing to list
    *("payload build", "qemu build", "stick create", "stick update"),
}


def run(tmp_path: Path, *words: str) -> tuple[int, str]:
    (tmp_path / "home").mkdir(exist_ok=True)
    done = run_command(*words, env=environment(HOME=str(tmp_path / "home"), XDG_STATE_HOME=""), cwd=tmp_path)
    said = done.stdout + done.stderr
    assert "Traceback" not in said and "internal error" not in said, said
    assert not any(sign in said for sign in "\x1b\x9b"), said
    assert len(said) < 5000
    return done.returncode, said


def test_the_commands_are_found() -> None:
    assert {"boot", "show", "import", "config check", "stick add", "payload info"} <= set(NAMING)


def test_no_line_of_a_list_of_commands_is_cut() -> None:
    def lists(command: Any) -> Iterator[Any]:
        if hasattr(command, "commands"):
            yield command
            for inner in command.commands.values():
                yield from lists(inner)

    for group in lists(typer.main.get_command(app)):
        room = 80 - 6 - max(map(len, group.commands))  # as click lays out the list
        for name, command in group.commands.items():
            assert not command.get_short_help_str(room).endswith("..."), name


def test_what_lists_or_changes_something_has_json() -> None:
    with_json = {
        name
        for name, command in COMMANDS.items()
        if any("--json" in getattr(item, "opts", ()) for item in command.params)
    }
    assert set(COMMANDS) - with_json == WITHOUT_JSON


@pytest.mark.parametrize("name", NAMING)
def test_a_hostile_name_is_one_clear_error(tmp_path: Path, name: str) -> None:
    for hostile in (UNPRINTABLE, TOO_LONG):
        code, said = run(tmp_path, *name.split(), hostile)
        if name not in ANY_TEXT:
            assert code in (2, 4) and said.strip(), said


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "log"])
def test_an_option_that_is_not_known_is_named(tmp_path: Path, name: str) -> None:
    code, said = run(tmp_path, *name.split(), "--no-such-option=1")
    assert code == 2 and "No such option: --no-such-option" in said


def test_a_log_root_with_a_name_that_is_too_long(tmp_path: Path) -> None:
    for name in ("list", "prune"):
        code, said = run(tmp_path, name, f"--log-root={TOO_LONG}", *(["--keep=1"] if name == "prune" else []))
        assert code == 4 and "File name too long" in said


def test_an_import_opens_only_what_a_session_may_be(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name, words in (("fifo", "not a file"), ("", "not a session directory"), ("none", "no such file")):
        code, said = run(tmp_path, "import", name)
        assert code == 2 and words in said


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        *(
            (flag, "{}")
            for flag in ("--kernel", "--initrd", "--auto-install", "--persistence", "--dud", "--injection")
        ),
        ("--disk", "{},bus=nvme"),
        ("--conf-replace", "org=/boot/grub/grub.cfg;new={}"),
    ],
)
def test_a_mistyped_file_of_a_setting_is_one_line_and_no_session(
    tmp_path: Path, flag: str, value: str
) -> None:
    (tmp_path / "a.iso").write_bytes(b"")
    (tmp_path / "answers.img").write_bytes(b"")
    code, said = run(tmp_path, "boot", "a.iso", "--log-root=logs", f"{flag}={value.format('answer.img')}")
    assert (code, said) == (
        2,
        f"hiperiso: {flag}: no such file: {tmp_path}/answer.img\n  hint: did you mean answers.img?\n",
    )
    assert not (tmp_path / "logs").exists()


def test_a_search_for_nothing_is_not_a_single_boot(tmp_path: Path) -> None:
    (tmp_path / "a.iso").write_bytes(b"")
    code, said = run(tmp_path, "boot", "a.iso", "--log-root=logs", "--find-min=")
    assert code == 2 and "--find-min: '' is not known" in said and "known: ram, disk" in said


def test_a_pipe_is_not_a_stick(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in ("list", "verify", "update", "collect", "boot"):
        code, said = run(tmp_path, "stick", name, "fifo")
        assert code == 2 and "neither a file nor a block device" in said


def test_a_mistyped_word_names_the_one_that_was_meant(tmp_path: Path) -> None:
    for words, meant in (
        (("bot",), "boot"),
        (("stick", "crate"), "create"),
        (("boot", "--firmwear", "bios", "x.iso"), "--firmware"),
        (("boot", "--firmware", "boos", "x.iso"), "bios"),
        (("boot", "--expect", "instaler", "x.iso"), "installer"),
        (("samples", "build", "login-serail"), "login-serial"),
        (("log", "analyse"), "analyze"),
        (("list", "--stage", "kernal"), "kernel"),
        (("stick", "create", "--set", "x"), "--"),
    ):
        code, said = run(tmp_path, *words)
        assert code == 2 and meant in said, (words, said)
