from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from hiperiso.contract.schema import NAMES, schema_of, schema_text

STORED = Path(__file__).parents[3] / "docs" / "schema"


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_stored_schema_is_what_structs_and_settings_say(name: str) -> None:
    Draft202012Validator.check_schema(schema_of(name))
    stored = STORED / f"{name}.schema.json"
    assert stored.read_text() == schema_text(name), "run: python -m hiperiso.contract.schema docs/schema"


def test_nothing_else_is_stored() -> None:
    assert {path.name for path in STORED.iterdir()} == {f"{name}.schema.json" for name in NAMES}
