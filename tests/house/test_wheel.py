"""The wheel holds everything, and runs outside the repository without the development tools."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from waiting import DEADLINE_S

from .repo import ROOT, SOURCE, files

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def run(*argv: str | Path, cwd: Path, timeout_s: float = DEADLINE_S, **more: str) -> str:
    done = subprocess.run(
        [str(part) for part in argv],
        cwd=cwd,
        env={"PATH": SYSTEM_PATH, "HOME": str(cwd), "LC_ALL": "C.UTF-8", **pip_settings(), **more},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


def pip_settings() -> dict[str, str]:
    """How this machine reaches its packages stays as it is set up."""
    import os

    return {
        name: value for name, value in os.environ.items() if name.startswith(("PIP_", "http", "HTTP", "SSL_"))
    }


def pip_of(environment: Path) -> tuple[str | Path, ...]:
    return sys.executable, "-m", "pip", "--python", environment / "bin" / "python"


def new_environment(folder: Path, *arguments: str | Path) -> Path:
    """An environment without pip in it, with what pip installs there by these arguments."""
    environment = folder / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=folder)
    run(*pip_of(environment), "install", "-q", *arguments, cwd=folder)
    return environment


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Those of hiperiso and of bootchain.

    Built from a copy, so that nothing is left in the checkout and other tests see no half-made folders.
    """
    folder = tmp_path_factory.mktemp("wheel")
    for path in files():
        if path.is_relative_to(SOURCE) or path.is_relative_to(ROOT / "packaging") or path.parent == ROOT:
            target = folder / "copy" / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
    pip = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder)
    run(*pip, folder / "copy", folder / "copy" / "packaging" / "bootchain", cwd=folder)
    (hiperiso,) = folder.glob("hiperiso-*.whl")
    (bootchain,) = folder.glob("bootchain-*.whl")
    return hiperiso, bootchain


def test_the_wheels_hold_every_file_of_the_packages(wheels: tuple[Path, Path]) -> None:
    hiperiso, bootchain = (set(zipfile.ZipFile(wheel).namelist()) for wheel in wheels)
    wanted = {str(path.relative_to(SOURCE)) for path in files() if path.is_relative_to(SOURCE)}
    own = {name for name in wanted if name.startswith("bootchain/")}
    assert not own - bootchain and not (wanted - own) - hiperiso
    assert not hiperiso & bootchain
    shared = {name.partition(".data/data/share/")[2] for name in hiperiso}
    assert shared >= {
        "man/man1/hiperiso.1",
        "man/man1/hiperiso-log.1",
        "bash-completion/completions/hiperiso",
        "zsh/site-functions/_hiperiso",
        "fish/vendor_completions.d/hiperiso.fish",
    }
    assert any(name.endswith(".data/data/share/man/man1/bootchain.1") for name in bootchain)
    for packed in (hiperiso, bootchain):
        assert any(name.endswith("licenses/LICENSE") for name in packed)


def test_bootchain_is_of_use_alone(wheels: tuple[Path, Path], tmp_path: Path) -> None:
    environment = new_environment(tmp_path, "--no-index", wheels[1])
    python = environment / "bin" / "python"
    assert "root=bootchain" in run(python, "-m", "bootchain", cwd=tmp_path)
    assert "mountfs" in run(environment / "bin" / "bootchain", "steps", cwd=tmp_path).split()
    (tmp_path / "etc").mkdir()
    run(python, "-m", "bootchain", "install", "--initramfs-tools", tmp_path / "etc", cwd=tmp_path)
    assert (tmp_path / "etc/hooks/bootchain").stat().st_mode & 0o111
    listed = run(python, "-I", tmp_path / "etc/bootchain/bootchain/install/closure.py", cwd=tmp_path)
    assert "/sbin/bootchained\t755" in listed


def test_the_readme_installs_what_the_wheels_are_made_of() -> None:
    """Its lines name the two directories whose wheels the tests here build and install."""
    (block,) = re.findall(
        r"<!-- install -->\n```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    for line in block.splitlines():
        words = line.replace('"$PWD/packaging/bootchain"', "./packaging/bootchain").split()
        assert {"./packaging/bootchain", "."} <= set(words), line
    for name in ("./packaging/bootchain", "."):
        assert (ROOT / name / "pyproject.toml").is_file()


def test_the_packages_of_readme_and_containerfile_are_those_of_setup() -> None:
    known = set((ROOT / "requirements" / "apt.txt").read_text().split())
    readme = re.findall(r"^\$ sudo apt-get install (.+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    image = re.findall(r"--no-install-recommends \\\n +(.+?) \\", (ROOT / "Containerfile").read_text())
    assert readme and image
    for line in (*readme, *image):
        assert set(line.split()) <= known | {f"?{name}" for name in known}, line


@pytest.mark.slow  # what is declared is always compared with what is imported
def test_the_wheel_runs_without_the_development_tools(wheels: tuple[Path, Path], tmp_path: Path) -> None:
    environment = new_environment(tmp_path, "-c", ROOT / "requirements" / "constraints.txt", *wheels)
    share = environment / "share"
    assert (share / "man/man1/hiperiso.1").read_text().startswith(".TH HIPERISO 1")
    assert "_hiperiso" in (share / "bash-completion/completions/hiperiso").read_text()
    installed = run(*pip_of(environment), "list", "--format=freeze", cwd=tmp_path)
    assert "pytest" not in installed
    for command in ("hiperiso", "hiperiso-log"):
        assert command in run(environment / "bin" / command, "--help", cwd=tmp_path)
    run(environment / "bin" / "hiperiso", "samples", "list", "--json", cwd=tmp_path)
    where = run(
        environment / "bin" / "python", "-I", "-c", "import hiperiso; print(hiperiso.__file__)", cwd=tmp_path
    )
    assert where.startswith(str(environment))
