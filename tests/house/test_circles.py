"""No files import each other in a circle, not even late (inside of functions) or for types alone."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Set
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from .repo import SOURCE

Graph = Mapping[str, Set[str]]


def import_graph(root: Path) -> dict[str, set[str]]:
    """Module -> modules below `root` that it imports, wherever in it the statement stands."""
    paths: dict[str, Path] = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: _imports(path, set(paths)) - {name} for name, path in paths.items()}


def _imports(path: Path, known: set[str]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in known else node.module or "")
    return found & known


def circle(graph: Graph) -> list[str]:
    """One circle of imports, or [] when there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        names: list[str] = error.args[1]
        return names
    return []


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circle(import_graph(SOURCE)) == []


def test_a_circle_is_found_also_when_it_is_late(tmp_path: Path) -> None:
    for name, text in {
        "__init__": "",
        "a": "from room import b\n",
        "b": "def late():\n    from room.c import thing\n",
        "c": "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import room.a\nthing = 1\n",
    }.items():
        path = tmp_path / "room" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert set(circle(import_graph(tmp_path))) == {"room.a", "room.b", "room.c"}
