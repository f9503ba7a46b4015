"""Files added to an initramfs: a further cpio segment behind it, as the kernel takes one.

The kernel replaces what is there: a directory of a segment in the place of a link (``/bin`` to ``usr/bin``, as merged
systems have it) would take the programs out of the system. So the links of the initramfs are read first, the new files
are put where those links lead, and directories that are there are left as they are.

Sources: Linux, Documentation/driver-api/early-userspace/buffer-format.rst; init/initramfs.c (clean_path).
"""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from hiperiso.errors import HarnessFault
from hiperiso.images import cpio
from hiperiso.images.compression import SUFFIXES
from hiperiso.images.cpio import ALIGNMENT, TRAILER
from hiperiso.images.members import MAX_LINKS, Member, MemberKind
from hiperiso.images.unpack import decoder

_HEADER_BYTES: Final = 110
_MAGIC: Final = (b"070701", b"070702")
_MAX_NAME_BYTES: Final = 4096
_MAX_UNPACKED_BYTES: Final = 4 << 30
_PIECE_BYTES: Final = 1 << 20
_USUAL: Final = frozenset({"bin", "sbin", "lib", "lib32", "lib64", "libx32"})
"""Links in a merged system, directories in others; there in every initramfs of a distribution."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What is in an initramfs.

    Attributes:
        links: the target of each symbolic link.
        folders: its directories.
        complete: False if there is a segment that could not be read.
    """

    links: Mapping[str, str] = msgspec.field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    complete: bool = True


def add_members(initrd: Path, base: Path | None, members: Iterable[Member]) -> None:
    """Write `members` behind the initramfs `base` into `initrd`, which may be the same file.

    Args:
        initrd: the file to write.
        base: the initramfs so far; None without one.
        members: what is added; later ones replace earlier ones.

    Raises:
        OSError: a file cannot be read or written.
    """
    content = read_content(base) if base is not None else Content()
    segment = cpio.archive(*placed(members, content))
    if base is not None and base != initrd:
        shutil.copyfile(base, initrd)
    with initrd.open("ab" if base is not None else "wb") as out:
        out.write(bytes(-out.tell() % ALIGNMENT))
        out.write(segment)


def placed(members: Iterable[Member], content: Content) -> tuple[list[cpio.Entry], frozenset[str]]:
    """The entries of the segment, and the directories that need none."""
    there = content.folders if content.complete else content.folders | _USUAL
    entries: dict[str, cpio.Entry] = {}
    for member in members:
        folder, _, last = member.name.rpartition("/")
        name = "/".join(filter(None, (_resolved(folder, content.links), last)))
        if member.kind is MemberKind.FOLDER:
            name = _resolved(name, content.links)
            if name and name not in there:
                entries[name] = cpio.directory(name, member.permissions)
        elif member.kind is MemberKind.LINK:
            entries[name] = cpio.symlink(name, os.fsdecode(member.data))
        else:
            entries[name] = cpio.regular(name, member.data, member.permissions)
    return [entries[name] for name in sorted(entries)], there


def _resolved(path: str, links: Mapping[str, str]) -> str:
    """Where a directory really is: links in its path are followed from the root of the guest."""
    done: list[str] = []
    left = path.split("/")[::-1]
    followed = 0
    while left:
        part = left.pop()
        if part == "..":
            del done[-1:]
            continue
        if part in ("", "."):
            continue
        target = links.get("/".join([*done, part]))
        if target is None or followed >= MAX_LINKS:
            done.append(part)
            continue
        followed += 1
        if target.startswith("/"):
            done.clear()
        left += target.split("/")[::-1]
    return "/".join(done)


# ── reading ──


def read_content(initrd: Path) -> Content:
    """The links and directories of an initramfs: its plain segments, and those of the compression that follows them.

    Raises:
        OSError: it cannot be read.
    """
    reader = _Reader()
    with initrd.open("rb", buffering=0) as file:
        stream = _Stream(iter(lambda: file.read(_PIECE_BYTES), b""))
        head = reader.read(stream)
        suffix = next((each for magic, each in SUFFIXES.items() if head.startswith(magic)), "")
        if suffix:
            file.seek(stream.offset)
            try:
                with decoder(suffix, file) as unpacked:
                    head = reader.read(_Stream(unpacked.pieces()))
            except (HarnessFault, lzma.LZMAError, zlib.error, EOFError, ValueError):
                head = b"damaged"
    return Content(links=reader.links, folders=frozenset(reader.folders), complete=not head)


class _Stream:
    """Pieces, read in order."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""
        self.offset = 0

    def peek(self, count: int) -> bytes:
        """The next bytes; fewer only at the end."""
        while len(self._rest) < count and (piece := next(self._pieces, b"")):
            self._rest += piece
        return self._rest[:count]

    def take(self, count: int) -> bytes:
        """The next bytes; EOFError if there are fewer."""
        found = self.peek(count)
        if len(found) < count:
            raise EOFError("it ends too early")
        self._rest = self._rest[count:]
        self.offset += count
        return found

    def skip(self, count: int) -> None:
        """Leave out bytes, which are not kept."""
        while count > len(self._rest):
            count -= len(self._rest)
            self.offset += len(self._rest)
            self._rest = next(self._pieces, b"")
            if not self._rest:
                raise EOFError("it ends too early")
        self._rest = self._rest[count:]
        self.offset += count

    def skip_zeros(self) -> None:
        """Leave out the padding behind a segment."""
        while self.peek(1) == b"\0":
            rest = self._rest.lstrip(b"\0")
            self.offset += len(self._rest) - len(rest)
            self._rest = rest


class _Reader:
    """Collects links and directories of segments."""

    def __init__(self) -> None:
        self.links: dict[str, str] = {}
        self.folders: set[str] = set()

    def read(self, stream: _Stream) -> bytes:
        """Read the segments up to the end, or to what is not a segment: its first bytes are returned."""
        while True:
            stream.skip_zeros()
            head = stream.peek(8)
            if not head.startswith(_MAGIC):
                return head
            try:
                while self._read_entry(stream):
                    pass
            except (EOFError, ValueError):
                return b"damaged"

    def _read_entry(self, stream: _Stream) -> bool:
        """Read one entry; False for the last of a segment."""
        start = stream.offset
        header = stream.take(_HEADER_BYTES)
        if not header.startswith(_MAGIC) or start > _MAX_UNPACKED_BYTES:
            raise ValueError("not an entry")
        mode, size, name_size = (int(header[at : at + 8], 16) for at in (14, 54, 94))
        if not 0 < name_size <= _MAX_NAME_BYTES:
            raise ValueError("a name that is too long")
        name = os.fsdecode(stream.take(name_size)[:-1])
        stream.skip((start - stream.offset) % ALIGNMENT)
        if name == TRAILER:
            return False
        name = "/".join(part for part in name.split("/") if part not in ("", "."))
        if stat.S_ISLNK(mode) and size <= _MAX_NAME_BYTES:
            self.links[name] = os.fsdecode(stream.take(size))
        else:
            stream.skip(size)
            if stat.S_ISDIR(mode):
                self.folders.add(name)
        stream.skip((start - stream.offset) % ALIGNMENT)
        return True
