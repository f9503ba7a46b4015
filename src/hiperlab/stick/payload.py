"""A payload directory: the content of the stick's host system, with a manifest of hashes.

::

    vmlinuz  initramfs.cpio.gz  OVMF.fd  trace/*.events
    manifest.json    {"format": 1, "files": {"vmlinuz": {"sha256": "...", "size_bytes": 1}, ...}, "versions": {...}}
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from hiperiso.errors import UsageError

MANIFEST_NAME: Final = "manifest.json"
REQUIRED: Final = ("vmlinuz", "initramfs.cpio.gz", "OVMF.fd")
TRACE_FOLDER: Final = "trace"
FORMAT: Final = 1
_HINT = "create one with hiperiso payload build"


class FileRecord(msgspec.Struct, frozen=True):
    """Hash and size of a file."""

    sha256: str
    size_bytes: int


class PayloadManifest(msgspec.Struct, frozen=True, kw_only=True):
    """manifest.json: paths relative to the folder, with ``/``. ``versions`` is shown by `stick verify`.

    ``filesystems`` are those of data partitions that its kernel can use; null if unknown.
    """

    files: dict[str, FileRecord]
    format: int = FORMAT
    versions: dict[str, str] = {}
    filesystems: list[str] | None = None


@dataclass(frozen=True)
class Payload:
    """A payload directory checked against its manifest. ``files``: relative path -> file."""

    folder: Path
    manifest: PayloadManifest
    files: dict[str, Path]

    @property
    def size_bytes(self) -> int:
        """Size of all files."""
        return sum(record.size_bytes for record in self.manifest.files.values())

    def problem_with(self, filesystem: str) -> str:
        """Why its system cannot use a data partition of that kind; empty if it can, or unknown."""
        known = self.manifest.filesystems
        if known is None or filesystem in known:
            return ""
        return f"this payload's kernel cannot read {filesystem}: no ISO could be booted from it"


def read_payload(folder: Path, *, progress: Callable[[int], None] | None = None) -> Payload:
    """Read and check a payload directory.

    Raises:
        UsageError: no such directory, no manifest, a file missing or different; all such files are reported.
    """
    try:
        manifest = msgspec.json.decode((folder / MANIFEST_NAME).read_bytes(), type=PayloadManifest)
    except OSError as error:
        raise UsageError(
            f"{folder} is not a payload: {MANIFEST_NAME}: {error.strerror}", hint=_HINT
        ) from None
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{folder}/{MANIFEST_NAME} is not a payload's manifest: {error}", hint=_HINT
        ) from None
    if manifest.format != FORMAT:
        raise UsageError(f"{folder}: the payload has format {manifest.format}, this version reads {FORMAT}")
    problems = [f"{name}: not in the manifest" for name in REQUIRED if name not in manifest.files]
    for name, record in manifest.files.items():
        if problem := _problem(folder, name, record, progress):
            problems.append(f"{name}: {problem}")
    if problems:
        raise UsageError(f"the payload {folder} is broken: " + "; ".join(problems), hint=_HINT)
    return Payload(folder, manifest, {name: folder / name for name in manifest.files})


def write_manifest(
    folder: Path, *, versions: dict[str, str] | None = None, filesystems: list[str] | None = None
) -> PayloadManifest:
    """Write the manifest of the files in `folder`, and return it.

    Raises:
        UsageError: a required file is missing.
        OSError: the folder cannot be written.
    """
    if missing := [name for name in REQUIRED if not (folder / name).is_file()]:
        raise UsageError(f"the payload {folder} lacks {', '.join(missing)}", hint=_HINT)
    paths = [folder / name for name in REQUIRED] + sorted((folder / TRACE_FOLDER).glob("*"))
    records = {path.relative_to(folder).as_posix(): file_record(path) for path in paths if path.is_file()}
    manifest = PayloadManifest(files=records, versions=versions or {}, filesystems=filesystems)
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    (folder / MANIFEST_NAME).write_bytes(text)
    return manifest


def file_record(path: Path, *, progress: Callable[[int], None] | None = None) -> FileRecord:
    """Hash and size of a file.

    Raises:
        OSError: it cannot be read.
    """
    total, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            total.update(chunk)
            size += len(chunk)
            if progress:
                progress(len(chunk))
    return FileRecord(total.hexdigest(), size)


def _problem(folder: Path, name: str, record: FileRecord, progress: Callable[[int], None] | None) -> str:
    parts = PurePosixPath(name).parts
    known = name in REQUIRED or (len(parts) == 2 and parts[0] == TRACE_FOLDER)
    if not known or ".." in parts:
        return "not a file of a payload"
    try:
        found = file_record(folder / name, progress=progress)
    except OSError as error:
        return error.strerror or str(error)
    return "" if found == record else "differs from the manifest"
