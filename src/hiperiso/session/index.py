"""index.jsonl of a log root: one line for each session that has ended, once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from msgspec import UNSET

from hiperiso.contract import files
from hiperiso.contract.manifest import Analysis, IndexLine, Manifest
from hiperiso.contract.stick import LOG_FOLDER
from hiperiso.contract.store import append_line, encode_json

_CHUNK_BYTES: Final = 1 << 20


def add_to_index(path: Path, manifest: Manifest) -> str:
    """Append the line of the session in `path` to the index of its log root, unless it is there already.

    Returns:
        The reason why no line was written; empty if there is one.

    Raises:
        OSError: the index cannot be written.
    """
    log_root = index_root(path.parent)
    if stands_in_index(log_root, manifest.session_id):
        return ""
    names = IndexLine.__struct_fields__
    values = {name: getattr(manifest, name) for name in names if hasattr(manifest, name)}
    if isinstance(manifest.analysis, Analysis):
        values |= {
            name: getattr(manifest.analysis, name) for name in names if hasattr(manifest.analysis, name)
        }
    if lacking := [name for name in names if values.get(name, UNSET) is UNSET]:
        return f"not in {files.INDEX_JSONL}: {files.SESSION_JSON} lacks {', '.join(lacking)}"
    index, lock = log_root / files.INDEX_JSONL, log_root / files.INDEX_LOCK
    append_line(index, lock, encode_json(IndexLine(**values)))
    return ""


def index_root(log_root: Path) -> Path:
    """The directory of the index: ``/hiperiso/logs`` above a log directory of one ISO, else the log root itself."""
    places = (log_root, *log_root.parents)
    return next((place for place in places if str(place).endswith(LOG_FOLDER)), log_root)


def stands_in_index(log_root: Path, session_id: str) -> bool:
    """Whether the index has a line for that session; read backwards, because mostly the latest are looked up."""
    key, name = b'"session_id":', encode_json(session_id)
    wanted = (key + name, key + b" " + name)
    overlap = max(map(len, wanted)) - 1
    try:
        with (log_root / files.INDEX_JSONL).open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            while end > 0:
                start = max(0, end - _CHUNK_BYTES)
                file.seek(start)
                piece = file.read(end - start + overlap)
                if any(text in piece for text in wanted):
                    return True
                end = start
    except OSError:
        return False
    return False
