"""The files of a medium, found once within limits; links are followed inside the medium alone.

The medium may be malicious: its links could lead into the host, its directories could be endless.
"""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

MAX_ENTRIES: Final = 60_000
_MAX_DEPTH: Final = 12
_MAX_LINKS: Final = 16
_MAX_PATH_CHARS: Final = 1024


class Tree(ABC):
    """Files with their sizes in bytes, and links with their texts, by absolute path on the medium.

    Case is ignored where no file has the exact name, as boot loaders do on plain ISO 9660.
    """

    def __init__(self, files: Mapping[str, int], links: Mapping[str, str]) -> None:
        self._files = dict(files)
        self._links = dict(links)
        self._folded = {path.casefold(): path for path in reversed([*self._files, *self._links])}
        self._below: dict[str, list[str]] = {}
        for path in sorted(self._files):
            self._below.setdefault(path.rpartition("/")[0].casefold(), []).append(path)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def find(self, path: str) -> str:
        """The real path of a file, with links resolved; ``""`` when there is none."""
        return self._find(path, _MAX_LINKS)

    def size_bytes(self, path: str) -> int:
        """The size of a file returned by `find`."""
        return self._files[path]

    def below(self, folder: str) -> list[str]:
        """The files directly in a directory, sorted; case is ignored."""
        return list(self._below.get(folder.rstrip("/").casefold(), ()))

    def read(self, path: str, max_bytes: int, *, offset_bytes: int = 0) -> bytes:
        """Up to that many bytes of a file; nothing when it does not exist or cannot be read."""
        real = self.find(path)
        return self._read(real, max_bytes, offset_bytes) if real else b""

    def shared(self) -> dict[str, tuple[str, ...]]:
        """Path -> all paths of the same content, for content that the medium stores once for several files."""
        return {}

    @abstractmethod
    def _read(self, real: str, max_bytes: int, offset_bytes: int) -> bytes:
        """Up to that many bytes of a file returned by `find`; nothing when it cannot be read."""

    def _find(self, path: str, left: int) -> str:
        wanted = _normal(path)
        if len(wanted) > _MAX_PATH_CHARS or left < 0:
            return ""
        if wanted in self._files:
            return wanted
        for length, prefix in _prefixes(wanted):
            link = prefix if prefix in self._links else self._folded.get(prefix.casefold(), "")
            if link in self._links:
                target = self._links[link]
                above = "" if target.startswith("/") else link.rpartition("/")[0]
                return self._find(f"{above}/{target}{wanted[length:]}", left - 1)
        found = self._folded.get(wanted.casefold(), "")
        return found if found in self._files else ""


class MountedTree(Tree):
    """The files of a medium that is mounted at `root`, or of any directory."""

    def __init__(self, files: Mapping[str, int], links: Mapping[str, str], root: Path) -> None:
        super().__init__(files, links)
        self._root = root

    @classmethod
    def scan(cls, root: Path) -> MountedTree:
        """The content below `root`, nearest the top first; what cannot be read is skipped."""
        files: dict[str, int] = {}
        links: dict[str, str] = {}
        todo = deque([("", 0)])
        left = MAX_ENTRIES
        while todo:
            folder, depth = todo.popleft()
            for entry in _entries(root / folder.lstrip("/")):
                left -= 1
                if left < 0:
                    return cls(files, links, root)
                path = f"{folder}/{entry.name}"
                try:
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISLNK(status.st_mode):
                        links[path] = str(Path(entry.path).readlink())
                    elif stat.S_ISREG(status.st_mode):
                        files[path] = status.st_size
                    elif stat.S_ISDIR(status.st_mode) and depth < _MAX_DEPTH:
                        todo.append((path, depth + 1))
                except OSError:
                    continue
        return cls(files, links, root)

    def host_path(self, path: str) -> Path:
        """The host path of a file returned by `find`: no component of it is a link."""
        return self._root / path.lstrip("/")

    def _read(self, real: str, max_bytes: int, offset_bytes: int) -> bytes:
        try:
            descriptor = os.open(self.host_path(real), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                return os.pread(descriptor, max_bytes, offset_bytes)
            finally:
                os.close(descriptor)
        except OSError:
            return b""


def resolve_below(root: Path, path: str) -> Path:
    """The target of `path` in a system whose root directory is `root`; links never lead out.

    The last component need not exist.

    Raises:
        OSError: too many links.
    """
    here: list[str] = []
    todo = deque(part for part in path.split("/") if part not in ("", "."))
    links = 0
    while todo:
        part = todo.popleft()
        if part == "..":
            here = here[:-1]
            continue
        place = root.joinpath(*here, part)
        if not place.is_symlink():
            here.append(part)
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(f"too many links on the way to {path}")
        target = str(place.readlink())
        if target.startswith("/"):
            here = []
        todo.extendleft(reversed([word for word in target.split("/") if word not in ("", ".")]))
    return root.joinpath(*here)


def _entries(folder: Path) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)[:MAX_ENTRIES]
    except OSError:
        return []


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def _prefixes(path: str) -> Iterator[tuple[int, str]]:
    """``/a``, ``/a/b`` ... of ``/a/b/c``, with their lengths."""
    at = path.find("/", 1)
    while at > 0:
        yield at, path[:at]
        at = path.find("/", at + 1)
    yield len(path), path
