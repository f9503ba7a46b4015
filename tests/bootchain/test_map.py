"""The map in docs/bootchain.md names only code and tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1] / "src" / "bootchain"
DOC = HERE.parents[1] / "docs" / "bootchain.md"
ROW = re.compile(
    r"^\| (?P<says>.+) \| `(?P<code>[^`]+)` \| `(?P<file>(?:[a-z]+/)?test_[a-z_]+\.py)::(?P<test>test_[a-z_0-9]+)` \|$"
)


def rows() -> list[re.Match[str]]:
    text = DOC.read_text().partition("## The map")[2]
    lines = [
        line
        for line in text.splitlines()
        if line.startswith("|") and not line.startswith(("| the doc", "|---"))
    ]
    found = [(line, ROW.match(line)) for line in lines]
    assert not [line for line, match in found if match is None]
    return [match for _, match in found if match]


def test_code_and_tests_exist() -> None:
    tests = {
        str(path.relative_to(HERE)): {
            node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)
        }
        for path in [*HERE.glob("test_*.py"), *HERE.glob("*/test_*.py")]
    }
    for row in rows():
        assert (PACKAGE / row["code"]).exists(), row[0]
        assert row["test"] in tests.get(row["file"], set()), row[0]


def test_every_function_of_the_shell_api_is_there() -> None:
    documented = [
        *(
            "check_parameter",
            "get_parameter",
            "resolve_target",
            "resolve_devname",
            "debug",
            "enter",
            "leave",
            "run",
        ),
        *(
            "fdump",
            "assign",
            "next_bootchain",
            "is_step_passed",
            "launch_step_once",
            "break_bc_loop",
            "bc_reboot",
        ),
        *("bypass_results", "initrd_version"),
    ]
    library = (PACKAGE / "shell" / "bootchain-sh-functions").read_text()
    says = " ".join(row["says"] for row in rows())
    for name in documented:
        assert re.search(rf"^\s*{name}\(\) ", library, re.MULTILINE), name
        assert f"`{name}()`" in says, name


def test_every_pseudo_step_parameter_and_setting_is_there() -> None:
    says = " ".join(row["says"] for row in rows())
    for word in (
        *(
            "fg",
            "noop",
            "noretry",
            "retry",
            "mountfs",
            "overlayfs",
            "rootfs",
            "bc_debug",
            "mntdir",
            "root=bootchain",
        ),
        *(
            "root=pipeline",
            "BC_LOG_VT",
            "BC_FGVT_ACTIVATE",
            "BC_LOGFILE",
            "/etc/sysconfig/bootchain",
            "BC-TEST.passed",
        ),
    ):
        assert f"`{word}`" in says, word
