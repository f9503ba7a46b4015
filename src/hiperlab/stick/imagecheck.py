"""Whether the files that a stick lists are images that can be booted: a warning for each that is not, or not whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

from hiperiso.contract.hardware import ImageKind
from hiperiso.errors import IsoError
from hiperiso.images.recognise import recognise
from hiperlab.stick.data import DataPartition, StickFile
from hiperlab.stick.layout import size_text

_HEAD_BYTES = 1 << 20
_BOOTED = (ImageKind.ISO, ImageKind.DISK)


def image_warning(path: Path) -> str:
    """Why the file is not an image that a stick boots, or ``""``. It is only read at its beginning and end."""
    try:
        found = recognise(path)
    except IsoError as error:
        return f"not an image that can be booted: {error.message.replace(f': {path}', '')}"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if found.kind not in _BOOTED:
        return f"not an ISO: {found.text}"
    if found.info.missing_bytes > 0:
        return f"incomplete: {size_text(found.info.missing_bytes)} are missing at its end"
    return ""


def image_warning_on(data: DataPartition, file: StickFile) -> str:
    """The same for a file of a stick, from its first megabyte."""
    with tempfile.TemporaryDirectory(prefix="hiperiso-image-") as scratch:
        beginning = Path(scratch, "beginning")
        with beginning.open("wb") as copy:
            copy.write(_beginning(data.read(file.path)))
        os.truncate(beginning, file.size_bytes)
        return image_warning(beginning)


def _beginning(chunks: Iterator[bytes]) -> bytes:
    """The first megabyte; a generator is closed, so that no program keeps running for the rest."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= _HEAD_BYTES:
            break
    if isinstance(chunks, Generator):
        chunks.close()
    return head[:_HEAD_BYTES]
