"""The table of settings: whole, typed, and each row consistent in itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, assert_type

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from hiperiso.contract.row import PLACES, Row
from hiperiso.contract.schema import CONFIGURATION, schema_of
from hiperiso.contract.settings import ALL_ROWS, BY_ATTRIBUTE, DEFAULTS, ROWS, Settings
from hiperiso.contract.values import File, Flag, Several, Text
from hiperiso.contract.words import TraceLevel

CONTRACT = (
    "ISO_PATH LOG_DIR TRACE_LEVEL GUEST_RAM GUEST_CPUS DISPLAY VGA FALLBACK AUTO_INSTALL PERSISTENCE DUD INJECTION"
    " CONF_REPLACE SECURE_BOOT TPM CPU_FEATURES BOOT_MODE NET_DUMP"
)
"""Of the interface contract, without ``HIPERISO_``."""


def validator() -> Draft202012Validator:
    return Draft202012Validator(schema_of(CONFIGURATION))


def is_valid(name: str, raw: Any) -> bool:
    return validator().is_valid({"iso_overrides": {"*": {name: raw}}})


def test_attributes_keep_their_types() -> None:
    settings = Settings()
    assert_type(settings.ram_mb, int)
    assert_type(settings.trace, TraceLevel)
    assert_type(settings.cpu_features, tuple[str, ...])
    assert_type(settings.timeout_scale, float | None)
    assert set(BY_ATTRIBUTE) == set(Settings.__struct_fields__)


def test_the_variables_of_the_contract_are_there() -> None:
    assert {f"HIPERISO_{name}" for name in CONTRACT.split()} <= {row.variable for row in ALL_ROWS}


def test_no_name_means_two_settings() -> None:
    for names in (
        [row.name for row in ALL_ROWS],
        [row.variable for row in ALL_ROWS],
        [name for row in ALL_ROWS for name in (row.parameter, *row.aliases)],
    ):
        assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z][a-z_]*", row.name) for row in ALL_ROWS)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_is_consistent_in_itself(row: Row) -> None:
    assert row.help[0].isupper() and not row.help.endswith(".")
    assert bool(row.why) == (row.where is not None)
    assert row.example or row.kind.flag or row.kind.choices
    assert row.default == getattr(DEFAULTS, row.attribute)
    examples = [row.example.strip("'")] * bool(row.example) + list(row.kind.choices)
    values = [row.kind.parse(example) for example in examples]
    values += [] if row.default is None else [row.default]
    for value in values:
        assert row.kind.parse(row.kind.text(value)) == value
        assert row.kind.parse(row.kind.plain(value)) == value
        assert is_valid(row.name, row.kind.plain(value)) and is_valid(row.name, row.kind.text(value))


RAW = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text(), max_size=3)


@given(st.sampled_from(ALL_ROWS), RAW | st.dictionaries(st.text(), RAW))
def test_any_raw_value_is_read_or_refused(row: Row, raw: Any) -> None:
    try:
        value = row.kind.parse(raw)
    except ValueError as error:
        assert str(error)
        return
    assert row.kind.parse(row.kind.plain(value)) == value


def test_the_schema_knows_typing_errors() -> None:
    assert (
        is_valid("ram", 4096)
        and is_valid("ram", "4G")
        and not is_valid("ram", "lots")
        and not is_valid("ram", 1)
    )
    assert not is_valid("rma", 4096) and not is_valid("log_root", "/x")
    assert is_valid("net_dump", True) and not is_valid("net_dump", "perhaps")
    assert validator().is_valid({"control": {}, "iso_overrides": {}})
    assert not set(ROWS) & {row.name for row in PLACES}


def test_lists_and_paths() -> None:
    once, each = Several(Flag()), Several(File(), separator=";", repeated=True)
    assert once.parse("1,0, 1") == (True, False, True) and once.text((True, False)) == "1,0"
    assert each.parse("/a;b") == (Path("/a"), Path("b"))
    assert each.parse(["/a;b"]) == (Path("/a;b"),)  # an item may hold the separator
    assert each.located((Path("b"),), lambda text: Path("/x", text)) == (Path("/x/b"),)
    assert (once.repeated, each.repeated) == (False, True)
    for kind, raw in ((File(), ""), (File(), 7), (File(), "a\0"), (Text(), "two\nlines"), (each, [7])):
        with pytest.raises(ValueError, match="is not"):
            kind.parse(raw)
