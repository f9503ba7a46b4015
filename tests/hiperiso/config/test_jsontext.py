"""The reader of JSON that keeps places, against the standard library's, and what it says of errors."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiperiso.config.jsontext import read_json
from property_tests import examples

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)


@settings(max_examples=examples(300), deadline=None)
@given(VALUES, st.sampled_from([None, 0, 3]), st.booleans())
def test_valid_json_is_read_as_the_standard_library_reads_it(
    value: Any, indent: int | None, ascii_: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_, allow_nan=False)
    reading = read_json(text)
    assert reading.faults == [] and reading.whole
    assert reading.value == json.loads(text)
    for path, offset in reading.places.items():
        inner: Any = value
        for step in path:
            inner = inner[step]
        start = json.dumps(inner, ensure_ascii=ascii_)[:1]
        assert text[offset] == start


PIECES = [
    '"a"',
    '"',
    "'b'",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "=",
    "1",
    "-",
    "01",
    "true",
    "Nul",
    "// c",
    "/*",
    "\n",
    " ",
    "#",
]


@settings(max_examples=examples(600), deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_a_text_is_faultless_where_it_is_json(text: str) -> None:
    reading = read_json(text)
    try:
        json.loads(text)
    except ValueError:
        assert [fault for fault in reading.faults if fault.syntax]
    else:
        assert not [fault for fault in reading.faults if fault.syntax]
    for fault in reading.faults:
        line, column = reading.line_and_column(fault.offset)
        assert 0 <= fault.offset <= len(text) and line >= 1 and column >= 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1 the file is empty"),
        ('{"a": 1,}', "1:8 a comma before '}'"),
        ('{"a": 1\n "b": 2}', "1:7 a comma is missing after this"),
        ('// x\n{"a": 1 /* y */}', "1:1 JSON has no comments; 2:9 JSON has no comments"),
        ("{'a': 'b'}", "1:2 a key is written in double quotes; 1:7 a text is written in double quotes"),
        (
            "{a: Tru}",
            "1:2 a key is written in double quotes; 1:5 'Tru' is not a value in JSON; did you mean true?",
        ),
        ('{"a" = 1}', "1:6 ':' is missing between 'a' and its value"),
        ('{"a": 1,\n "a": 2}', "2:2 'a' is given twice, first in line 1"),
        ('{"a": 0x10}', "1:7 '0x10' is not a number in JSON"),
        ('{"a": NaN}', "1:7 'NaN' is not a value in JSON; a text is written in double quotes"),
        ('{"a":\n"x}', "2:1 this text has no closing quote"),
        ('{"a": "x\n", "b": 1}', "1:7 this text has no closing quote in its line"),
        ('{"a": [1}', "1:9 '}' where the '[' in line 1 needs ']'"),
        ('{"a": 1', "1:8 the file ends before the '}' for the '{' in line 1"),
        ('{"a": 1}}', "1:9 '}' after the end of the document"),
        ('{"a":}', "1:6 'a' has no value"),
        ('{"a": "\\x"}', "1:8 invalid \\escape"),
        ("[" * 70, "1:65 nested more than 64 levels deep"),
        ("\u00e9" * 2, "1:1 '\u00e9\u00e9' is not a value in JSON; a text is written in double quotes"),
    ],
)
def test_errors_have_a_place_and_a_reason(text: str, said: str) -> None:
    reading = read_json(text)
    found = [(reading.line_and_column(fault.offset), fault.message) for fault in reading.faults]
    assert "; ".join(f"{line}:{column} {message}" for (line, column), message in found) == said


def test_what_stands_behind_an_error_is_read() -> None:
    reading = read_json('{"a": [1, 2,], # c\n b: True "c": {"d": 5},}')
    assert reading.value == {"a": [1, 2], "b": True, "c": {"d": 5}} and reading.whole
    assert len(reading.faults) == 6


def test_hostile_numbers_and_depths_are_no_traceback() -> None:
    for text in (
        '{"a": ' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"a":' * 100_000,
        "1e99999",
        "-",
        '["\\ud800"]',
    ):
        reading = read_json(text)
        assert reading.faults or reading.value in (math.inf, ["\ud800"])
