"""What the files of the repository may not contain, and how long they may be."""

from __future__ import annotations

import re
import tomllib

from .repo import ROOT, SOURCE, files

MAX_MODULE_LINES = 400
LONG_MODULES: dict[str, str] = {"src/hiperiso/contract/events.py": "the table of all events, a class each"}
"""Path -> why this one may be longer."""

_HOSTS = (
    ("pypi", "org"),
    ("files", "pythonhosted", "org"),
    ("deb", "debian", "org"),
    ("security", "debian", "org"),
)
_MORE_HOSTS = (
    ("archive", "ubuntu", "com"),
    ("registry", "npmjs", "org"),
    ("proxy", "golang", "org"),
    ("crates", "io"),
)
REGISTRY_HOSTS = re.compile("|".join(r"\b" + r"\.".join(parts) + r"\b" for parts in _HOSTS + _MORE_HOSTS))
BUILDER_PATHS = re.compile("/wo" + r"rk/(?:main|shared|\.library)\b|/tmp/br" + "ief")


def texts() -> list[tuple[str, str]]:
    found = []
    for path in files():
        data = path.read_bytes()
        if b"\0" not in data:
            found.append((str(path.relative_to(ROOT)), data.decode("utf-8", "replace")))
    assert len(found) > 20
    return found


def test_no_file_names_a_registry_host() -> None:
    assert not [(name, match[0]) for name, text in texts() for match in REGISTRY_HOSTS.finditer(text)]


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    assert not [(name, match[0]) for name, text in texts() for match in BUILDER_PATHS.finditer(text)]


def test_the_patterns_find_what_they_look_for() -> None:
    assert REGISTRY_HOSTS.search("https://" + ".".join(("pypi", "org")) + "/simple")
    assert BUILDER_PATHS.search("cd /wo" + "rk/main && make")


def test_modules_are_short_enough_to_read() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in SOURCE.rglob("*.py")
    }
    long = {name: lines for name, lines in lengths.items() if lines > MAX_MODULE_LINES}
    assert set(long) == set(LONG_MODULES), f"too long, or listed without need: {long}"
    assert all(LONG_MODULES.values())


def test_every_constraint_is_one_exact_version() -> None:
    lines = (ROOT / "requirements" / "constraints.txt").read_text().splitlines()
    assert not [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)]


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pinned = {
        line.split("==")[0].lower()
        for line in (ROOT / "requirements" / "constraints.txt").read_text().split()
    }
    assert (
        not {re.split(r"[ <>=!~;\[]", name)[0].lower() for name in wanted} - pinned - {"bootchain"}
    )  # that is of this repository
