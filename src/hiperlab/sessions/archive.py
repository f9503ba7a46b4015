"""A session as one file: packed for sending, and unpacked into a log root.

::

    hiperiso export last                      debian_20260702T011452Z.tar.zst
    hiperiso export last -o boot.html         only the page, which opens offline
    hiperiso import debian_...tar.zst         into the log root
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final

from hiperiso.analysis.html import render_html
from hiperiso.contract import files
from hiperiso.contract.naming import time_of_session
from hiperiso.contract.store import fsync_directory
from hiperiso.contract.stored import MARKS, StoredSession
from hiperiso.errors import HarnessFault, UsageError
from hiperiso.session.index import add_to_index
from hiperiso.session.record import rename_record
from hiperlab.run import PIPE, Process, run_attached, running_tool
from hiperlab.sessions.redact import Redaction

MAX_FILES: Final = 20_000
MAX_BYTES: Final = 64 << 30
_SUFFIXES: Final = (".tar.zst", ".tar.gz", ".tar", ".html")
_LEFT_OUT: Final = frozenset({files.OWNER_LOCK, files.MONITOR_SOCK, files.MONITOR_PATH, files.HEARTBEAT})
_IMPORTING: Final = ".importing-"
_BLOCK_BYTES: Final = 1 << 20


def export_session(session: StoredSession, target: Path, redaction: Redaction | None = None) -> list[str]:
    """Write a session into one file, in the format that the name of `target` ends with.

    Returns:
        The names of the files that were left out because they cannot be redacted.

    Raises:
        UsageError: the name has another ending, or the file exists.
        HarnessFault: it cannot be written, or zstd is not installed.
    """
    if not target.name.endswith(_SUFFIXES):
        raise UsageError(
            f"{target} has none of the endings {', '.join(_SUFFIXES)}",
            hint=f"try -o {session.path.name}.tar.zst",
        )
    if target.exists():
        raise UsageError(f"{target} exists", hint="name another file with -o")
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if target.name.endswith(".html"):
            page = render_html(session.path)
            data = page.encode("utf-8", "replace")
            partial.write_bytes(redaction.of(files.REPORT_HTML, data) if redaction else data)
            left_out: list[str] = []
        else:
            tar = partial if target.name.endswith(".tar") else partial.with_name(f"{partial.name}.tar")
            left_out = _write_tar(session, tar, redaction, gz=target.name.endswith(".gz"))
            if target.name.endswith(".zst"):
                argv = ["zstd", "-q", "-T0", "-f", "--rm", str(tar), "-o", str(partial)]
                if run_attached(argv, package="zstd"):
                    raise HarnessFault(
                        f"zstd could not write {target}", hint="-o NAME.tar.gz does not need it"
                    )
            elif tar != partial:
                tar.rename(partial)
        partial.rename(target)
    except OSError as error:
        raise HarnessFault(f"{target} cannot be written: {error.strerror}") from None
    finally:
        for leftover in target.parent.glob(f"{partial.name}*"):
            leftover.unlink(missing_ok=True)
    return left_out


def _write_tar(session: StoredSession, path: Path, redaction: Redaction | None, *, gz: bool) -> list[str]:
    left_out: list[str] = []
    with ExitStack() as stack:
        out: IO[bytes] = stack.enter_context(path.open("xb"))
        archive = stack.enter_context(
            tarfile.open(fileobj=out, mode="w:gz" if gz else "w", format=tarfile.PAX_FORMAT)
        )
        for name in session.file_names():
            if PurePosixPath(name).name in _LEFT_OUT or not session.has(name):
                continue
            if redaction and not redaction.covers(name):
                left_out.append(name)
                continue
            _add(archive, session, name, redaction)
    return left_out


def _add(archive: tarfile.TarFile, session: StoredSession, name: str, redaction: Redaction | None) -> None:
    """Add a file under the session's name; without user and group, with the time of the file."""
    source = session.path / name
    info = tarfile.TarInfo(f"{session.path.name}/{name}")
    status = source.lstat()
    info.mtime, info.mode = int(status.st_mtime), 0o644
    if redaction:
        data = redaction.of(name, session.read(name, MAX_REDACTED_BYTES))
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
        return
    with source.open("rb") as file:
        info.size = os.fstat(file.fileno()).st_size
        archive.addfile(info, file)


