"""The menu step: what it reads, and how it leads the chain of a real daemon."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootchain.menufile import MenuError, menu_of_directory, parse_menu

from ..daemons import Daemon, Ended
from .terminals import DOWN, ENTER, ESCAPE, OnTerminal

MENU = """\
# what is on the stick
title = Stick
timeout = 0
One system = one,rootfs
Other system (a=b) = other
More = @more.menu
"""


def test_a_menu_file() -> None:
    menu = parse_menu(MENU, "boot.menu")
    assert (menu.title, menu.default, menu.timeout_s) == ("Stick", "", 0.0)
    assert [(e.label, e.chain, e.below) for e in menu.entries] == [
        ("One system", ("one", "rootfs"), ""),
        ("Other system (a=b)", ("other",), ""),
        ("More", (), "more.menu"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing to choose from"),
        ("title = only", "nothing to choose from"),
        ("no chain here", "line 1: not LABEL = CHAIN"),
        ("A =", "line 1: not LABEL = CHAIN"),
        ("= chain", "line 1: not LABEL = CHAIN"),
        ("A = ,", "line 1: no steps"),
        ("A = ../evil", "'../evil' is not the name of a step"),
        ("A = @/etc/passwd", "is not a menu beside this one"),
        ("A = @../other.menu", "is not a menu beside this one"),
        ("timeout = soon\nA = b", "soon is not a number of seconds"),
    ],
)
def test_a_wrong_menu_says_where(text: str, why: str) -> None:
    with pytest.raises(MenuError) as caught:
        parse_menu(text, "boot.menu")
    assert why in str(caught.value)


def test_a_directory_is_a_menu() -> None:
    files = [("b.chain", "# note\n\n waitdev,mountfs \n"), ("a.menu", ""), ("README", "x"), (".chain", "x")]
    menu = menu_of_directory(files, "/boot")
    assert [(e.label, e.chain, e.below) for e in menu.entries] == [
        ("a", (), "a.menu"),
        ("b", ("waitdev", "mountfs"), ""),
    ]
    with pytest.raises(MenuError, match="neither"):
        menu_of_directory([("README", "")], "/boot")


@contextlib.contextmanager
def on_terminal(daemon: Daemon, cmdline: str, *, term: str) -> Iterator[tuple[OnTerminal, list[Ended]]]:
    """A daemon whose interactive terminal is the pty. The list gets how it ended when the block is left."""
    ended: list[Ended] = []
    with OnTerminal(
        ["sh", "-c", 'BC_FGVT="$BC_TERMINAL" exec "$@"', "sh", *daemon.argv(cmdline)],
        term=term,
        env=daemon.env(),
    ) as terminal:
        yield terminal, ended
        code, _, stderr = terminal.end(30)
        ended.append(daemon.ended(code, stderr))


@pytest.fixture
def menus(daemon: Daemon, tmp_path: Path) -> Path:
    for name in ("one", "other", "third", "after"):
        daemon.step(name, 'message "here $(get_parameter MENU)"')
    daemon.step("last", "break_bc_loop")
    daemon.step("again", "next_bootchain menu")
    folder = tmp_path / "menus"
    folder.mkdir()
    (folder / "boot.menu").write_text(
        "title = Stick\nOne = one,last\nGo round = third,again\nMore = @more.menu\n"
    )
    (folder / "more.menu").write_text("Other = other,last\nThird = third,last\n")
    return folder / "boot.menu"


def test_the_choice_replaces_the_chain(daemon: Daemon, menus: Path) -> None:
    with on_terminal(daemon, f"root=bootchain bootchain=fg,menu,after menu={menus}", term="linux") as (
        terminal,
        ended,
    ):
        terminal.see("Esc: Leave the menu")
        terminal.type(DOWN + DOWN + ENTER)
        terminal.see("Third")
        terminal.type(DOWN + ENTER)
    assert [name for name, _, _ in ended[0].steps] == ["menu", "third", "last"]
    assert ended[0].code == 0
    assert "menu: Third: third,last" in ended[0].log


def test_the_way_back_from_below_and_out_of_the_menu(daemon: Daemon, menus: Path) -> None:
    with on_terminal(daemon, f"root=bootchain bootchain=fg,menu,last menu={menus}", term="linux") as (
        terminal,
        ended,
    ):
        terminal.see("Esc: Leave the menu")
        terminal.type(DOWN + DOWN + ENTER)
        terminal.see("Esc: Back")
        terminal.type(ESCAPE)
        while terminal.shown.count("Leave the menu") < 2:
            assert terminal.read(10), terminal.shown
        terminal.type(ESCAPE)
    assert [name for name, _, _ in ended[0].steps] == ["menu", "last"], "the chain goes on as it was"
    assert "left without a choice" in ended[0].log


def test_a_chain_leads_back_to_the_menu(daemon: Daemon, menus: Path) -> None:
    with on_terminal(daemon, f"root=bootchain bootchain=fg,menu menu={menus}", term="dumb") as (
        terminal,
        ended,
    ):
        terminal.see("Number [1], q: Leave the menu: ")
        terminal.type("2\n")
        terminal.see("Number [2], q: Leave the menu: ")
        terminal.type("1\n")
    assert [name for name, _, _ in ended[0].steps] == ["menu", "third", "again", "menu", "one", "last"]


def test_a_timeout_takes_the_default(daemon: Daemon, menus: Path) -> None:
    cmdline = f"root=bootchain bootchain=fg,menu menu={menus} menu-default=One menu-timeout=0.3"
    with on_terminal(daemon, cmdline, term="linux") as (_, ended):
        pass
    assert [name for name, _, _ in ended[0].steps] == ["menu", "one", "last"]


def test_in_the_background_the_default_is_taken(daemon: Daemon, menus: Path) -> None:
    ended = daemon.run(f"root=bootchain bootchain=menu menu={menus} menu-default=One")
    assert [name for name, _, _ in ended.steps] == ["menu", "one", "last"]
    assert "taking the default" in ended.log


def test_in_the_background_without_a_default_it_fails(daemon: Daemon, menus: Path) -> None:
    ended = daemon.run(f"root=bootchain bootchain=noretry,menu menu={menus}")
    assert (ended.code, ended.steps) == (1, [("menu", 1, 1)])
    assert (
        "menu: there is no terminal to ask on: put the step fg before this one, or name a default"
        in ended.log
    )


def test_a_directory_of_chains(daemon: Daemon, menus: Path) -> None:
    (menus.parent / "x.chain").write_text("other,last\n")
    ended = daemon.run(f"root=bootchain bootchain=menu menu={menus.parent} menu-default=x")
    assert [name for name, _, _ in ended.steps] == ["menu", "other", "last"], ended.log


@pytest.mark.parametrize(
    ("parameters", "why"),
    [("", "required parameter is empty: MENU0"), ("menu=/nonexistent", "/nonexistent: no such file"),
     ("menu=step-5/x", "out of range")],
)  # fmt: skip
def test_a_menu_that_is_not_there(daemon: Daemon, parameters: str, why: str) -> None:
    ended = daemon.run(f"root=bootchain bootchain=noretry,menu {parameters}")
    assert ended.code == 1
    assert why in ended.log


def test_the_step_after_the_menu_sees_the_result_before_it(daemon: Daemon, menus: Path) -> None:
    daemon.step("make", 'mkdir "$destdir/medium"')
    daemon.step("one", 'message "before: $(ls "$prevdir")"')
    ended = daemon.run(f"root=bootchain bootchain=make,menu menu={menus} menu-default=One")
    assert "one: before: medium" in ended.log
