"""The wheel holds everything, and runs outside the repository without the development tools."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from waiting import DEADLINE_S

from .repo import ROOT, SOURCE, files


def run(*argv: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in argv],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), "LC_ALL": "C.UTF-8", **pip_settings()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


def pip_settings() -> dict[str, str]:
    """How this machine reaches its packages stays as it is set up."""
    import os

    return {
        name: value for name, value in os.environ.items() if name.startswith(("PIP_", "http", "HTTP", "SSL_"))
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the checkout and other tests see no half-made folders."""
    folder = tmp_path_factory.mktemp("wheel")
    for path in files():
        if path.is_relative_to(SOURCE) or path.parent == ROOT:
            target = folder / "copy" / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, folder / "copy", cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {str(path.relative_to(SOURCE)) for path in files() if path.is_relative_to(SOURCE)}
    assert not wanted - packed
    assert any(name.endswith("licenses/LICENSE") for name in packed)


def test_the_wheel_runs_without_the_development_tools(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    run(sys.executable, "-m", "venv", environment, cwd=tmp_path)
    constraints = ROOT / "requirements" / "constraints.txt"
    run(environment / "bin" / "pip", "install", "-q", "-c", constraints, wheel, cwd=tmp_path)
    installed = run(environment / "bin" / "pip", "list", "--format=freeze", cwd=tmp_path)
    assert "pytest" not in installed
    for command in ("hiperiso", "hiperiso-log"):
        assert command in run(environment / "bin" / command, "--help", cwd=tmp_path)
    run(environment / "bin" / "hiperiso", "samples", "list", "--json", cwd=tmp_path)
    where = run(
        environment / "bin" / "python", "-I", "-c", "import hiperiso; print(hiperiso.__file__)", cwd=tmp_path
    )
    assert where.startswith(str(environment))
