"""JUnit XML for CI systems: the only writer of it.

There is no standard; this is what Jenkins' junit plugin, GitLab and pytest agree upon. ``failure`` is a fault of what
was tested, ``error`` one of the test itself, ``skipped`` a case that was not evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from xml.etree import ElementTree

from hiperiso.text import masked


class CaseResult(StrEnum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failure"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class JunitCase:
    """One case.

    Attributes:
        name: unique in its suite.
        group: what it belongs to (``classname``).
        result: how it ended.
        seconds: how long it took.
        message: why it did not pass: one line.
        details: more about it, over several lines.
        properties: further facts by name.
    """

    name: str
    group: str
    result: CaseResult
    seconds: float = 0.0
    message: str = ""
    details: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


def junit_xml(suite: str, cases: Sequence[JunitCase]) -> str:
    """The document of one suite, UTF-8 with a declaration; characters not allowed in XML are replaced."""
    counts = {kind: str(sum(case.result is kind for case in cases)) for kind in CaseResult}
    attributes = {
        "name": _clean(suite),
        "tests": str(len(cases)),
        "failures": counts[CaseResult.FAILED],
        "errors": counts[CaseResult.ERROR],
        "skipped": counts[CaseResult.SKIPPED],
        "time": f"{sum(case.seconds for case in cases):.3f}",
    }
    root = ElementTree.Element("testsuites")
    top = ElementTree.SubElement(root, "testsuite", attributes)
    for case in cases:
        _add(top, case)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _add(top: ElementTree.Element, case: JunitCase) -> None:
    element = ElementTree.SubElement(
        top,
        "testcase",
        {"name": _clean(case.name), "classname": _clean(case.group), "time": f"{case.seconds:.3f}"},
    )
    if case.properties:
        listed = ElementTree.SubElement(element, "properties")
        for name, value in case.properties.items():
            ElementTree.SubElement(listed, "property", {"name": _clean(name), "value": _clean(value)})
    if case.result is not CaseResult.PASSED:
        why = ElementTree.SubElement(element, case.result.value, {"message": _clean(case.message)})
        if case.details:
            why.text = _clean(case.details)


def _clean(text: str) -> str:
    """XML 1.0 does not allow control characters, surrogates, U+FFFE and U+FFFF."""
    kept = masked(text, keep="\n")
    return "".join(
        "\ufffd" if "\ud800" <= char <= "\udfff" or char in "\ufffe\uffff" else char for char in kept
    )
