"""The members of an archive that a user wants a guest to see: read into memory, within bounds, and checked.

A stick reads tar (plain, gzip, xz, lzma, bzip2) and zip with the standard library; zstd needs the program zstd, 7z
bsdtar (libarchive), which writes any archive as a tar. Nothing is ever written to disk.

An archive is hostile until proven otherwise: what would leave the directory that it is unpacked to, or is neither a
directory, a file nor a link, is refused with the name of the member.
"""

from __future__ import annotations

import contextlib
import io
import lzma
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import msgspec

from hiperiso.errors import HarnessFault, UsageError
from hiperiso.images.compression import compression
from hiperiso.images.cpio import TRAILER

if TYPE_CHECKING:
    from tarfile import TarFile, TarInfo
    from zipfile import ZipFile, ZipInfo

MAX_BYTES: Final = 256 << 20
"""The most content of an archive, unpacked."""

MAX_MEMBERS: Final = 20_000

MAX_LINKS: Final = 40
"""How many links on one path are followed, as in Linux (path_resolution(7))."""

SEVEN_ZIP: Final = b"7z\xbc\xaf\x27\x1c"
"""The first bytes of a 7z archive."""

_LZMA: Final = b"\x5d\0\0"
"""The first bytes of the format before xz: its usual settings."""
_MAX_ARCHIVE_BYTES: Final = 512 << 20
_MAX_PART_BYTES: Final = 255
_MAX_NAME_BYTES: Final = 1024
_MAX_TARGET_BYTES: Final = 4095
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_UNIX, _DOS = 3, 0  # the systems on which a member of a zip was made (PKWARE, APPNOTE.TXT 4.4.2)


