"""Every command and option is documented, and the page is what the program says."""

from __future__ import annotations

import re
import subprocess
import sys

from .repo import ROOT, SOURCE

SCRIPT = ROOT / "scripts" / "gen_docs.py"


def test_everything_generated_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_architecture_has_a_row_for_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = {path.parent.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py")}
    rows = dict(re.findall(r"^\| `(\S+)/` \| (.*) \|$", page, re.MULTILINE))
    assert rooms <= rows.keys()
    assert all(len(meaning) > 15 for meaning in rows.values())


def help_text(*words: str) -> str:
    module = "hiperlab.cli.main" if words[0] == "hiperiso" else "hiperiso.analysis.cli"
    code = f"import sys; from {module} import main; sys.exit(main())"
    argv = [sys.executable, "-c", code, *words[1:], "--help"]
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=False,
        env={"COLUMNS": "200", "HOME": "/nonexistent", "LC_ALL": "C"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_option_that_help_shows_is_on_the_page() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    sections = dict(re.findall(r"^## `([^`]+)`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert {"hiperiso", "hiperiso boot", "hiperiso doctor", "hiperiso-log analyze"} <= set(sections)
    ubiquitous = {"--help", "--install-completion", "--show-completion"}
    for path, text in sections.items():
        if path == "hiperiso log":  # hands everything to hiperiso-log
            continue
        options = set(re.findall(r"^\s+(?:-\w, )?(--[a-z][a-z-]*)", help_text(*path.split()), re.MULTILINE))
        assert not {option for option in options - ubiquitous if f"{option}" not in text}, path


def test_every_command_that_help_shows_is_on_the_page() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    listed = help_text("hiperiso").partition("Commands:")[2].partition("\n\n")[0]
    names = re.findall(r"^  ([a-z][a-z-]*)", listed, re.MULTILINE)
    assert {"boot", "doctor", "log", "samples"} <= set(names)
    assert not [name for name in names if f"## `hiperiso {name}`" not in page]