MAX_REDACTED_BYTES: Final = 256 << 20


def import_session(source: Path, log_root: Path) -> tuple[Path, str]:
    """Import a session from an archive, or from a directory, into a log root.

    Returns:
        Its path, and why it is not in the index; empty if it is.

    Raises:
        UsageError: the file holds no session, or more than files of one; or there is a session of that name.
        HarnessFault: it cannot be read or written.
    """
    _check_source(source)
    partial = log_root / f"{_IMPORTING}{os.getpid()}"
    try:
        log_root.mkdir(parents=True, exist_ok=True)
        partial.mkdir()
        name = _copy_directory(source, partial) if source.is_dir() else _unpack(source, partial)
        found = StoredSession(partial / name)
        if not found.exists or time_of_session(name) is None:
            raise UsageError(
                f"{source} holds no session", hint="`hiperiso export SESSION` writes such a file"
            )
        target = log_root / name
        if target.exists():
            raise UsageError(f"{target} exists", hint=f"`hiperiso rm {name}` removes it")
        rename_record(found, target)
        found.path.rename(target)
        fsync_directory(log_root)
        session = StoredSession(target)
        problem = (
            add_to_index(target, session.manifest)
            if session.manifest
            else f"{files.SESSION_JSON} cannot be read"
        )
        return target, problem
    except tarfile.TarError as error:
        if source.suffix == ".html":
            raise UsageError(
                f"{source} is a page, not an archive",
                hint="open it in a browser; `hiperiso export` without --output writes an archive",
            ) from None
        raise UsageError(f"{source} is not an archive, or is damaged: {error}") from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise HarnessFault(f"{source} cannot be imported: {where}{error.strerror or error}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check_source(source: Path) -> None:
    """Raises UsageError: neither a directory that may be a session nor a file; nothing else is opened."""
    if source.is_dir():
        if not StoredSession(source).exists:
            raise UsageError(
                f"not a session directory: {source}", hint=f"it holds none of {', '.join(MARKS)}"
            )
    elif not source.exists():
        raise UsageError(f"no such file: {source}")
    elif not source.is_file():
        raise UsageError(f"not a file: {source}", hint="`hiperiso export SESSION` writes one")


def _copy_directory(source: Path, partial: Path) -> str:
    name = source.resolve().name
    session = StoredSession(source)
    for relative in session.file_names():
        if session.has(relative) and PurePosixPath(relative).name not in _LEFT_OUT:
            target = partial / name / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / relative, target, follow_symlinks=False)
    return name


def _unpack(source: Path, partial: Path) -> str:
    """Unpack regular files of one folder, nothing else; returns the name of the folder."""
    name = ""
    left_bytes, left_files = MAX_BYTES, MAX_FILES
    with _plain_tar(source) as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            parts = PurePosixPath(member.name).parts
            if member.isdir():
                continue
            if (
                not member.isreg()
                or len(parts) not in (2, 3)
                or any(part in ("..", "/") or "\0" in part for part in parts)
            ):
                raise UsageError(f"{source} holds {member.name!r}, which is not a file of a session")
            name = name or parts[0]
            left_bytes, left_files = left_bytes - member.size, left_files - 1
            if parts[0] != name or left_bytes < 0 or left_files < 0:
                raise UsageError(f"{source} holds more than one session")
            target = partial.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            content = archive.extractfile(member)
            assert content is not None
            with target.open("xb") as file:
                shutil.copyfileobj(content, file, _BLOCK_BYTES)
    if not name:
        raise UsageError(f"{source} holds no session", hint="`hiperiso export SESSION` writes such a file")
    return name


@contextmanager
def _plain_tar(source: Path) -> Iterator[IO[bytes]]:
    """The archive without the compression that the tar module does not know."""
    with source.open("rb") as file:
        is_zstd = file.read(4) == b"\x28\xb5\x2f\xfd"
    if not is_zstd:
        with source.open("rb") as file:
            yield file
        return
    process: Process
    with running_tool(["zstd", "-q", "-d", "-c", "--", str(source)], package="zstd", stdin=PIPE) as process:
        assert process.stdout is not None
        yield process.stdout
        process.stdout.close()
        process.wait()
