"""Files for a guest from an archive (``injection``): in its initramfs where we start its kernel, else on a volume."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from hiperiso.images.members import MAX_LINKS, Member, MemberKind, read_archive

LABEL: Final = "INJECTION"
"""Of the volume."""


class Injection(msgspec.Struct, frozen=True, kw_only=True):
    """An archive that was read and found harmless."""

    archive: Path
    members: tuple[Member, ...]

    @property
    def count(self) -> int:
        """The number of its files and links."""
        return sum(member.kind is not MemberKind.FOLDER for member in self.members)

    def volume(self) -> tuple[dict[str, bytes], tuple[str, ...]]:
        """The files for a volume without links: content by path; and the links that lead to no file.

        A link is replaced by a copy of its file.
        """
        found = {member.name: member for member in self.members}
        files: dict[str, bytes] = {}
        left_out = []
        for member in self.members:
            content = _content(member, found)
            if content is not None:
                files[member.name] = content
            elif member.kind is MemberKind.LINK:
                left_out.append(member.name)
        return files, tuple(left_out)


def read_injection(archive: Path) -> Injection:
    """The archive at that path.

    Raises:
        HarnessFault, UsageError: as for `read_archive`.
    """
    return Injection(archive=archive, members=read_archive(archive))


def counted(files: int) -> str:
    """A number of files, in words."""
    return f"{files} file" if files == 1 else f"{files} files"


def _content(member: Member, found: Mapping[str, Member]) -> bytes | None:
    at: Member | None = member
    for _ in range(MAX_LINKS):
        if at is None or at.kind is not MemberKind.LINK:
            break
        at = found.get(os.path.normpath(f"{at.name}/../{os.fsdecode(at.data)}"))
    return at.data if at is not None and at.kind is MemberKind.FILE else None
