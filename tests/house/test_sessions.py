"""A session directory is read in one place."""

from __future__ import annotations

import ast
from pathlib import Path

from .repo import SOURCE

READER = "hiperiso/contract/stored.py"
NAMES = {"SESSION_JSON", "EVENTS_JSONL"}
TEXTS = {"session.json", "events.jsonl"}
READING = {"read_bytes", "read_text", "read", "pread", "readline", "readlines"}


WRITERS = {"atomic_write", "atomic_write_json"}
"""What may be given the path of such a file."""


def is_name(node: ast.AST) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr in NAMES) or (
        isinstance(node, ast.Constant) and node.value in TEXTS
    )


def reads(call: ast.Call) -> bool:
    """Whether a call reads or decodes a file, other than by a session."""
    if not isinstance(call.func, ast.Attribute):
        return False
    owner, name = ast.unparse(call.func.value), call.func.attr
    if name == "open" and owner != "os":
        modes = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
        return not call.args or modes in (["r"], ["rb"])
    return (name in READING and "session" not in owner) or (name in ("decode", "loads") and "json" in owner)


def hands_on(call: ast.Call) -> bool:
    """Whether a call gets the path of such a file, to do with it what it likes."""
    callee = ast.unparse(call.func).rpartition(".")[2]
    paths = [arg for arg in call.args if isinstance(arg, ast.BinOp) and is_name(arg.right)]
    return bool(paths) and callee not in WRITERS


def is_reader(tree: ast.Module) -> bool:
    """Whether a function, or the module itself, reads one of the files."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    within = {id(node) for function in functions for node in ast.walk(function)}
    scopes = [list(ast.walk(function)) for function in functions]
    scopes.append([node for node in ast.walk(tree) if id(node) not in within])
    for nodes in scopes:
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        if any(map(hands_on, calls)) or (any(map(is_name, nodes)) and any(map(reads, calls))):
            return True
    return False


def readers(root: Path) -> list[str]:
    return [
        str(path.relative_to(root))
        for path in sorted(root.rglob("*.py"))
        if is_reader(ast.parse(path.read_text()))
    ]


def test_one_module_reads_the_manifest_and_the_events() -> None:
    assert readers(SOURCE) == [READER]


def test_a_second_reader_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("value = (path / files.SESSION_JSON).read_bytes()\n")
    (tmp_path / "b.py").write_text('def f():\n    for line in (p / "events.jsonl").open(): print(line)\n')
    (tmp_path / "c.py").write_text('log = (path / files.EVENTS_JSONL).open("ab")\n')
    (tmp_path / "d.py").write_text("value = parse(path / files.SESSION_JSON)\n")
    (tmp_path / "e.py").write_text("atomic_write(path / files.SESSION_JSON, data)\n")
    assert readers(tmp_path) == ["a.py", "b.py", "d.py"]
