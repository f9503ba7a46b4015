"""Events and findings are distinguished by class and enumeration: a typo is a type error."""

from __future__ import annotations

import ast
import re

from hiperiso.contract.words import FindingKind

from .repo import SOURCE

BY_WORDS = re.compile(r"\bevent\.(?:kind|source) (?:==|!=|in|is)\b(?! set\(Source\))")


def test_events_are_tested_by_class_not_by_words() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{number}"
        for package in ("hiperiso", "hiperlab")
        for path in (SOURCE / package).rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if BY_WORDS.search(line)
    ]
    assert found == []


def test_kinds_of_findings_are_spelled_once() -> None:
    words = {kind.value for kind in FindingKind if "_" in kind}
    spelled = {
        f"{path.relative_to(SOURCE)}: {node.value}"
        for path in (SOURCE / "hiperiso").rglob("*.py")
        if path.name != "words.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in words
    }
    assert spelled == set()
