"""What CI systems read."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from hiperiso.contract.junit import CaseResult, JunitCase, junit_xml


def test_counts_reasons_and_properties() -> None:
    cases = [
        JunitCase(name="a", group="x.iso", result=CaseResult.PASSED, seconds=1.5, properties={"ram": "1024"}),
        JunitCase(name="b", group="x.iso", result=CaseResult.FAILED, message="panic", details="session: /s"),
        JunitCase(name="c", group="x.iso", result=CaseResult.ERROR, seconds=2),
        JunitCase(name="d", group="x.iso", result=CaseResult.SKIPPED),
    ]
    suite = ElementTree.fromstring(junit_xml("boots", cases).encode())[0]
    assert suite.attrib == {
        **{"name": "boots", "tests": "4", "failures": "1", "errors": "1", "skipped": "1"},
        "time": "3.500",
    }
    assert [[child.tag for child in case] for case in suite] == [
        ["properties"],
        ["failure"],
        ["error"],
        ["skipped"],
    ]
    failure = suite[1][0]
    assert (failure.attrib["message"], failure.text) == ("panic", "session: /s")


@given(st.text(st.characters()), st.text(st.characters()))
def test_whatever_a_guest_prints_is_well_formed(name: str, message: str) -> None:
    case = JunitCase(name=name, group=name, result=CaseResult.FAILED, message=message, details=message)
    root = ElementTree.fromstring(junit_xml(name, [case]).encode())
    assert len(root[0]) == 1
