"""Chains run for real: a squashfs image, an overlay over it, and nothing left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hiperlab.chain.run import run_chain
from waiting import DEADLINE_S


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (tmp_path / "tree" / "etc").mkdir(parents=True)
    (tmp_path / "tree" / "etc" / "release").write_text("rescue\n")
    path = tmp_path / "rescue.squashfs"
    argv = ["mksquashfs", str(tmp_path / "tree"), str(path), "-quiet", "-no-progress"]
    subprocess.run(argv, check=True, capture_output=True)
    return path


def mounts() -> list[str]:
    return Path("/proc/self/mounts").read_text().splitlines()


def loops() -> str:
    return subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=True).stdout


def test_an_image_becomes_a_writable_root_and_nothing_is_left(image: Path, tmp_path: Path) -> None:
    before = mounts()
    out = tmp_path / "out"
    ran = run_chain(
        f"root=bootchain bootchain=mountfs,overlayfs,rootfs mountfs={image}",
        then=f"echo new > etc/new && cat etc/release etc/new > {out}",
    )
    assert ran.code == 0, ran.log
    assert out.read_text() == "rescue\nnew\n"
    assert [r["step"] for r in ran.records if r["event"] == "step"] == ["mountfs", "overlayfs", "rootfs"]
    assert ran.message.startswith("step 2 (rootfs) ended the chain")
    assert mounts() == before
    assert str(image) not in loops()


def test_a_failing_chain_says_why(tmp_path: Path) -> None:
    ran = run_chain(
        f"root=bootchain bootchain=noretry,mountfs mountfs={tmp_path}/missing", then="touch /tmp/never"
    )
    assert ran.code == 1
    assert ran.message == "step 0 (mountfs) failed with code 1, and repeating is forbidden (noretry)"


def test_steps_of_ones_own_and_settings(tmp_path: Path) -> None:
    step = tmp_path / "steps" / "hello"
    step.parent.mkdir()
    step.write_text(
        '#!/bin/sh -efu\n. bootchain-sh-functions\nmessage "pid $$"; [ "$$" -lt 100 ]\n'
        'mkdir "$destdir/etc"\nbreak_bc_loop\n'
    )
    step.chmod(0o755)
    ran = run_chain(
        "root=bootchain bootchain=hello", step_dirs=(step.parent,), settings={"BC_RETRY_DELAY": "0.01"}
    )
    assert ran.code == 0, "the step has a small process number: a namespace of its own"
    assert "hello: pid " in ran.log


def test_the_command(image: Path) -> None:
    argv = [sys.executable, "-m", "hiperlab.cli.main", "chain", "run", "--json", "--then", "ls"]
    done = subprocess.run(
        [*argv, f"root=bootchain bootchain=mountfs,overlayfs,rootfs mountfs={image}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["code"] == 0
    assert "etc\n" in done.stderr


def test_a_chain_that_takes_too_long_leaves_its_log(tmp_path: Path) -> None:
    script = tmp_path / "steps" / "sleeps"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\necho sleeping now\nexec sleep 600\n")
    script.chmod(0o755)
    argv = [
        "chain",
        "run",
        "--timeout",
        "5",
        "--steps",
        str(script.parent),
        "root=bootchain bootchain=sleeps",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "hiperlab.cli.main", *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 4, done.stderr
    assert "sleeps" in done.stdout
    assert "did not end within 5 s" in done.stderr
