from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hiperlab.debian.packages import Sources
from hiperlab.places import package_cache
from hiperlab.samples.iso import write_iso
from hiperlab.samples.model import Recipe
from waiting import DEADLINE_S

Boot = Callable[..., "Booted"]


@dataclass(frozen=True)
class Booted:
    """What one ``hiperiso boot`` left behind."""

    exit_code: int
    stdout: str
    stderr: str
    log_root: Path

    @property
    def manifest(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.stdout)
        return value

    @property
    def session(self) -> Path:
        return Path(self.manifest["log_dir"])


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "hiperlab.cli.main", *map(str, arguments)]


def environment(**extra: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HIPERISO_")}
    return clean | extra


def iso_of(recipe: Recipe, folder: Path, name: str) -> Path:
    """Build an ISO that is not in the catalogue."""
    scratch = folder / f"{name}-scratch"
    scratch.mkdir(parents=True)
    write_iso(recipe, Sources(cache=package_cache()), scratch, folder / name)
    return folder / name


@pytest.fixture
def boot(tmp_path: Path) -> Boot:
    """Run ``hiperiso boot ISO --json`` into a log root of the test's own."""

    def run(iso: Path | str, *options: object, timeout_s: float = 3 * DEADLINE_S, **variables: str) -> Booted:
        root = tmp_path / "logs"
        done = subprocess.run(
            command("boot", iso, "--json", "--log-root", root, *options),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
            env=environment(**variables),
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Booted(done.returncode, done.stdout, done.stderr, root)

    return run
