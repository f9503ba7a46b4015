"""The reader of session directories: for the analysis, the page, recovery, lists, and everything else.

This is the only reader. Any file may be missing, huge, torn or hostile (a directory may come from a stick, from another
tool of the contract, from a version before or after this one), so nothing here raises for the content of a file: what
cannot be used is skipped and listed in `StoredSession.problems`. Files are read on demand, within
bounds, and never through a symbolic link: only data of the session itself is shown.

::

    session = StoredSession(path)
    session.manifest                  session.json as a struct; None where it is missing or not one
    session.document                  session.json unchanged, including unknown keys
    for event in session.recording()  events.jsonl, else serial.log as events
    session.problems                  what could not be read so far, with the name of the file
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

import msgspec

from hiperiso.contract import files
from hiperiso.contract.disk import DiskSummary
from hiperiso.contract.eventlines import decode_event, decode_events
from hiperiso.contract.events import Event
from hiperiso.contract.manifest import Manifest, StatusFile
from hiperiso.contract.network import NetworkSummary
from hiperiso.contract.report import Report
from hiperiso.contract.seriallog import clean_stream, serial_events
from hiperiso.textblocks import Block, clean_blocks

MAX_JSON_BYTES: Final = 16 << 20
MAX_TEXT_BYTES: Final = 1 << 20
MAX_EVENT_BYTES: Final = 1 << 22
MAX_TASKS: Final = 5000
_BLOCK_BYTES: Final = 1 << 16

MARKS: Final = (files.SESSION_JSON, files.STATUS_JSON, files.EVENTS_JSONL, files.SERIAL_LOG)
"""A directory with any of these is a session."""

_HEAD_EVENTS: Final = 200  # the plan and the start of QEMU are among the first
_MAX_FILES: Final = 2000
_BAD_CONTENT: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of a session: the file, and why it cannot be used."""

    file: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.text}"


@dataclass(frozen=True, slots=True)
class LogEnd:
    """Where a truncated log can be continued: its last event, and the end of its last complete line."""

    last: Event | None
    size_bytes: int


