"""JSON Schemas: of the session's JSON files, from their structs, and of hiperiso.json, from the table of settings.

``python -m hiperiso.contract.schema docs/schema`` writes them; a test checks that the stored ones are current and that
real sessions validate.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from hiperiso.contract.disk import DiskSummary
from hiperiso.contract.events import Event
from hiperiso.contract.manifest import IndexLine, Manifest, StatusFile, Timing
from hiperiso.contract.report import Report
from hiperiso.contract.row import ASKS_FOR_NOTHING, Row
from hiperiso.contract.settings import ROWS
from hiperiso.contract.tasks import TaskEntry

SCHEMAS: dict[str, type[msgspec.Struct]] = {
    "session": Manifest,
    "status": StatusFile,
    "index-line": IndexLine,
    "timing": Timing,
    "report": Report,
    "event": Event,
    "disk": DiskSummary,
    "task": TaskEntry,
}
"""Name of the schema file (without ``.schema.json``) -> struct of one document or line."""

CONFIGURATION: Final = "hiperiso"
NAMES: Final = (*SCHEMAS, CONFIGURATION)
"""Every schema that there is."""


def schema_of(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one file kind.

    Further keys are allowed, for readers must ignore them; but not in ``iso_overrides``, where a typing error would
    change nothing.
    """
    schema = _configuration() if name == CONFIGURATION else msgspec.json.schema(SCHEMAS[name])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def _configuration() -> dict[str, Any]:
    settings = {
        "type": "object",
        "properties": {row.name: _setting(row) for row in ROWS.values()},
        "additionalProperties": False,
    }
    overrides = {
        "type": "object",
        "description": "Glob of an ISO's path or name -> its settings; later ones win.",
        "additionalProperties": settings,
    }
    return {"type": "object", "properties": {"iso_overrides": overrides}}


def _setting(row: Row) -> dict[str, Any]:
    if not row.built:
        return {"description": f"{row.explained} Refused: {row.why}.", "enum": list(ASKS_FOR_NOTHING)}
    place = f" On a {row.where} alone: {row.why}." if row.where else ""
    schema = row.kind.schema() | {"description": row.explained + place}
    return schema if row.default is None else schema | {"default": row.kind.plain(row.default)}


def schema_text(name: str) -> str:
    """`schema_of` as the stored file holds it."""
    return msgspec.json.format(msgspec.json.encode(schema_of(name), order="sorted"), indent=2).decode() + "\n"


def main(argv: list[str]) -> int:
    """Write every schema into the directory named."""
    folder = Path(argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (folder / f"{name}.schema.json").write_text(schema_text(name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
