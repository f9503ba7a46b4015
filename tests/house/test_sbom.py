"""The bill of materials names what an installation needs, in the pinned versions, and is valid CycloneDX."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest

from .repo import ROOT, modules

BILL = ROOT / "packaging" / "sbom.cdx.json"
SCRIPT = ROOT / "scripts" / "sbom.py"
LOADED = """
import importlib, json, sys
from importlib.metadata import packages_distributions

before = set(sys.modules)
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
owners = packages_distributions()
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
json.dump(sorted({owner for name in loaded for owner in owners.get(name, ())}), sys.stdout)
"""
needs_its_library = pytest.mark.skipif(
    find_spec("cyclonedx") is None and "CI" not in os.environ,
    reason="cyclonedx-python-lib is not installed: make setup",
)


def components() -> dict[str, dict[str, Any]]:
    return {part["name"]: part for part in json.loads(BILL.read_text())["components"]}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_version_is_the_pinned_one() -> None:
    lines = (ROOT / "requirements" / "constraints.txt").read_text().split()
    pins = {canonical(name): version for name, _, version in (line.partition("==") for line in lines)}
    parts = components()
    del parts["bootchain"]  # of this repository
    assert len(parts) > 10
    assert {name: part["version"] for name, part in parts.items()} == {name: pins[name] for name in parts}
    assert not [name for name, part in parts.items() if not part.get("licenses")]


def test_every_library_that_the_commands_load_is_named() -> None:
    names = [name for package in ("hiperiso", "hiperlab") for name in modules(package)]
    done = subprocess.run(
        [sys.executable, "-c", LOADED, json.dumps(names)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = {canonical(name) for name in json.loads(done.stdout)} - {"hiperiso"}
    loaded -= {"typing-extensions"}  # the libraries take it where it is installed, and run without
    required = {name for name, part in components().items() if part["scope"] == "required"}
    assert {"msgspec", "qemu-qmp", "typer", "bootchain"} <= loaded & required
    assert loaded <= components().keys()


@needs_its_library
def test_it_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@needs_its_library
def test_it_is_valid() -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_5)
    assert validator.validate_str(BILL.read_text()) is None
    assert validator.validate_str(BILL.read_text().replace('"required"', '"needed"')) is not None
