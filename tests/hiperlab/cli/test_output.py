"""Commands whose reader has left: they work to their end, and exit as they would have."""

from __future__ import annotations

import subprocess

import pytest

from integration.conftest import command, environment
from waiting import DEADLINE_S


def piped(script: str) -> tuple[list[str], str]:
    """What the last of a pipe printed, and standard error of all; the exit code of the first is its last line."""
    done = subprocess.run(
        ["bash", "-c", f"{script}; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env=environment(),
        check=False,
    )
    return done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize("reader", ["head -1", "true", "cat > /dev/null"])
def test_a_verdict_is_kept_for_every_reader(reader: str, tmp_path: object) -> None:
    (missing, stderr) = piped(f"{' '.join(command('config', 'check', '/dev/null'))} | {reader}")
    assert missing[-1] == "2", stderr
    (listed, stderr) = piped(f"{' '.join(command('samples', 'list'))} | {reader}")
    assert (listed[-1], stderr) == ("0", "")


def test_a_full_disk_is_not_a_reader_that_left() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(command('config', 'schema'))} > /dev/full"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env=environment(),
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr
