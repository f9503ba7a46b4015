"""Ctrl-C at any time after the start of the program is no traceback."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from waiting import DEADLINE_S

SLOW_IMPORT = """
import os, signal, sys
import hiperlab.start
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "hiperlab.cli.main":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
sys.argv = ["hiperiso", "--help"]
hiperlab.start.main()
"""


def run(code: str, *, ignored: bool = False) -> subprocess.CompletedProcess[str]:
    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
        preexec_fn=ignore if ignored else None,
    )


def test_an_interrupted_import_ends_silently() -> None:
    done = run(SLOW_IMPORT)
    assert done.returncode == -signal.SIGINT
    assert done.stderr == ""


def test_ignored_stays_ignored() -> None:
    done = run(SLOW_IMPORT, ignored=True)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


@pytest.mark.parametrize("word", ["--version", "--help"])
def test_the_program_runs(word: str) -> None:
    done = run(f"import sys, hiperlab.start; sys.argv = ['hiperiso', {word!r}]; hiperlab.start.main()")
    assert done.returncode == 0, done.stderr
    assert "hiperiso" in done.stdout
