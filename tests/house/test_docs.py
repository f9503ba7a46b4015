"""Every command and option is documented, and the page is what the program says."""

from __future__ import annotations

import json
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


HELP = """
import contextlib, io, json, sys
from hiperiso.analysis.cli import main as log
from hiperlab.cli.main import main as hiperiso

texts = {}
for path in json.loads(sys.argv[1]):
    program, *words = path.split()
    sys.argv = [program, *words, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
        (hiperiso if program == "hiperiso" else log)()
    texts[path] = text.getvalue()
json.dump(texts, sys.stdout)
"""


def help_texts(*paths: str) -> dict[str, str]:
    """What each command prints as its help; one process for all."""
    argv = [sys.executable, "-c", HELP, json.dumps(paths)]
    environment = {"COLUMNS": "200", "HOME": "/nonexistent", "LC_ALL": "C"}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    texts: dict[str, str] = json.loads(done.stdout)
    assert all("--help" in text for text in texts.values())
    return texts


def test_every_option_that_help_shows_is_on_the_page() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    sections = dict(re.findall(r"^## `([^`]+)`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    assert {"hiperiso", "hiperiso boot", "hiperiso doctor", "hiperiso-log analyze"} <= set(sections)
    del sections["hiperiso log"]  # hands everything to hiperiso-log
    ubiquitous = {"--help", "--install-completion", "--show-completion"}
    for path, shown in help_texts(*sections).items():
        options = set(re.findall(r"^\s+(?:-\w, )?(--[a-z][a-z-]*)", shown, re.MULTILINE))
        assert not {option for option in options - ubiquitous if f"{option}" not in sections[path]}, path


def test_every_command_that_help_shows_is_on_the_page() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    listed = help_texts("hiperiso")["hiperiso"].partition("Commands:")[2].partition("\n\n")[0]
    names = re.findall(r"^  ([a-z][a-z-]*)", listed, re.MULTILINE)
    assert {"boot", "doctor", "log", "samples"} <= set(names)
    assert not [name for name in names if f"## `hiperiso {name}`" not in page]
