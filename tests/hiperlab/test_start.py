"""Ctrl-C at any time is no traceback: also while Python starts, before a module of ours is loaded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import pytest

import bootchain
from waiting import DEADLINE_S

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "hiperiso": (ROOT / "packaging/programs/hiperiso", ("config", "schema")),
    "hiperiso-log": (ROOT / "packaging/programs/hiperiso-log", ("judge", "/etc/os-release")),
    "bootchain": (ROOT / "packaging/bootchain/bootchain", ("steps",)),
}
MOMENTS = 16

SLOW_IMPORT = """
import os, signal, sys
import hiperlab.start
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "hiperlab.cli.main":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
sys.argv = ["hiperiso", "--help"]
sys.exit(hiperlab.start.main())
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the programs in it as wheels have them, and the modules of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python3*/site-packages")
    here = Path(bootchain.__file__).parents[1]
    (packages / "here.pth").write_text(f"{here}\n{sysconfig.get_path('purelib')}\n")
    for name, (script, _) in PROGRAMS.items():
        (folder / "bin" / name).write_bytes(script.read_bytes())
        (folder / "bin" / name).chmod(0o755)
    return folder


def test_the_programs_differ_in_the_name_of_their_package_alone() -> None:
    """Wheels want a file for each: what holds for one holds for all."""
    packages = {"hiperiso": "hiperlab", "hiperiso-log": "hiperiso", "bootchain": "bootchain"}
    texts = {script.read_text().replace(packages[name], "PACKAGE") for name, (script, _) in PROGRAMS.items()}
    assert len(texts) == 1


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_interrupted_at_any_moment_shows_no_traceback(environment: Path, name: str) -> None:
    argv = [str(environment / "bin" / name), *PROGRAMS[name][1]]
    for _ in range(2):  # the first one may compile modules
        start = time.monotonic()
        whole = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
        took_s = time.monotonic() - start
    assert whole.returncode in (0, 3) and whole.stdout, whole.stderr
    codes = set()
    for number in range(MOMENTS):
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(took_s * number / MOMENTS)  # passes: the moments are what is tested
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=DEADLINE_S)
        assert errors in ("", "hiperiso: interrupted\n"), f"after {took_s * number / MOMENTS:.3f} s: {errors}"
        codes.add(process.returncode)
    assert codes <= {-signal.SIGINT, 130, 3, whole.returncode}
    assert -signal.SIGINT in codes


def test_a_program_is_started_by_a_link_and_from_its_folder(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "hiperiso").symlink_to(environment / "bin" / "hiperiso")
    for argv, cwd in (([tmp_path / "hiperiso"], tmp_path), (["./hiperiso"], environment / "bin")):
        done = subprocess.run(
            [*argv, "--version"], cwd=cwd, capture_output=True, text=True, check=False, timeout=DEADLINE_S
        )
        assert done.stdout == f"hiperiso {bootchain.__version__}\n", done.stderr


def test_a_program_finds_the_python_below_whose_prefix_it_is(tmp_path: Path) -> None:
    """As `pip install --user` has it: no environment, the interpreter elsewhere on PATH."""
    version = f"python3.{sys.version_info.minor}"
    (tmp_path / "lib" / version / "site-packages" / "bootchain").mkdir(parents=True)
    for folder, name, script in (
        ("bin", "bootchain", PROGRAMS["bootchain"][0].read_text()),
        ("path", version, '#!/bin/sh\necho "$@"\n'),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(script)
        (tmp_path / folder / name).chmod(0o755)
    done = subprocess.run(
        [tmp_path / "bin" / "bootchain", "a b", ""],
        env={"PATH": f"{tmp_path / 'path'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert done.stdout == "-P -m bootchain.start a b \n", done.stderr


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