class MemberKind(StrEnum):
    """What a member is."""

    FOLDER = "folder"
    FILE = "file"
    LINK = "link"


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One member.

    Attributes:
        name: its path, relative, without ``.`` and ``..``.
        kind: what it is.
        permissions: the lower 12 bits of ``st_mode``.
        data: the content of a file, the target of a link.
    """

    name: str
    kind: MemberKind = MemberKind.FILE
    permissions: int = 0o644
    data: bytes = b""


class Refused(UsageError):
    """An archive that is damaged, too large, or would do harm where it is unpacked."""


def read_archive(
    path: Path, *, max_bytes: int = MAX_BYTES, max_members: int = MAX_MEMBERS
) -> tuple[Member, ...]:
    """The members of the archive at `path`, sorted by name; where two have one name, the later.

    Args:
        path: the archive; its kind is known by its first bytes.
        max_bytes: bound of the content.
        max_members: bound of their number.

    Raises:
        Refused: it is damaged, of no known kind, too large, or hostile; the text names the member.
        UsageError: it cannot be read.
        HarnessFault: a program that reads this kind is missing.
    """
    try:
        status = path.stat()
        size_bytes = status.st_size
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise Refused(f"the archive is a device or a pipe: {path}", hint="name a file")
        with path.open("rb") as file:
            head = os.pread(file.fileno(), 8, 0)
            if size_bytes > _MAX_ARCHIVE_BYTES:
                raise Refused(
                    f"the archive has {size_bytes >> 20} MB, more than {_MAX_ARCHIVE_BYTES >> 20}: {path}"
                )
            most = _Most(max_bytes, max_members)
            raw = _of_zip(file, most) if head.startswith(_ZIP) else _of_tar(path, head, file, most)
            return _checked(path, raw, most)
    except HarnessFault as fault:
        raise HarnessFault(fault.message, hint=f"{fault.hint}; or pack {path} as tar.xz") from None
    except OSError as error:
        raise UsageError(
            f"the archive cannot be read: {path} ({error.strerror or error})", hint="check the path"
        ) from None


class _Raw(msgspec.Struct, frozen=True, kw_only=True):
    """A member as it stands in the archive. `same_as`: the member that it is a hard link to."""

    name: str
    kind: MemberKind | None
    permissions: int
    data: bytes = b""
    same_as: str = ""


class _Most(msgspec.Struct, frozen=True):
    """The bounds."""

    content_bytes: int
    members: int

    @property
    def stream_bytes(self) -> int:
        """Of a tar: the content, and its headers."""
        return self.content_bytes + self.members * 4096


class _TooMuch(Exception):
    """The bound of content is reached, at a member of that name."""


# ── tar ──


def _of_tar(path: Path, head: bytes, file: IO[bytes], most: _Most) -> Iterator[_Raw]:
    import tarfile  # few boots read an archive

    from hiperiso.images.unpack import decoder

    known = {SEVEN_ZIP: ".7z", _LZMA: ".xz"}  # liblzma reads both of its formats
    suffix = next((name for magic, name in known.items() if head.startswith(magic)), "") or compression(path)
    with contextlib.ExitStack() as stack:
        pieces = stack.enter_context(decoder(suffix, file)).pieces() if suffix else _pieces(file)
        stream = _Bounded(pieces, most.stream_bytes)
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            yield from _tar_members(tar, most)
        stream.drain()


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(1 << 20):
        yield piece


class _Bounded(io.RawIOBase):
    """Pieces as a file, up to the bound."""

    def __init__(self, pieces: Iterator[bytes], max_bytes: int) -> None:
        self._pieces = pieces
        self._rest = b""
        self._left = max_bytes

    def drain(self) -> None:
        """Read to the end: damage may lie behind the last member."""
        while self.read(1 << 20):
            pass

    def read(self, size: int = -1) -> bytes:
        parts, wanted = [], size
        while wanted > 0:
            if not self._rest:
                self._rest = next(self._pieces, b"")
                self._left -= len(self._rest)
                if self._left < 0:
                    raise _TooMuch
                if not self._rest:
                    break
            parts.append(self._rest[:wanted])
            self._rest = self._rest[wanted:]
            wanted -= len(parts[-1])
        return b"".join(parts)


def _tar_members(tar: TarFile, most: _Most) -> Iterator[_Raw]:
    left = most.content_bytes
    for info in tar:
        kind = _tar_kind(info)
        data = b""
        if kind is MemberKind.LINK:
            data = os.fsencode(info.linkname)
        elif info.isreg():
            left -= info.size
            if left < 0:
                raise _TooMuch(info.name)
            opened = tar.extractfile(info)
            data = opened.read() if opened else b""
            if len(data) != info.size:
                raise EOFError(f"{info.name!r} is cut short")
        same_as = info.linkname if info.islnk() else ""
        yield _Raw(name=info.name, kind=kind, permissions=info.mode & 0o7777, data=data, same_as=same_as)


def _tar_kind(info: TarInfo) -> MemberKind | None:
    if info.isdir():
        return MemberKind.FOLDER
    if info.issym():
        return MemberKind.LINK
    return MemberKind.FILE if info.isreg() or info.islnk() else None


# ── zip ──


def _of_zip(file: IO[bytes], most: _Most) -> Iterator[_Raw]:
    import zipfile

    with zipfile.ZipFile(file) as archive:
        left = most.content_bytes
        for info in archive.infolist():
            left -= info.file_size
            if left < 0:
                raise _TooMuch(info.filename)
            yield _zip_member(archive, info)


def _zip_member(archive: ZipFile, info: ZipInfo) -> _Raw:
    name = info.filename.replace("\\", "/") if info.create_system == _DOS else info.filename
    mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
    form = stat.S_IFMT(mode)
    kind: MemberKind | None = MemberKind.FILE
    if name.endswith("/") or form == stat.S_IFDIR:
        kind = MemberKind.FOLDER
    elif form == stat.S_IFLNK:
        kind = MemberKind.LINK
    elif form not in (0, stat.S_IFREG):
        kind = None
    data = archive.read(info) if kind in (MemberKind.FILE, MemberKind.LINK) else b""
    usual = 0o755 if kind is MemberKind.FOLDER else 0o644
    return _Raw(name=name, kind=kind, permissions=stat.S_IMODE(mode) or usual, data=data)


# ── checks ──


def _checked(path: Path, raw: Iterator[_Raw], most: _Most) -> tuple[Member, ...]:
    found: dict[str, Member] = {}
    left, count, last = most.content_bytes, 0, ""
    try:
        for one in raw:
            last, count = one.name, count + 1
            if count > most.members:
                raise Refused(f"the archive has more than {most.members} members, from {last!r} on: {path}")
            member = _member(path, one, found)
            if member is not None:
                left -= len(member.data)
                if left < 0:
                    raise _TooMuch(last)
                found[member.name] = member
    except _TooMuch as bomb:
        where = f"at {str(bomb) or last!r}"
        raise Refused(
            f"the archive unpacks to more than {most.content_bytes >> 20} MB, {where}: {path}",
            hint="inject less",
        ) from None
    except (Refused, HarnessFault, OSError) as error:
        if isinstance(error, OSError) and error.errno is None:  # what tarfile and zipfile raise for bad data
            raise _damaged(path, last, error) from None
        raise
    except _BAD_DATA as error:
        raise _damaged(path, last, error) from None
    except Exception as error:
        if type(error).__module__ not in ("tarfile", "zipfile"):
            raise
        raise _damaged(path, last, error) from None
    for name in found:
        _check_parents(path, name, found)
    return tuple(found[name] for name in sorted(found))


_BAD_DATA: Final = (
    *(lzma.LZMAError, zlib.error, struct.error, EOFError, ValueError, LookupError, OverflowError),
    *(RuntimeError, NotImplementedError),  # a member of a zip that is encrypted, or compressed in a rare way
)


def _damaged(path: Path, last: str, error: Exception) -> Refused:
    where = f", behind {last!r}" if last else ""
    return Refused(
        f"not an archive that can be read{where}: {path} ({error})",
        hint="tar, tar.gz, tar.xz, tar.lzma, tar.bz2, tar.zst, zip and 7z are read, without encryption",
    )


def _member(path: Path, one: _Raw, found: dict[str, Member]) -> Member | None:
    """The member, checked; None for the root."""
    name = _inside(path, one.name, "")
    if not name:
        return None
    if one.kind is None:
        raise _hostile(path, one.name, "is a device, a pipe or a socket")
    data = one.data
    if one.same_as:
        source = found.get(_inside(path, one.same_as, f" (the target of the hard link {one.name!r})"))
        if source is None or source.kind is not MemberKind.FILE:
            raise _hostile(
                path, one.name, f"is a hard link to {one.same_as!r}, which is not a file before it"
            )
        data = source.data
    if one.kind is MemberKind.LINK:
        _check_target(path, name, data)
    return Member(name=name, kind=one.kind, permissions=one.permissions, data=data)


def _inside(path: Path, name: str, what: str) -> str:
    """The name without ``.`` and doubled slashes.

    Raises:
        Refused: it leads out of the archive, or no file system takes it.
    """
    if name.startswith("/"):
        raise _hostile(path, name, f"is an absolute path{what}")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _hostile(path, name, f"leads out of the archive by '..'{what}")
    if "\0" in name or TRAILER in parts or len(os.fsencode(name)) > _MAX_NAME_BYTES:
        raise _hostile(path, name[:80], f"is not a name of a file{what}")
    if any(len(os.fsencode(part)) > _MAX_PART_BYTES for part in parts):
        raise _hostile(path, name[:80], f"is longer than {_MAX_PART_BYTES} bytes{what}")
    return "/".join(parts)


def _check_target(path: Path, name: str, data: bytes) -> None:
    target = os.fsdecode(data)
    if not target or "\0" in target or len(data) > _MAX_TARGET_BYTES:
        raise _hostile(path, name, "is a link without a target that a file system takes")
    if target.startswith("/"):
        raise _hostile(path, name, f"is a link that leaves the archive, to {target!r}")
    depth = name.count("/")
    for part in target.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            raise _hostile(path, name, f"is a link that leaves the archive, to {target!r}")


def _check_parents(path: Path, name: str, found: dict[str, Member]) -> None:
    at = name.find("/")
    while at >= 0:
        parent = found.get(name[:at])
        if parent is not None and parent.kind is not MemberKind.FOLDER:
            raise _hostile(path, name, f"lies below {parent.name!r}, which is a {parent.kind}")
        at = name.find("/", at + 1)


def _hostile(path: Path, name: str, why: str) -> Refused:
    return Refused(
        f"the archive is refused: {name!r} {why}: {path}", hint="make the archive again without this member"
    )
