"""NTFS without a mount: a `hiperlab.stick.data.DataPartition` over `worker`, a process for each operation."""

from __future__ import annotations

import errno
import json
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

from hiperiso.errors import HarnessFault, UsageError
from hiperiso.packages import install_hint
from hiperlab.run import DISCARD, PIPE, Process, running_tool
from hiperlab.stick.data import CHUNK_BYTES, Progress, StickFile, removable, replaceable
from hiperlab.stick.ntfs import worker

PACKAGE: Final = "ntfs-3g"
_PACKAGES: Final = Path(worker.__file__).parents[3]
_MAX_STDERR_BYTES: Final = 1 << 16
_HINTS: Final = {
    errno.EPERM: "Windows has not closed it: shut Windows down without fast startup, and try again",
    errno.EOPNOTSUPP: "it was unplugged while being written: check it under Windows (chkdsk), or with ntfsfix",
    errno.ENOSPC: "delete files that are no longer needed; hiperiso stick list shows the ISOs",
}
_CHECK_IT: Final = "check it under Windows (chkdsk), or with ntfsfix"


class NtfsData:
    """An NTFS in an open image or device."""

    filesystem = "ntfs"

    def __init__(self, file: BinaryIO, offset_bytes: int) -> None:
        self._file, self._offset_bytes = file, offset_bytes

    @property
    def free_bytes(self) -> int:
        """See `DataPartition`."""
        return int(self._ask("free")[0])

    def walk(self, folder: str) -> Iterator[StickFile]:
        """See `DataPartition`."""
        for line in self._ask("walk", path=folder):
            yield _stick_file(line)

    def find(self, path: str) -> StickFile | None:
        """See `DataPartition`."""
        lines = self._ask("find", path=path)
        return _stick_file(lines[0]) if lines else None

    def read(self, path: str) -> Iterator[bytes]:
        """See `DataPartition`."""
        found = self.find(path)
        if found is None or found.is_folder:
            raise UsageError(f"no such file on the stick: {path}")
        return self._content(path)

    def make_folders(self, path: str) -> None:
        """See `DataPartition`."""
        self._ask("folders", path=path)

    def add(
        self, path: str, chunks: Iterable[bytes], size_bytes: int, progress: Progress | None = None
    ) -> None:
        """See `DataPartition`."""
        if self.find(path) is not None:
            raise UsageError(f"{path} already exists on the stick")
        self._put(path, chunks, size_bytes, progress)

    def replace(self, path: str, content: bytes) -> None:
        """See `DataPartition`."""
        replaceable(self, path)
        self._put(path, [content], len(content), None, replace=True)

    def remove(self, path: str) -> None:
        """See `DataPartition`."""
        removable(self, path)
        self._ask("remove", path=path)

    def _put(
        self,
        path: str,
        chunks: Iterable[bytes],
        size_bytes: int,
        progress: Progress | None,
        *,
        replace: bool = False,
    ) -> None:
        if size_bytes > (free := self.free_bytes):
            raise HarnessFault(f"the stick is full: {size_bytes} bytes are needed, {free} are free")
        with self._working("add", path=path, size=size_bytes, replace=replace) as work:
            assert work.stdin is not None
            with suppress(BrokenPipeError):  # the exit code has the reason
                for chunk in chunks:
                    work.stdin.write(chunk)
                    if progress:
                        progress(len(chunk))
                work.stdin.close()

    def _content(self, path: str) -> Iterator[bytes]:
        with self._working("read", path=path) as work:
            assert work.stdout is not None
            while chunk := work.stdout.read(CHUNK_BYTES):
                yield chunk

    def _ask(self, do: str, **request: Any) -> list[str]:
        with self._working(do, **request) as work:
            assert work.stdout is not None
            return work.stdout.read().decode().splitlines()

    @contextmanager
    def _working(self, do: str, **request: Any) -> Iterator[Process]:
        """The worker for the block; its failure is raised at the end, unless the block fails."""
        self._file.flush()
        descriptor = self._file.fileno()
        argv = [sys.executable, "-s", "-P", "-m", worker.__name__, str(descriptor), str(self._offset_bytes)]
        with running_tool(
            [*argv, json.dumps({"do": do, **request})],
            package="python3",
            stdin=PIPE if do == "add" else DISCARD,
            errors=PIPE,
            pass_fds=(descriptor,),
            environment={"PYTHONPATH": str(_PACKAGES)},
        ) as work:
            try:
                yield work
            except BaseException:
                _end_input(work.stdin)  # it removes an incomplete file
                work.kill() if do != "add" else None
                raise
            said = b"" if work.stderr is None else work.stderr.read(_MAX_STDERR_BYTES)
            _end_input(work.stdin)
            code = work.wait()
        if code:
            raise _fault(code, said.decode(errors="replace"), str(request.get("path", "")))


def _end_input(stdin: IO[bytes] | None) -> None:
    if stdin is not None:
        with suppress(OSError):
            stdin.close()


def _fault(code: int, said: str, path: str) -> HarnessFault | UsageError:
    if code == worker.REFUSED:
        return UsageError(f"{path} does not exist on the stick, or exists already")
    if code < 0:
        name = signal.Signals(-code).name
        return HarnessFault(f"the NTFS cannot be used: its library was ended by {name}", hint=_CHECK_IT)
    if said.startswith(f"{errno.ENOPKG} "):
        return HarnessFault(
            f"the NTFS cannot be used: {said.partition(' ')[2].strip()}", hint=install_hint(PACKAGE)
        )
    number, _, why = said.strip().rpartition("\n")[2].partition(" ")
    hint = _HINTS.get(int(number), _CHECK_IT) if number.isdigit() else _CHECK_IT
    return HarnessFault(f"the NTFS cannot be used: {why or 'unknown reason'}", hint=hint)


def _stick_file(line: str) -> StickFile:
    path, size_bytes, is_folder, modified_s = json.loads(line)
    try:
        modified = None if modified_s is None else datetime.fromtimestamp(modified_s, UTC)
    except (OverflowError, ValueError, OSError):
        modified = None
    return StickFile(path, size_bytes, is_folder, modified)
