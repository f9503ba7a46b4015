"""Completion at a prompt, as the shells ask for it through the files that are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from waiting import DEADLINE_S

FILES = Path(__file__).parents[3] / "packaging" / "completions"


def completed(*words: str) -> list[str]:
    """What bash offers for the last word."""
    script = (
        'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        'declare -F _hiperiso >/dev/null || exit 3; _hiperiso "$1"; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script, FILES / "hiperiso", "hiperiso", *words],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE_S,
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("bo",), ["boot"]),
        (("boot", "--firm"), ["--firmware"]),
        (("boot", "--firmware", "u"), ["uefi"]),
        (("boot", "--expect", "l"), ["login"]),
        (("samples", "build", "login-ser"), ["login-serial", "login-serial-silent"]),
        (("list", "--stage", "ker"), ["kernel"]),
        (("show", "la"), ["last"]),
        (("boot", "some"), []),  # a file: bash offers those
    ],
)
def test_bash_offers(words: tuple[str, ...], offered: list[str]) -> None:
    assert completed(*words) == offered


@pytest.mark.parametrize(
    ("shell", "name"), [("zsh", "_hiperiso"), ("fish", "hiperiso.fish"), ("bash", "hiperiso")]
)
def test_the_files_are_valid(shell: str, name: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n", FILES / name], check=True, timeout=DEADLINE_S)
