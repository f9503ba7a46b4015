"""One operation on an NTFS, in a separate process: a damaged file system can only crash the library there.

Run as ``python -m hiperlab.stick.ntfs.worker DESCRIPTOR OFFSET REQUEST``; the request is JSON, such as
``{"do": "walk", "path": "/ISOs"}``.

========  =======================================================================================================
walk      a line of JSON for each entry below ``path``: ``[path, size_bytes, is_folder, modified_s]``; folders first
find      the same line for ``path`` itself, or nothing
read      the content of the file ``path``; fails if it does not exist
folders   creates the directory ``path`` and its parents
add       the file ``path`` from standard input, which must have ``size`` bytes; its name appears when it is whole;
          with ``replace`` it takes the place of another
remove    removes the file or the empty directory ``path``; fails if it does not exist
free      a line with the number of free bytes
========  =======================================================================================================

Exit code 0; 3 if the file does not exist (or, for ``add``, exists); else 1, with a line ``ERRNO text`` on
standard error. Interrupts are left to the parent: closing standard input ends ``add``, and nothing is added.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Iterator
from typing import Any

from hiperlab.stick.ntfs.library import DIRECTORY, REGULAR, ROOT, Volume, open_volume

REFUSED = 3
_MAX_DEPTH = 64
_MAX_FILES = 1_000_000
_CPU_S = 1800
_CHUNK_BYTES = 1 << 20


def main() -> int:
    """Do it; returns the exit code."""
    descriptor, offset, request = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open_volume(descriptor, offset, writable=request["do"] in _WRITING) as volume:
            return _OPERATIONS[request["do"]](volume, request)
    except OSError as error:
        print(f"\n{error.errno or 0} {error.strerror or error}", file=sys.stderr)
        return 1


def _walk(volume: Volume, request: dict[str, Any]) -> int:
    parts = _parts(request["path"])
    top = _record(volume, parts)
    if top is not None:
        left = _MAX_FILES
        for line in _below(volume, top, "".join(f"/{part}" for part in parts), {top}, _MAX_DEPTH):
            print(json.dumps(line))
            left -= 1
            if not left:
                break
    return 0


def _below(volume: Volume, folder: int, base: str, seen: set[int], depth: int) -> Iterator[list[Any]]:
    entries = [(name, record, kind) for name, record, kind in volume.entries(folder) if "/" not in name]
    for name, record, kind in entries:
        if kind in (REGULAR, DIRECTORY):
            yield _line(volume, f"{base}/{name}", record, kind)
    for name, record, kind in entries:
        if kind == DIRECTORY and depth and record not in seen:
            seen.add(record)
            yield from _below(volume, record, f"{base}/{name}", seen, depth - 1)


def _line(volume: Volume, path: str, record: int, kind: int) -> list[Any]:
    if kind == DIRECTORY:
        return [path, 0, True, None]
    size, modified_s = volume.facts(record)
    return [path, size, False, modified_s]


def _find(volume: Volume, request: dict[str, Any]) -> int:
    found = _entry(volume, _parts(request["path"]))
    if found is not None:
        print(json.dumps(_line(volume, request["path"], *found)))
    return 0


def _read(volume: Volume, request: dict[str, Any]) -> int:
    found = _entry(volume, _parts(request["path"]))
    if found is None or found[1] != REGULAR:
        return REFUSED
    for chunk in volume.read(found[0]):
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
    return 0


def _folders(volume: Volume, request: dict[str, Any]) -> int:
    folder = ROOT
    for part in _parts(request["path"]):
        found = volume.look_up(folder, part)
        folder = volume.make(folder, part, DIRECTORY) if found is None else found
    return 0


def _add(volume: Volume, request: dict[str, Any]) -> int:
    *above, name = _parts(request["path"])
    folder = _record(volume, above)
    old = None if folder is None else volume.look_up(folder, name)
    if folder is None or (old is not None and not request.get("replace")):
        return REFUSED
    part = f".{name[:200]}.part"
    volume.remove(folder, part)
    record = volume.make(folder, part, REGULAR)
    try:
        written = volume.write(record, iter(lambda: sys.stdin.buffer.read(_CHUNK_BYTES), b""))
        if written != request["size"]:
            raise OSError(0, f"{written} of {request['size']} bytes received")
        volume.remove(folder, name)
        volume.rename(folder, part, name)
    except OSError:
        volume.remove(folder, part)
        raise
    return 0


def _remove(volume: Volume, request: dict[str, Any]) -> int:
    *above, name = _parts(request["path"])
    folder = _record(volume, above)
    if folder is None or volume.look_up(folder, name) is None:
        return REFUSED
    volume.remove(folder, name)
    return 0


def _free(volume: Volume, _request: dict[str, Any]) -> int:
    print(volume.free_bytes())
    return 0


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _record(volume: Volume, parts: list[str]) -> int | None:
    """The record of a directory."""
    if not parts:
        return ROOT
    found = _entry(volume, parts)
    return found[0] if found and found[1] == DIRECTORY else None


def _entry(volume: Volume, parts: list[str]) -> tuple[int, int] | None:
    """Record and kind of the entry at a path."""
    if not parts:
        return ROOT, DIRECTORY
    folder = _record(volume, parts[:-1])
    record = None if folder is None else volume.look_up(folder, parts[-1])
    if folder is None or record is None:
        return None
    found: list[tuple[int, int]] = [
        (number, kind) for _, number, kind in volume.entries(folder) if number == record
    ]
    return found[0] if found else None


_OPERATIONS = {
    "walk": _walk,
    "find": _find,
    "read": _read,
    "folders": _folders,
    "add": _add,
    "remove": _remove,
    "free": _free,
}
_WRITING = ("folders", "add", "remove")

if __name__ == "__main__":
    sys.exit(main())
