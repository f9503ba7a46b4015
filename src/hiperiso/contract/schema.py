"""JSON Schemas of the session's JSON files, generated from their structs.

``python -m hiperiso.contract.schema docs/schema`` writes them; a test checks that the stored ones are current and that
real sessions validate.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from hiperiso.contract.disk import DiskSummary
from hiperiso.contract.events import Event
from hiperiso.contract.manifest import IndexLine, Manifest, StatusFile, Timing
from hiperiso.contract.report import Report
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


def schema_of(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one file kind. Further keys are allowed: readers must ignore them."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | msgspec.json.schema(SCHEMAS[name])


def schema_text(name: str) -> str:
    """`schema_of` as the stored file holds it."""
    return msgspec.json.format(msgspec.json.encode(schema_of(name), order="sorted"), indent=2).decode() + "\n"


def main(argv: list[str]) -> int:
    """Write every schema into the directory named."""
    folder = Path(argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in SCHEMAS:
        (folder / f"{name}.schema.json").write_text(schema_text(name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
