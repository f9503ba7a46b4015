"""docs/session-format.md names every file, every field and every word that a session may hold."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec
import pytest

from hiperiso.contract import files, words
from hiperiso.contract.eventdata import LineData
from hiperiso.contract.eventlines import FORMS
from hiperiso.contract.manifest import Analysis, Host, HwInventory
from hiperiso.contract.report import Evidence, Finding, StageReached
from hiperiso.contract.schema import SCHEMAS

PAGE = (Path(__file__).parents[2] / "docs" / "session-format.md").read_text()

STRUCTS = [*filter(None, SCHEMAS.values()), Analysis, Host, HwInventory, Evidence, Finding, StageReached]
WORDS = [
    words.SessionStatus,
    words.LifecycleStage,
    words.BootResult,
    words.BootStage,
    words.FailureDomain,
    words.Fault,
    words.KvmState,
    words.TraceLevel,
    words.EndReason,
]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_field_is_named(struct: type[msgspec.Struct]) -> None:
    fields = msgspec.structs.fields(struct)
    assert fields
    assert [field.name for field in fields if f"`{field.name}`" not in PAGE] == []


def test_every_value_of_an_event_is_named() -> None:
    names = {
        (source, field.name)
        for source, _, form in FORMS
        if form is not dict
        for field in msgspec.structs.fields(form)
        if not (form is LineData and field.name in ("file", "line"))  # never written
    }
    rows = {source: "" for source, _ in names}
    for row in PAGE.splitlines():
        source = row.removeprefix("| `").partition("`")[0]
        if source in rows:
            rows[source] += row
    missing = sorted((source, name) for source, name in names if f"`data.{name}`" not in rows[source])
    assert missing == []


@pytest.mark.parametrize("kind", WORDS, ids=lambda kind: kind.__name__)
def test_every_word_is_named(kind: type[StrEnum]) -> None:
    assert [word.value for word in kind if f"`{word.value}`" not in PAGE] == []


def test_every_file_is_named() -> None:
    names = [value for name, value in vars(files).items() if name.isupper() and isinstance(value, str)]
    assert len(names) > 20
    assert [name for name in names if f"`{name}`" not in PAGE and f"`{name}/`" not in PAGE] == []
