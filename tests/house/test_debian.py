"""The Debian packages: what they declare; built, checked by lintian, unpacked and run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import bootchain
from waiting import DEADLINE_S

from .repo import ROOT, files
from .test_wheel import run

DEBIAN = ROOT / "debian"
SAMPLE = ROOT / "tests" / "hiperiso" / "analysis" / "corpus" / "foreign-init-exits"
BUILD_S = 4 * DEADLINE_S


def declared(field: str) -> set[str]:
    """The packages of a field of debian/control, in every stanza."""
    text = re.sub(r"\n +", " ", (DEBIAN / "control").read_text())
    lines = re.findall(rf"^{field}: *(.+)$", text, re.MULTILINE)
    names = {re.split(r"[ (]", name.strip())[0] for line in lines for name in line.split(",")}
    return {name for name in names if name and not name.startswith("$")}


def runtime_libraries() -> dict[str, str]:
    """Name -> version of what the bill of materials says that an installation needs."""
    bill = json.loads((ROOT / "packaging" / "sbom.cdx.json").read_text())
    required = [part for part in bill["components"] if part["scope"] == "required"]
    return {part["name"]: part["version"] for part in required if part["name"] != "bootchain"}


def test_the_packages_have_the_version_of_the_program() -> None:
    (first, *_) = (DEBIAN / "changelog").read_text().splitlines()
    assert first.startswith(f"hiperiso ({bootchain.__version__}) ")


def test_setup_installs_what_the_packages_need() -> None:
    known = {line.removeprefix("?") for line in (ROOT / "requirements" / "apt.txt").read_text().split()}
    known |= {"debhelper-compat", "bootchain"}  # provided by debhelper; of this repository
    for field in ("Build-Depends", "Depends", "Recommends", "Suggests"):
        assert declared(field) and not declared(field) - known, field


def test_each_override_of_lintian_has_its_reason() -> None:
    for path in DEBIAN.glob("*.lintian-overrides"):
        lines = path.read_text().splitlines()
        for before, line in zip(["", *lines], lines, strict=False):
            assert line.startswith("#") or before.startswith("# "), f"{path.name}: {line}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with both packages and their .changes, built from a copy of the repository."""
    if not shutil.which("dpkg-buildpackage") and "CI" not in os.environ:
        pytest.skip("dpkg-buildpackage is missing: make setup installs it")
    folder = tmp_path_factory.mktemp("debian")
    for path in files():
        target = folder / "tree" / path.relative_to(ROOT)
        if "tests" not in target.parts and "pictures" not in target.parts:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
    run("dpkg-buildpackage", "-us", "-uc", "-b", cwd=folder / "tree", timeout_s=BUILD_S)
    return folder


@pytest.fixture(scope="module")
def root(built: Path) -> Path:
    """A directory in which dpkg unpacked both packages, beside the Python that they depend on."""
    root = built / "root"
    (root / "var/lib/dpkg/updates").mkdir(parents=True)
    (root / "var/lib/dpkg/info").mkdir()
    (root / "var/lib/dpkg/status").touch()
    force = "--force-depends,not-root"
    run("dpkg", f"--root={root}", force, "--unpack", *built.glob("*.deb"), cwd=built)
    (root / "usr/bin/python3").symlink_to("/usr/bin/python3")
    return root


@pytest.mark.slow
def test_lintian_finds_no_error(built: Path) -> None:
    if not shutil.which("lintian"):
        pytest.skip("this distribution has no lintian")
    (changes,) = built.glob("*.changes")
    tags = run("lintian", "--allow-root", "--fail-on", "error", changes, cwd=built, timeout_s=BUILD_S)
    assert "E: " not in tags and "mismatched-override" not in tags, tags


@pytest.mark.slow
def test_the_packages_hold_what_they_should(root: Path, built: Path) -> None:
    for name in (
        "usr/share/man/man1/hiperiso.1.gz",
        "usr/share/man/man1/hiperiso-log.1.gz",
        "usr/share/man/man1/bootchain.1.gz",
        "usr/share/bash-completion/completions/hiperiso",
        "usr/share/zsh/vendor-completions/_hiperiso",
        "usr/share/fish/vendor_completions.d/hiperiso.fish",
        "usr/share/doc/hiperiso/copyright",
        "usr/share/doc/bootchain/copyright",
    ):
        assert (root / name).is_file(), name
    # nothing of where it was built, or of what only the build needs
    assert not list(root.rglob("*.py[co]"))
    for path in (root / "usr").rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert os.fsencode(built / "tree") not in path.read_bytes(), path
    copyright_ = (root / "usr/share/doc/hiperiso/copyright").read_text().lower()
    installed = {
        name.replace("_", "-").lower(): version
        for path in (root / "usr/lib/hiperiso").rglob("*.dist-info")
        for name, version in [path.name.removesuffix(".dist-info").rsplit("-", 1)]
    }
    libraries = {re.sub(r"[._]", "-", name).lower(): version for name, version in runtime_libraries().items()}
    assert {name: installed[name] for name in installed if name not in ("hiperiso", "bootchain")} == libraries
    for name in libraries:
        module = {"qemu-qmp": "qemu", "markdown-it-py": "markdown_it"}.get(name, name.replace("-", "_"))
        assert f"site-packages/{module}*" in copyright_, name


@pytest.mark.slow
def test_the_programs_of_the_packages_run(root: Path, tmp_path: Path) -> None:
    version = bootchain.__version__
    program, log = root / "usr/bin/hiperiso", root / "usr/bin/hiperiso-log"
    assert run(program, "--version", cwd=tmp_path) == f"hiperiso {version}\n"
    assert "login-serial" in run(program, "samples", "list", cwd=tmp_path)
    shutil.copy(SAMPLE / "serial.log", tmp_path / "board.log")
    judged = subprocess.run(
        [log, "judge", "board.log", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    expected = json.loads((SAMPLE / "expected.json").read_text())
    assert judged.returncode == 1, judged.stderr
    (found,) = json.loads(judged.stdout)
    assert found["cause"] == expected["analysis"]["cause"]
    # of the distribution's own Python, as it finds it in /usr/lib/python3
    path = str(root / "usr/lib/python3/dist-packages")
    assert (
        run(root / "usr/bin/bootchain", "--version", cwd=tmp_path, PYTHONPATH=path)
        == f"bootchain {version}\n"
    )
    # what was compiled is found, and children have the same environment
    code = (
        "import hiperiso._literals, hiperiso.trace._records, hiperiso.trace._textlog, sys; print(sys.prefix)"
    )
    prefix = run(root / "usr/lib/hiperiso/bin/python", "-c", code, cwd=tmp_path).strip()
    assert Path(prefix) == root / "usr/lib/hiperiso"
