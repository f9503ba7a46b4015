"""Images to which a live system writes its changes: an ext4 file system with the label that the system looks for.

Sources: persistence.conf(5) of live-boot (``persistence``, and a file ``persistence.conf`` that names what is kept);
casper(7) (``casper-rw``; newer versions also look for ``writable``).
"""

from __future__ import annotations

import contextlib
import os
from enum import StrEnum
from pathlib import Path
from typing import Final

from hiperiso.errors import UsageError

MIN_MB: Final = 16
MAX_MB: Final = 1 << 20
KEEP_ALL: Final = "/ union"
"""A line of persistence.conf: all changes of the system."""


class Label(StrEnum):
    """The labels that live systems look for."""

    PERSISTENCE = "persistence"
    CASPER = "casper-rw"
    WRITABLE = "writable"


def create_persistence(
    file: Path, label: Label, size_mb: int, *, keep: tuple[str, ...] = (), force: bool = False
) -> None:
    """Create the image `file`, with holes where it is empty.

    Args:
        file: the new image.
        label: what the live system looks for.
        size_mb: of the image.
        keep: the lines of persistence.conf; by default `KEEP_ALL`.
        force: replace an existing file.

    Raises:
        UsageError: the file exists or cannot be written, or `keep` is for another label.
        HarnessFault: mke2fs is missing or fails.
    """
    import tempfile  # every command loads this module, for its options
    from uuid import uuid4

    from hiperiso.contract.store import fsync_directory
    from hiperlab.stick.ext4 import format_ext4

    if keep and label is not Label.PERSISTENCE:
        raise UsageError(
            f"persistence.conf is for the label {Label.PERSISTENCE}, not {label}", hint="leave out --keep"
        )
    if file.exists() and (not force or not file.is_file()):
        raise UsageError(f"it exists: {file}", hint="choose another name, or replace the file by --force")
    part = file.with_name(f".{file.name}.part")
    try:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)  # the root of the file system, too
            if label is Label.PERSISTENCE:
                lines = keep or (KEEP_ALL,)
                (Path(folder) / "persistence.conf").write_text("".join(f"{line}\n" for line in lines))
            with part.open("wb") as out:
                out.truncate(size_mb << 20)
            format_ext4(
                part,
                offset_bytes=0,
                size_bytes=size_mb << 20,
                label=label,
                unique=uuid4(),
                content=Path(folder),
            )
        descriptor = os.open(part, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        part.replace(file)
        fsync_directory(file.parent)
    except OSError as error:
        raise UsageError(
            f"the image cannot be written: {file} ({error.strerror or error})", hint="check the directory"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
