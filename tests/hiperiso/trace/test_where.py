"""Conditions on records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.errors import UsageError
from hiperiso.trace.reader import Record
from hiperiso.trace.where import parse_condition

from .trace_files import FORMATS

READ = Record("ide_atapi_cmd_read", 5, 7, FORMATS["ide_atapi_cmd_read"], (0x55AA, "dma", 16, 1))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("lba == 16", True),
        ("lba == 0x10 and method == dma", True),
        ("lba != 16", False),
        ("lba > 15.5 and lba <= 16", True),
        ('method == "dma" or lba == 1', True),
        ("method ~ 'd*'", True),
        ("method < e and method > a", True),
        ("event ~ 'ide_*' and pid == 7 and t >= 2.5", True),
        ("not lba == 16", False),
        ("not (lba == 1 or lba == 2) and not pid == 8", True),
        ("lba == 1 or lba == 2 and lba == 16", False),
        ("(lba == 16 or lba == 2) and nb_sectors == 1", True),
        ("s & 0xff == 0xaa", True),
        ("s & 0xff == 0x55", False),
        ("absent == 1", False),
        ("absent != 1", False),
        ("method == 1", False),
        ("method != 1", True),
        ("lba == -16", False),
    ],
)
def test_what_holds(text: str, holds: bool) -> None:
    assert parse_condition(text)(READ, 2.5) is holds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", r"'the end' where a name should be \(character 1\)"),
        ("lba", "'the end' where == or"),
        ("lba = 1", r"'= 1' is not understood \(character 4\)"),
        ("lba == ", "where a value should be"),
        ("lba == 1 lba == 2", r"'lba' where nothing more should be \(character 10\)"),
        ("(lba == 1", "where \\) should be"),
        ("__import__('os') == 1", r"'\(' where"),
        ("not " * 60 + "lba == 1", "nested too deeply"),
        ("x" * 5000, "more than 4000"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse_condition(text)


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(["lba", "(", ")", "not", "and", "or", "==", "<", "~", "&", "1", "0x10", "'a'", '"'])
    ).map(" ".join)
)
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        condition = parse_condition(text)
    except UsageError:
        return
    assert condition(READ, 0.0) in (True, False)
