"""ext4 without a mount: mke2fs creates it with its first files, debugfs reads and adds files.

debugfs takes ``file?offset=bytes`` as a device. Its exit code is meaningless, so every change is read back.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from hiperiso.errors import HarnessFault, UsageError
from hiperlab.run import run_tool, running_tool
from hiperlab.stick.data import CHUNK_BYTES, Progress, StickFile, removable, replaceable

_BLOCK_BYTES = 4096
_MAX_DEPTH = 64
_MAX_PART_CHARS = 60  # in any script, with the suffix, below the 255 bytes of a name
_WRITE_TIMEOUT_S = 6 * 3600.0  # gigabytes to a slow stick
_FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,"
    "dir_nlink,extra_isize,metadata_csum"
)
"""Listed explicitly: newer mke2fs enable by default what GRUB 2.06 refuses (metadata_csum_seed, orphan_file)."""
_DIRECTORY, _REGULAR = 0o040000, 0o100000


def format_ext4(
    path: Path, *, offset_bytes: int, size_bytes: int, label: str, unique: UUID, content: Path
) -> None:
    """Make an ext4 at `offset_bytes` of an image or device, with the tree of `content` in it.

    Raises:
        HarnessFault: mke2fs is missing or fails.
    """
    extended = f"offset={offset_bytes},root_owner=0:0,hash_seed={unique}"
    argv = [
        "mke2fs",
        "-q",
        "-F",
        "-t",
        "ext4",
        "-O",
        _FEATURES,
        "-b",
        str(_BLOCK_BYTES),
        "-L",
        label,
        "-U",
        str(unique),
    ]
    argv += ["-E", extended, "-d", str(content), str(path.absolute()), str(size_bytes // _BLOCK_BYTES)]
    environment = {"E2FSPROGS_FAKE_TIME": "1700000000"}
    run_tool(argv, package="e2fsprogs", environment=environment, timeout_s=3600)


class Ext4Data:
    """An ext4 in an image or device; see `hiperlab.stick.data.DataPartition`."""

    filesystem = "ext4"

    def __init__(self, path: Path, offset_bytes: int) -> None:
        self._device = f"{path.absolute()}?offset={offset_bytes}"

    @property
    def free_bytes(self) -> int:
        """Free blocks except those reserved for root."""
        numbers = {}
        for line in self._ask("stats -h").splitlines():
            name, _, value = line.partition(":")
            if value.strip().isdigit():
                numbers[name.strip().lower()] = int(value)
        blocks = numbers.get("free blocks", 0) - numbers.get("reserved block count", 0)
        return max(0, blocks) * numbers.get("block size", _BLOCK_BYTES)

    def walk(self, folder: str) -> Iterator[StickFile]:
        """Everything below `folder`."""
        inode = self._inode(folder)
        if inode is not None:
            base = "/" + "/".join(part for part in folder.split("/") if part)
            yield from self._walk(inode, "" if base == "/" else base, _MAX_DEPTH)

    def find(self, path: str) -> StickFile | None:
        """The file or directory at `path`, or None."""
        parent, _, name = path.rstrip("/").rpartition("/")
        inode = self._inode(parent)
        found = (
            []
            if inode is None
            else [file for _, file in self._list(inode, parent) if file.path == f"{parent}/{name}"]
        )
        return found[0] if found else None

    def read(self, path: str) -> Iterator[bytes]:
        """A file's content in chunks."""
        inode, found = self._inode(path), self.find(path)
        if inode is None or found is None or found.is_folder:
            raise UsageError(f"no such file on the stick: {path}")
        return self._cat(inode, found.size_bytes)

    def make_folders(self, path: str) -> None:
        """Create a directory and its parents."""
        done = ""
        for part in filter(None, path.split("/")):
            if self._inode(f"{done}/{part}") is None:
                self._change(done, f"mkdir {_word(part)}")
            done += f"/{part}"
            if self._inode(done) is None:
                raise HarnessFault(f"cannot create {done} on the stick", hint="check it: e2fsck")

    def add(
        self, path: str, chunks: Iterable[bytes], size_bytes: int, progress: Progress | None = None
    ) -> None:
        """Write a new file: under a hidden name, renamed when complete."""
        if self.find(path) is not None:
            raise UsageError(f"{path} already exists on the stick")
        self._put(path, chunks, size_bytes, progress)

    def replace(self, path: str, content: bytes) -> None:
        """Write a small file, in place of one that exists; an interruption may leave it under its hidden name."""
        found = replaceable(self, path)
        name = path.rpartition("/")[2]
        self._put(path, [content], len(content), None, before=f"rm {_word(name)}\n" if found else "")

    def remove(self, path: str) -> None:
        """Remove a file, or an empty directory."""
        parent, _, name = path.rstrip("/").rpartition("/")
        found = removable(self, path)
        self._change(parent, f"{'rmdir' if found.is_folder else 'rm'} {_word(name)}")
        if self.find(path) is not None:
            raise HarnessFault(f"{path} could not be removed", hint="check the stick: e2fsck")

    def _put(
        self,
        path: str,
        chunks: Iterable[bytes],
        size_bytes: int,
        progress: Progress | None,
        *,
        before: str = "",
    ) -> None:
        """Write a file; the command `before` makes room for its name."""
        if size_bytes > self.free_bytes:
            raise HarnessFault(
                f"the stick is full: {size_bytes} bytes are needed, {self.free_bytes} are free"
            )
        parent, _, name = path.rpartition("/")
        part = f".{name[:_MAX_PART_CHARS]}.part"
        with tempfile.TemporaryDirectory(prefix="hiperiso-add-") as scratch:
            source = Path(scratch, "source")
            _copy_beside(source, chunks, progress)
            if self.find(f"{parent}/{part}"):  # of an interrupted copy
                self._change(parent, f"rm {_word(part)}")
            self._change(parent, f"write {_quoted(str(source))} {_word(part)}")
        found = self.find(f"{parent}/{part}")
        if found is None or found.size_bytes != size_bytes:
            raise HarnessFault(f"{path} was written incompletely", hint="check the stick: e2fsck")
        # neither of the last two counts links
        self._change(parent, f"{before}ln {_word(part)} {_word(name)}\nunlink {_word(part)}")
        if self.find(path) is None:
            raise HarnessFault(f"{path} could not be renamed", hint="check the stick: e2fsck")

    def _walk(self, inode: int, base: str, depth: int) -> Iterator[StickFile]:
        for child, file in self._list(inode, base):
            yield file
            if file.is_folder and depth > 0:
                yield from self._walk(child, file.path, depth - 1)

    def _list(self, inode: int, base: str) -> Iterator[tuple[int, StickFile]]:
        """``/inode/mode/uid/gid/name/size/`` per line; a directory has no size."""
        for line in self._ask(f"ls -p <{inode}>").splitlines():
            fields = line.split("/")
            if len(fields) != 8 or fields[5] in (".", "..", "") or not fields[1].isdigit():
                continue
            kind = int(fields[2], 8) & 0o170000
            if kind in (_DIRECTORY, _REGULAR) and int(fields[1]):
                size = int(fields[6] or 0)
                yield int(fields[1]), StickFile(f"{base}/{fields[5]}", size, kind == _DIRECTORY)

    def _inode(self, path: str) -> int | None:
        inode = 2
        for part in filter(None, path.split("/")):
            found = [child for child, file in self._list(inode, "") if file.path == f"/{part}"]
            if not found:
                return None
            inode = found[0]
        return inode

    def _cat(self, inode: int, size_bytes: int) -> Iterator[bytes]:
        argv = ["debugfs", "-R", f"cat <{inode}>", self._device]
        with running_tool(argv, package="e2fsprogs") as run:
            assert run.stdout is not None
            left = size_bytes
            while chunk := run.stdout.read(CHUNK_BYTES):
                left -= len(chunk)
                yield chunk
        if left:
            raise HarnessFault("a file was read incompletely", hint="check the stick: e2fsck")

    def _change(self, folder: str, command: str) -> None:
        """debugfs creates new files in its working directory, so names need no path."""
        inode = self._inode(folder)
        now = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
        script = f"cd <{inode}>\nset_current_time {now}\n{command}\n"
        run_tool(
            ["debugfs", "-w", "-f", "/dev/stdin", self._device],
            package="e2fsprogs",
            stdin=script.encode(),
            timeout_s=_WRITE_TIMEOUT_S,
        )

    def _ask(self, command: str) -> str:
        return run_tool(["debugfs", "-R", command, self._device], package="e2fsprogs").decode(
            errors="surrogateescape"
        )


def _copy_beside(source: Path, chunks: Iterable[bytes], progress: Progress | None) -> None:
    """debugfs only takes content from a file. Raises HarnessFault: no space for it."""
    try:
        with source.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
                if progress:
                    progress(len(chunk))
    except OSError as error:
        raise HarnessFault(
            f"a copy in {source.parent} is needed on the way to an ext4: {error.strerror}",
            hint="use a directory with free space: TMPDIR=DIR hiperiso stick add ...; or mount the stick and add there",
        ) from None


def _word(name: str) -> str:
    """One word of debugfs' command language: in double quotes, which are doubled inside."""
    if "\n" in name or "/" in name:
        raise UsageError(f"the name {name!r} cannot be written to this stick")
    return _quoted(name)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
