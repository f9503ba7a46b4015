"""bootchain <- hiperiso <- hiperlab, never back, and outside libraries only where they are allowed."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from waiting import DEADLINE_S

from .repo import ROOT, SOURCE, modules

PAYLOAD_LIBRARIES = {"qemu", "msgspec"}
"""What the stick carries beside the standard library; of ``qemu`` only ``qemu.qmp``."""


_IMPORTED_AS = {
    "cyclonedx_python_lib": "cyclonedx",
    "packageurl_python": "packageurl",
    "pillow": "PIL",
    "virt_firmware": "virt",
}
_NOT_IMPORTED = {
    "axe_core_python",
    "mkdocs_material",
    "pytest_xdist",
    "pytest_timeout",
    "types_jsonschema",
    "mypy",
    "ruff",
    "setuptools",  # builds the wheels
}
"""Tools and plugins: what runs them is in the Makefile and in the settings of pytest."""


def declared(*, dev: bool) -> set[str]:
    """Top-level modules of what pyproject.toml declares: for the product with its extras, or for the tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    product = [
        *project["dependencies"],
        *(name for extra in extras if extra != "dev" for name in extras[extra]),
    ]
    wanted = extras["dev"] if dev else product
    names = {re.split(r"[ <>=!~;\[]", name)[0].lower().split(".")[0].replace("-", "_") for name in wanted}
    names.discard("bootchain")  # of this repository, though a distribution of its own
    return {_IMPORTED_AS.get(name, name) for name in names}


ALLOWED = {
    "bootchain": {"bootchain"},
    "hiperiso": {"bootchain", "hiperiso", *PAYLOAD_LIBRARIES},
    "hiperlab": {"bootchain", "hiperiso", "hiperlab", *declared(dev=False)},
}


def imported(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_every_import_statement_keeps_the_direction(package: str) -> None:
    wrong = []
    for path in sorted((SOURCE / package).rglob("*.py")):
        for line, name in imported(path):
            top = name.split(".")[0]
            within = name.startswith(".") or top in sys.stdlib_module_names or top in ALLOWED[package]
            if path.parent.name == "onstick":  # these lie side by side
                within |= path.with_stem(top).exists()
            if not within or (top == "qemu" and not name.startswith("qemu.qmp")):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {name}")
    assert not wrong


def imported_libraries(*folders: Path) -> set[str]:
    """Top-level modules that are neither ours nor the standard library's."""
    ours = {path.stem for folder in folders for path in folder.iterdir()}
    ours |= {path.stem for path in SOURCE.glob("hiperlab/payload/onstick/*.py")}
    names = {
        name.split(".")[0]
        for folder in folders
        for path in folder.rglob("*.py")
        for _, name in imported(path)
        if not name.startswith(".")
    }
    return names - ours - sys.stdlib_module_names


def test_what_is_declared_is_imported_and_the_other_way_round() -> None:
    assert imported_libraries(SOURCE) == declared(dev=False)


def test_what_the_tests_import_is_declared_for_them_and_the_other_way_round() -> None:
    used = imported_libraries(ROOT / "tests", ROOT / "benchmarks", ROOT / "scripts", SOURCE)
    assert used - declared(dev=False) == declared(dev=True) - _NOT_IMPORTED


def run_python(*options: str, code: str, names: list[str]) -> dict[str, list[str]]:
    argv = [
        sys.executable,
        *options,
        "-W",
        "error",
        "-c",
        textwrap.dedent(code),
        str(SOURCE),
        json.dumps(names),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    result: dict[str, list[str]] = json.loads(done.stdout)
    return result


def test_bootchain_needs_nothing_but_the_standard_library() -> None:
    code = """
    import importlib, json, sys
    sys.path.insert(0, sys.argv[1])
    names = json.loads(sys.argv[2])
    for name in names:
        importlib.import_module(name)
    tops = {name.split(".")[0] for name in sys.modules}
    print(json.dumps({"outside": sorted(tops - sys.stdlib_module_names - {"bootchain", "__main__"})}))
    """
    assert run_python("-I", "-S", code=code, names=modules("bootchain")) == {"outside": []}


REFUSING_HOOK = """
import importlib, json, sys

ALLOWED = {"bootchain", "hiperiso", "qemu", "msgspec"} | sys.stdlib_module_names

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in ALLOWED:
            raise ImportError(f"refused: {name}")
        return None

sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
for name in json.loads(sys.argv[2]):
    importlib.import_module(name)
at_home = {name for name in sys.modules if name.split(".")[0] in {"hiperlab", "typer", "rich"}}
print(json.dumps({"outside": sorted(at_home)}))
"""


def test_hiperiso_imports_with_everything_else_refused() -> None:
    assert run_python("-I", code=REFUSING_HOOK, names=modules("hiperiso")) == {"outside": []}


def test_the_refusal_works() -> None:
    argv = [sys.executable, "-I", "-c", REFUSING_HOOK, str(SOURCE), '["hiperlab.samples.cli"]']
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert "refused: hiperlab" in done.stderr


def test_importing_writes_nothing_and_starts_nothing(tmp_path: Path) -> None:
    code = """
    import importlib, json, sys, threading
    forbidden = {"subprocess.Popen", "socket.connect", "os.system", "os.exec", "os.fork", "os.mkdir", "os.remove"}
    seen = []
    sys.dont_write_bytecode = True
    sys.addaudithook(lambda event, args: seen.append(event) if event in forbidden else None)
    sys.path.insert(0, sys.argv[1])
    for name in json.loads(sys.argv[2]):
        importlib.import_module(name)
    print(json.dumps({"seen": seen, "threads": [t.name for t in threading.enumerate()][1:]}))
    """
    names = [name for package in ALLOWED for name in modules(package)]
    assert run_python("-I", code=code, names=names) == {"seen": [], "threads": []}
    assert not list(tmp_path.iterdir())
