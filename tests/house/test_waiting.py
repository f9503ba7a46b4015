"""Tests wait for events: no pause outside ``tests/waiting.py``, no deadline that a slow machine could miss."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from .repo import ROOT

TESTS = ROOT / "tests"
REASON = "# passes: "
"""Where time itself is what is tested, the line says so, and why."""
MAY_PAUSE = {"waiting.py"}
SHORTEST_S = 60.0
"""A limit to another program that is shorter than this is a guess about the machine."""


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Every call and the name that is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield node, ast.unparse(node.func)


def pauses(source: str) -> list[int]:
    """The lines that let time pass without a reason; turns of a loop (``sleep(0)``) and virtual clocks do not."""
    if "import virtual_clock" in source or "from virtual_clock" in source:
        return []
    lines = source.splitlines()
    found = []
    for call, name in calls(ast.parse(source)):
        zero = bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
        if (
            name in ("time.sleep", "asyncio.sleep", "sleep")
            and not zero
            and REASON not in lines[call.lineno - 1]
        ):
            found.append(call.lineno)
    return found


def short_limits(source: str) -> list[int]:
    """The lines that give another program, or a thread, only so few seconds."""
    found = []
    for call, name in calls(ast.parse(source)):
        given = [keyword.value for keyword in call.keywords if keyword.arg == "timeout"]
        if name.rpartition(".")[2] in ("wait", "communicate", "join", "settimeout"):
            given += call.args[:1]
        for value in given:
            if (
                isinstance(value, ast.Constant)
                and isinstance(value.value, int | float)
                and value.value < SHORTEST_S
            ):
                found.append(call.lineno)
    return found


def test_nothing_waits_for_time_to_pass() -> None:
    files = [path for path in TESTS.rglob("*.py") if path.name not in MAY_PAUSE]
    wrong = [f"{path.relative_to(ROOT)}:{line}" for path in files for line in pauses(path.read_text())]
    assert wrong == [], f"wait for an event (tests/waiting.py), or say why: {REASON}..."


def test_no_limit_is_a_guess_about_the_machine() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in TESTS.rglob("*.py")
        for line in short_limits(path.read_text())
        if REASON not in path.read_text().splitlines()[line - 1]
    ]
    assert wrong == [], "a deadline matters only where a test fails: waiting.DEADLINE_S"


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import time\ntime.sleep(1)\n", [2]),
        ("async def f():\n    await asyncio.sleep(0.1)\n", [2]),
        ("time.sleep(1)  # passes: the clock is what is tested\n", []),
        ("await_ = asyncio.sleep(0)\n", []),
        ("print('sleep(1)')\n", []),
    ],
)
def test_pauses_are_found(source: str, lines: list[int]) -> None:
    assert pauses(source) == lines


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("process.wait(20)\n", [1]),
        ("\nsubprocess.run(argv, timeout=5)\n", [2]),
        ("process.communicate(timeout=DEADLINE_S)\nq.join(',')\n", []),
    ],
)
def test_short_limits_are_found(source: str, lines: list[int]) -> None:
    assert short_limits(source) == lines


def test_the_slow_tier_is_described() -> None:
    import suite

    page = (TESTS / "slow.md").read_text()
    described = [
        line.split("|")[1].strip().strip("`") for line in page.splitlines() if line.startswith("| `")
    ]
    assert described == list(suite.GROUPS)


def test_the_order_names_what_is_there() -> None:
    import suite

    nodes = [
        *suite.SECONDS,
        *suite.TOGETHER,
        *suite.LONG,
        *(node for nodes in suite.GROUPS.values() for node in nodes),
    ]
    for node in nodes:
        file, _, function = node.partition("::")
        path = Path(ROOT / file)
        assert path.exists(), node
        assert not function or f"def {function.partition('[')[0]}" in path.read_text(), node
