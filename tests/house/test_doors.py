"""What has one place has no second one."""

from __future__ import annotations

import ast
import re

from .repo import SOURCE


def test_hiperlab_starts_programs_through_one_door() -> None:
    users = set()
    for path in (SOURCE / "hiperlab").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import) and any(alias.name == "subprocess" for alias in node.names):
                users.add(str(path.relative_to(SOURCE)))
            if isinstance(node, ast.ImportFrom) and node.module == "subprocess":
                users.add(str(path.relative_to(SOURCE)))
    assert users == {"hiperlab/run.py"}


def test_hints_on_packages_have_one_builder() -> None:
    command = re.compile(r"\b(?:apt|apt-get|dnf|zypper) install \w|\bpacman -S \w")
    users = {
        str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if command.search(path.read_text())
    }
    assert users == {"hiperiso/packages.py"}


def test_the_cache_has_one_root() -> None:
    users = {
        str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if "XDG_CACHE_HOME" in path.read_text()
    }
    in_words = {
        "hiperiso/machine/kvm.py",
        "hiperlab/cli/main.py",
        "hiperlab/download/fetch.py",
        "hiperiso/machine/qemu_memory.py",
        "hiperlab/qemu/build.py",
        "hiperlab/samples/store.py",
    }
    assert users - in_words == {"hiperiso/cache.py", "hiperlab/run.py"}


def test_text_is_cleaned_in_one_place() -> None:
    """The lowest of the packages has it: bootchain, which runs alone."""
    own = re.compile(r"\bc(?:har)?\.isprintable\(\) (?:else|or)|\[\\\\x00-")
    users = {
        str(path.relative_to(SOURCE))
        for package in ("bootchain", "hiperiso", "hiperlab")
        for path in (SOURCE / package).rglob("*.py")
        if own.search(path.read_text())
    }
    assert users == {"bootchain/printable.py"}
