"""JSON Schemas: of the session's JSON files, from their structs, and of hiperiso.json, from the table of settings.

``python -m hiperiso.contract.schema docs/schema`` writes them; a test checks that the stored ones are current and that
real sessions validate.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from hiperiso.contract.comments import COMMENT
from hiperiso.contract.disk import DiskSummary
from hiperiso.contract.eventlines import FORMS
from hiperiso.contract.manifest import IndexLine, Manifest, StatusFile, Timing
from hiperiso.contract.network import NetworkSummary
from hiperiso.contract.report import Report
from hiperiso.contract.row import Row
from hiperiso.contract.sections import ISO_OVERRIDES, SECTIONS, Form, Key, Section
from hiperiso.contract.settings import ROWS
from hiperiso.contract.tasks import TaskEntry

SCHEMAS: dict[str, type[msgspec.Struct] | None] = {
    "session": Manifest,
    "status": StatusFile,
    "index-line": IndexLine,
    "timing": Timing,
    "report": Report,
    "event": None,
    "disk": DiskSummary,
    "task": TaskEntry,
    "network": NetworkSummary,
}
"""Name of the schema file (without ``.schema.json``) -> struct of one document or line; None for events."""

_COMMENTS: Final[dict[str, Any]] = {COMMENT: {}}
CONFIGURATION: Final = "hiperiso"
NAMES: Final = (*SCHEMAS, CONFIGURATION)
"""All schemas."""


def schema_of(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one file kind.

    Further keys are allowed, because readers must ignore them; but not in hiperiso.json, where a typo would have no
    effect.
    """
    struct = SCHEMAS.get(name)
    other = _configuration if name == CONFIGURATION else _event_schema
    schema = msgspec.json.schema(struct) if struct else other()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def _configuration() -> dict[str, Any]:
    settings = {
        "type": "object",
        "properties": {row.name: _setting(row) for row in ROWS.values()},
        "patternProperties": _COMMENTS,
        "additionalProperties": False,
    }
    overrides = {
        "type": "object",
        "description": "Glob of an ISO's path or name -> its settings; later ones win.",
        "patternProperties": _COMMENTS,
        "additionalProperties": settings,
    }
    sections = {section.name: _section(section) for section in SECTIONS.values()}
    return {
        "type": "object",
        "properties": {"$schema": {"type": "string"}, **sections, ISO_OVERRIDES: overrides},
        "patternProperties": _COMMENTS,
        "additionalProperties": False,
    }


def _section(section: Section) -> dict[str, Any]:
    entry = _key(section.keys[0]) if section.form is Form.PATHS else _object(section.keys)
    if section.targets:
        groups = (section.targets, *section.needs)
        entry["allOf"] = [{"anyOf": [{"required": [name]} for name in group]} for group in groups]
    entries = {"type": "array", "items": entry}
    forms = {
        Form.OBJECT: entry,
        Form.PAIRS: {"anyOf": [entry, entries]},
        Form.TIPS: {"anyOf": [entries, _object(section.outer, tips=entries)]},
    }
    return forms.get(section.form, entries) | {"description": f"{section.help}."}


def _object(keys: tuple[Key, ...], **further: dict[str, Any]) -> dict[str, Any]:
    named = {name: _key(key) for key in keys for name in (key.name, *key.aliases)}
    return {
        "type": "object",
        "properties": named | further,
        "patternProperties": _COMMENTS,
        "additionalProperties": False,
    }


def _key(key: Key) -> dict[str, Any]:
    default = f" (default: {key.default})" if key.default else ""
    return key.kind.schema() | {"description": f"{key.help}{default}."}


def _setting(row: Row) -> dict[str, Any]:
    place = f" Only on a {row.where}: {row.why}." if row.where else ""
    schema = row.kind.schema() | {"description": row.explained + place}
    return schema if row.default is None else schema | {"default": row.kind.plain(row.default)}


def _event_schema() -> dict[str, Any]:
    """Any event; for known ones with the content of ``data``."""
    forms = sorted({form for _, _, form in FORMS if form is not dict}, key=lambda form: form.__name__)
    references, components = msgspec.json.schema_components(forms, ref_template="#/$defs/{name}")
    by_form = dict(zip(forms, references, strict=True))
    return {
        "title": "Event",
        "description": "A line of events.jsonl. Further sources and kinds are events of another version.",
        "type": "object",
        "required": ["n", "t", "source", "kind"],
        "properties": {
            "n": {"type": "integer"},
            "t": {"type": "number"},
            **{name: {"type": "string"} for name in ("source", "kind", "text", "path")},
            "data": {"type": "object"},
        },
        "allOf": [
            {
                "if": {"properties": {"source": {"const": source}, "kind": {"const": kind}}},
                "then": {"properties": {"data": by_form[form]}},
            }
            for source, kind, form in FORMS
            if form is not dict
        ],
        "$defs": components,
    }


def schema_text(name: str) -> str:
    """`schema_of` as the text of the stored file."""
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
