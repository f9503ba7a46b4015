"""The version stands once; the hooks of a commit fetch nothing."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib

import bootchain
import hiperiso

from .repo import ROOT, SOURCE


def test_the_version_stands_once() -> None:
    places = {
        path.relative_to(ROOT).as_posix(): len(found)
        for path in SOURCE.rglob("*.py")
        if (found := re.findall(r"^(?:__version__|VERSION)\b.*= *[\"']\d", path.read_text(), re.MULTILINE))
    }
    assert places == {"src/bootchain/__init__.py": 1}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "bootchain.__version__"}
    assert hiperiso.__version__ == bootchain.__version__ == importlib.metadata.version("hiperiso")


def test_the_changelog_has_this_version_and_what_comes() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1].split()[0] == bootchain.__version__


def test_hooks_of_a_commit_are_local() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    assert set(re.findall(r"^ *- repo: (.+)$", text, re.MULTILINE)) == {"local"}
    for entry in re.findall(r"^ +entry: (.+)$", text, re.MULTILINE):
        for word in entry.split():
            if word.startswith(("scripts/", "tests/")):
                assert (ROOT / word).exists(), word
