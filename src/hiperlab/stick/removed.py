"""removed.jsonl of a stick: the recordings that ``stick prune`` removed, a line each."""

from __future__ import annotations

from typing import Final

import msgspec

from hiperiso.contract import files
from hiperiso.contract.stick import LOG_FOLDER
from hiperlab.stick.data import DataPartition

REMOVED_PATH: Final = f"{LOG_FOLDER}/{files.REMOVED_JSONL}"


def removed_sessions(data: DataPartition) -> frozenset[str]:
    """The names of the recordings in it; lines that cannot be read are skipped."""
    if data.find(REMOVED_PATH) is None:
        return frozenset()
    names = set()
    for line in b"".join(data.read(REMOVED_PATH)).splitlines():
        try:
            document = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if isinstance(document, dict) and isinstance(document.get("session_id"), str):
            names.add(document["session_id"])
    return frozenset(names)
