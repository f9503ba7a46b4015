"""Archives in a form that a stick reads, which has neither zstd nor 7z."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Final

from hiperiso.images.compression import compression
from hiperiso.images.members import SEVEN_ZIP, Member, MemberKind, read_archive
from hiperlab.run import SOURCE_DATE_EPOCH

_TYPES: Final = {
    MemberKind.FOLDER: tarfile.DIRTYPE,
    MemberKind.FILE: tarfile.REGTYPE,
    MemberKind.LINK: tarfile.SYMTYPE,
}


def repack(archive: Path, folder: Path) -> Path:
    """Check an archive for ``injection``, and write it as a .tar.xz if it is one of zstd or 7z.

    Args:
        archive: of any kind that `read_archive` reads.
        folder: an existing directory for the new archive.

    Returns:
        `archive`, or the new file; the same archive always gives the same bytes.

    Raises:
        UsageError: it is hostile, damaged, too large, or cannot be read.
        HarnessFault: a program that reads this kind is missing.
        OSError: the new file cannot be written.
    """
    members = read_archive(archive)
    if not _needs_programs(archive):
        return archive
    name = archive.name
    for suffix in (".7z", ".zst", ".tzst", ".tar"):
        name = name.removesuffix(suffix)
    path = folder / f"{name}.tar.xz"
    with tarfile.open(path, "w:xz", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            tar.addfile(_header(member), io.BytesIO(member.data))
    return path


def _needs_programs(archive: Path) -> bool:
    with archive.open("rb") as file:
        return file.read(len(SEVEN_ZIP)) == SEVEN_ZIP or compression(archive) == ".zst"


def _header(member: Member) -> tarfile.TarInfo:
    info = tarfile.TarInfo(member.name)
    info.type, info.mode, info.mtime = _TYPES[member.kind], member.permissions, int(SOURCE_DATE_EPOCH)
    if member.kind is MemberKind.LINK:
        info.linkname = os.fsdecode(member.data)
    elif member.kind is MemberKind.FILE:
        info.size = len(member.data)
    return info
