# ruff: noqa: D102 - the base class documents each method
"""The setting ``conf_replace``: files of the ISO that the guest sees with other content."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import msgspec

from hiperiso.contract.comments import COMMENT, is_comment
from hiperiso.contract.values import Kind, Locate, Several

_FORM: Final = re.compile(r"org=(?P<org>[^\0;]+);new=(?P<new>[^\0]+)")
_NEXT: Final = re.compile(r";(?=org=)")


class Replacement(msgspec.Struct, frozen=True):
    """A path on the ISO (``efi:/path`` inside its EFI boot image), and the file that the guest sees there."""

    org: str
    new: Path


class ReplacementText(Kind):
    """One replacement: ``org=/path;new=/path``, or an object with the two keys."""

    metavar = "org=/path;new=/path"
    members = ("org", "new")

    def parse(self, raw: Any) -> Replacement:
        if isinstance(raw, dict):
            given = {name: value for name, value in raw.items() if not is_comment(name)}
            if set(given) == set(self.members) and all(isinstance(value, str) for value in given.values()):
                raw = f"org={given['org']};new={given['new']}"
        match = _FORM.fullmatch(raw.strip()) if isinstance(raw, str) else None
        if match is None or not match["org"].removeprefix("efi:").startswith("/"):
            raise ValueError(f"{raw!r} is not org=/path/on/the/ISO;new=/path/of/a/file")
        return Replacement(match["org"].strip(), Path(match["new"].strip()))

    def text(self, value: Replacement) -> str:
        return f"org={value.org};new={value.new}"

    def plain(self, value: Replacement) -> str:
        return self.text(value)

    def schema(self) -> dict[str, Any]:
        whole = {
            "type": "object",
            "properties": {name: {"type": "string"} for name in self.members},
            "patternProperties": {COMMENT: {}},
            "required": list(self.members),
            "additionalProperties": False,
        }
        return {"anyOf": [{"type": "string", "pattern": "^org=.+;new=.+"}, whole]}

    def located(self, value: Replacement, locate: Locate) -> Replacement:
        return Replacement(value.org, locate(str(value.new)))


class Replacements(Several):
    """Several, as a list; or as one text, one behind the other: ``org=/a;new=/b;org=/c;new=/d``."""

    def __init__(self) -> None:
        super().__init__(ReplacementText(), separator=";", repeated=True)
        self.members = self.item.members

    def parse(self, raw: Any) -> tuple[Replacement, ...]:
        if isinstance(raw, dict):
            return super().parse([raw])
        items = raw if isinstance(raw, list | tuple) else [raw]
        parts = [part for item in items for part in (_NEXT.split(item) if isinstance(item, str) else [item])]
        return super().parse(parts)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [*super().schema()["anyOf"], self.item.schema()["anyOf"][1]]}
