"""The kernel's way of splitting, and arrays by callnum."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootchain.cmdline import Parameters, arrays_of, names, split, variable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("quiet", [("quiet", None)]),
        ("a=1 b\tc=2\n", [("a", "1"), ("b", None), ("c", "2")]),
        ('a="x y" b', [("a", "x y"), ("b", None)]),
        ('"a=x y" b', [("a", "x y"), ("b", None)]),
        ('a="x y', [("a", "x y")]),
        ('a=x"y z"w', [("a", 'x"y z"w')]),
        ('a="', [("a", "")]),
        ('a=""', [("a", "")]),
        ("a=b=c", [("a", "b=c")]),
        ("=x", [("=x", None)]),
        ("=x=y", [("=x", "y")]),
        ("a=1 -- b=2", [("a", "1")]),
        ('a=1 "--" b=2', [("a", "1")]),
        ("--=1 b", [("--", "1"), ("b", None)]),
        ('"a b"', [("a b", None)]),
        ("a='x y'", [("a", "'x"), ("y'", None)]),
        ("a=\\ b", [("a", "\\"), ("b", None)]),
    ],
)
def test_split_as_the_kernel_does(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert split(text) == expected


@given(st.text(alphabet=' "=ab-\n\t\\', max_size=40))
def test_split_never_fails_and_gives_no_space_outside_quotes(text: str) -> None:
    for name, value in split(text):
        if '"' not in text:
            assert not set(name + (value or "")) & set(" \t\n")


@given(
    st.lists(st.text(alphabet=st.characters(exclude_characters='"\0', exclude_categories=["Cs"]), max_size=9))
)
def test_any_value_without_quotes_survives_quoting(values: list[str]) -> None:
    text = " ".join(f'mountfs="{value}"' for value in values)
    assert Parameters.parse(text).arrays.get("MOUNTFS", []) == values


def test_repeated_parameters_are_arrays_by_callnum() -> None:
    parameters = Parameters.parse("mountfs=DEVNAME waitdev=CDROM:LABEL=x mountfs=rescue mountfs-opts=ro")
    assert [parameters.get("MOUNTFS", n) for n in (0, 1, 2, -1)] == ["DEVNAME", "rescue", "", ""]
    assert parameters.get("mountfs-opts", 0) == parameters.get("MOUNTFS_OPTS", 0) == "ro"


def test_variable_names() -> None:
    assert [variable(n) for n in ("mountfs", "mountfs-opts", "a.b")] == ["MOUNTFS", "MOUNTFS_OPTS", "A_B"]


def test_environment_has_each_value_and_the_count() -> None:
    parameters = Parameters.parse("mountfs=a mountfs=b quiet é=1 0x=2 x;y=3")
    assert parameters.environment(frozenset(("MOUNTFS",))) == {
        "MOUNTFS0": "a",
        "MOUNTFS1": "b",
        "MOUNTFS": "2",
        "QUIET0": "",
        "QUIET": "1",
    }


def test_a_scalar_is_its_last_value_and_an_array_its_number() -> None:
    parameters = Parameters.parse("flavour=a flavour=b show=p show=q show-opts=x quiet quiet=0 path=/x")
    variables = parameters.environment(arrays_of(["show"]))
    assert (variables["FLAVOUR"], variables["SHOW"], variables["SHOW_OPTS"]) == ("b", "2", "1")
    assert (variables["SHOW1"], variables["QUIET"]) == ("q", "0")
    assert "PATH" not in variables


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("root=bootchain", "native"),
        ("root=pipeline", "pipeline"),
        ("root=pipeline root=bootchain", "native"),
        ("root=/dev/sda1", ""),
        ("root", ""),
        ("", ""),
    ],
)
def test_mode_by_root(text: str, mode: str) -> None:
    assert Parameters.parse(text).mode == mode


def test_chain_and_its_alias() -> None:
    assert Parameters.parse("bootchain=a,b,,c").chain == ("a", "b", "c")
    assert Parameters.parse("pipeline=a,b").chain == ("a", "b")
    assert Parameters.parse("pipeline=a bootchain=b").chain == ("b",)
    assert Parameters.parse("bootchain=a pipeline=b").chain == ("b",)
    assert Parameters.parse("").chain == ()
    assert names("a, b\tc\n,") == ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("bc_debug", True),
        ("bc_debug=1", True),
        ("bc_debug=yes", True),
        ("bc_debug=0", False),
        ("bc_debug=no", False),
        ("bc_debug=OFF", False),
        ("bc_debug=0 bc_debug", True),
        ("", False),
    ],
)
def test_flags(text: str, on: bool) -> None:
    assert Parameters.parse(text).flag("bc_debug") is on


@pytest.mark.parametrize(
    ("text", "tries"),
    [
        ("", 5),
        ("pipe-retry=3", 3),
        ("pipe-retry=0", 1),
        ("pipe-retry=x", 5),
        ("pipe_retry=2", 2),
        ("pipe-retry=-1", 5),
    ],
)
def test_pipe_retry(text: str, tries: int) -> None:
    assert Parameters.parse(text).tries(5) == tries


def test_last_value_of_a_scalar() -> None:
    parameters = Parameters.parse("bc_test=a bc_test=b flag")
    assert (parameters.last("bc_test"), parameters.last("flag"), parameters.last("none")) == ("b", "", None)