class StoredSession:
    """One session directory. Cheap to create; each file is read once, on first use.

    Attributes:
        path: the directory.
        session_id: its name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.session_id = path.resolve().name
        self._problems: dict[tuple[str, str], Problem] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems of the files that were read so far."""
        return tuple(self._problems.values())

    # ── documents ──

    @cached_property
    def manifest(self) -> Manifest | None:
        """session.json; None if it is missing or does not match the contract."""
        return self._struct(files.SESSION_JSON, Manifest)

    @cached_property
    def document(self) -> dict[str, Any]:
        """session.json unchanged, including keys of other tools; empty if there is none."""
        return self._object(files.SESSION_JSON)

    @cached_property
    def status(self) -> StatusFile | None:
        """status.json; None if it is missing or does not match the contract."""
        return self._struct(files.STATUS_JSON, StatusFile)

    @cached_property
    def status_document(self) -> dict[str, Any]:
        """status.json unchanged; empty if there is none."""
        return self._object(files.STATUS_JSON)

    @cached_property
    def report(self) -> Report | None:
        """report.json."""
        return self._struct(files.REPORT_JSON, Report)

    @cached_property
    def disk(self) -> DiskSummary | None:
        """disk.json."""
        return self._struct(files.DISK_JSON, DiskSummary)

    @cached_property
    def network(self) -> NetworkSummary | None:
        """network.json."""
        return self._struct(files.NETWORK_JSON, NetworkSummary)

    @cached_property
    def tasks(self) -> list[dict[str, Any]]:
        """tasks.json: one object a process, at most `MAX_TASKS`."""
        value = self.json(files.TASKS_JSON)
        if isinstance(value, dict):
            value = next((entry for entry in value.values() if isinstance(entry, list)), None)
        entries = value if isinstance(value, list) else []
        return [entry for entry in entries if isinstance(entry, dict)][:MAX_TASKS]

    @cached_property
    def environment(self) -> dict[str, dict[str, str]]:
        """env.txt: section -> key -> value; rows before any section are in the section ``""``."""
        sections: dict[str, dict[str, str]] = {}
        section = ""
        for row in self.text(files.ENV_TXT).splitlines():
            key, colon, value = row.strip().partition(":")
            if row.startswith("["):
                section = row.strip().strip("[]")
            elif colon:
                sections.setdefault(section, {}).setdefault(key.strip(), value.strip())
        return sections

    @cached_property
    def marks(self) -> list[tuple[str, float]]:
        """timing.dat: phase and uptime in seconds; other rows are skipped."""
        marks: list[tuple[str, float]] = []
        for row in self.text(files.TIMING_DAT).splitlines():
            fields = row.split("\t")
            if len(fields) > 1:
                try:
                    marks.append((fields[0], float(fields[1])))
                except ValueError:
                    continue
        return marks

    # ── the recording ──

    @cached_property
    def head(self) -> tuple[Event, ...]:
        """The first events: how the machine was chosen, and its start."""
        return tuple(islice(self.events(), _HEAD_EVENTS))

    def recording(self) -> Iterator[Event]:
        """Yield events.jsonl, else serial.log as events."""
        return self.events() if self.size_bytes(files.EVENTS_JSONL) else self.serial()

    def events(self) -> Iterator[Event]:
        """Yield the events of events.jsonl, streamed; lines that are not events, and a torn end, are skipped.

        Raises:
            OSError: the file exists and cannot be read.
        """
        damaged = 0
        with self._open(files.EVENTS_JSONL) as file:
            for block in _blocks(file) if file else ():
                found = decode_events(block)
                yield from filter(None, found)
                if block.endswith(b"\n"):  # a killed recorder leaves a torn end
                    damaged += found.count(None)
        if damaged:
            self._note(files.EVENTS_JSONL, "lines that are not events were skipped")

    def serial(self) -> Iterator[Event]:
        """Yield the lines of serial.log as events, streamed; t is 0.

        Raises:
            OSError: the file exists and cannot be read.
        """
        with self._open(files.SERIAL_LOG) as file:
            if file:
                yield from serial_events(files.SERIAL_LOG, clean_stream(file))

    def serial_blocks(self) -> Iterator[Block]:
        """Yield the cleaned lines of serial.log in blocks, streamed.

        Raises:
            OSError: the file exists and cannot be read.
        """
        with self._open(files.SERIAL_LOG) as file:
            if file:
                yield from clean_blocks(file)

    def tail(self, offset_bytes: int) -> tuple[list[Event], int]:
        """The events that stand in events.jsonl from an offset on, and the offset to go on from: whole lines alone.

        Raises:
            OSError: the file exists and cannot be read.
        """
        with self._open(files.EVENTS_JSONL) as file:
            if file is None:
                return [], offset_bytes
            file.seek(offset_bytes)
            data = file.read(4 * MAX_EVENT_BYTES)
        whole = data.rfind(b"\n") + 1
        events = [event for event in decode_events(data[:whole]) if event is not None] if whole else []
        return events, offset_bytes + whole

    def log_end(self) -> LogEnd:
        """The end of events.jsonl, read backwards.

        Raises:
            OSError: the file exists and cannot be read.
        """
        with self._open(files.EVENTS_JSONL) as file:
            if file is None:
                return LogEnd(None, 0)
            start = max(0, file.seek(0, os.SEEK_END) - 2 * MAX_EVENT_BYTES)
            file.seek(start)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        for line in reversed(data[:whole].splitlines()):
            if event := decode_event(line):
                return LogEnd(event, start + whole)
        return LogEnd(None, start + whole if whole else 0)

    # ── files ──

    @property
    def exists(self) -> bool:
        """Whether the directory contains any file of a session."""
        return any((self.path / name).is_file() for name in MARKS)

    @property
    def complete(self) -> bool:
        """Whether its recorder, or recovery, finalized it."""
        return self.has(files.SESSION_COMPLETE)

    def has(self, name: str) -> bool:
        """Whether it contains a regular file of that name."""
        try:
            return stat.S_ISREG((self.path / name).lstat().st_mode)
        except (OSError, ValueError):
            return False

    def size_bytes(self, name: str) -> int:
        """The size of a file; 0 where there is none."""
        try:
            info = (self.path / name).lstat()
        except (OSError, ValueError):
            return 0
        return info.st_size if stat.S_ISREG(info.st_mode) else 0

    def file_names(self) -> list[str]:
        """The paths of its files, relative, sorted, at most 2000; hidden ones are left out."""
        found = (path.relative_to(self.path).as_posix() for path in self._walk() if path.is_file())
        return [name for name in found if not name.startswith(".")]

    def text(self, name: str, limit_bytes: int = MAX_TEXT_BYTES) -> str:
        """The beginning of a text file; empty where there is none."""
        return self.read(name, limit_bytes).decode(errors="replace")

    def json(self, name: str) -> Any:
        """A JSON file; None where it is missing or not JSON."""
        return self._decoded(name, Any)

    def read(self, name: str, limit_bytes: int) -> bytes:
        """The beginning of a file; empty for anything but a regular file inside the directory."""
        try:
            with self._open(name) as file:
                return file.read(limit_bytes) if file else b""
        except OSError as error:
            self._note(name, error.strerror or str(error))
            return b""

    def _walk(self) -> list[Path]:
        return sorted(islice(self.path.glob("**/*"), 4 * _MAX_FILES))[:_MAX_FILES]

    @contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO | None]:
        descriptor = self._descriptor(name)
        if descriptor is None:
            yield None
            return
        with os.fdopen(descriptor, "rb") as file:
            yield file

    def _descriptor(self, name: str) -> int | None:
        """A descriptor of a regular file in the directory or a subdirectory."""
        parts = name.split("/")
        if len(parts) > 2 or any(part in ("", ".", "..") or "\0" in part for part in parts):
            return None
        if len(parts) == 2 and (self.path / parts[0]).is_symlink():
            self._note(name, "is behind a symbolic link")
            return None
        target = self.path / name
        try:
            descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if target.is_symlink():
                self._note(name, "is a symbolic link")
                return None
            self._note(name, error.strerror or str(error))
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            self._note(name, "is not a regular file")
            os.close(descriptor)
            return None
        return descriptor

    def _object(self, name: str) -> dict[str, Any]:
        value = self.json(name)
        if value is not None and not isinstance(value, dict):
            self._note(name, "is not a JSON object")
        return value if isinstance(value, dict) else {}

    def _struct(self, name: str, kind: type[T]) -> T | None:
        value: T | None = self._decoded(name, kind)
        return value

    def _decoded(self, name: str, kind: Any) -> Any:
        data = self.read(name, MAX_JSON_BYTES + 1)
        if not data:
            if self.has(name):
                self._note(name, "is empty")
            return None
        if len(data) > MAX_JSON_BYTES:
            self._note(name, f"is larger than {MAX_JSON_BYTES >> 20} MB")
            return None
        try:
            return msgspec.json.decode(data, type=kind)
        except _BAD_CONTENT as error:
            self._note(name, str(error)[:300])
            return None

    def _note(self, name: str, text: str) -> None:
        self._problems.setdefault((name, text), Problem(name, text))


def sessions_in(log_root: Path) -> Iterator[StoredSession]:
    """Yield the directories with a session.json directly below `log_root`, by name.

    Raises:
        OSError: the log root exists and cannot be read.
    """
    for path in sorted(log_root.glob(f"*/{files.SESSION_JSON}")):
        yield StoredSession(path.parent)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield whole lines, many at once, and finally an unterminated one; overlong lines are skipped."""
    held, too_long = b"", False
    while data := file.read(_BLOCK_BYTES):
        if too_long:
            _, newline, data = data.partition(b"\n")
            too_long = not newline
        end = data.rfind(b"\n") + 1
        if end:
            yield held + data[:end]
            held = b""
        held += data[end:]
        if len(held) >= MAX_EVENT_BYTES:
            held, too_long = b"", True
    if held.strip():
        yield held
