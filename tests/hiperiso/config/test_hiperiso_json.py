"""hiperiso.json as hostile hands write it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from hiperiso.config.hiperiso_json import read_config
from hiperiso.errors import UsageError


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"control": {"timeout": ' + b"9" * 5000 + b"}}", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b'"text"', "not an object"),
        (
            b'{"iso_overrides": {"*": 3}, "theme": []}',
            r"iso_overrides\['\*'\] is not an object\n.*theme is not",
        ),
    ],
    ids=["empty", "deep", "a number of 5000 digits", "no UTF-8", "a text", "shapes"],
)
def test_what_is_not_a_configuration_is_one_clear_error(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    path = tmp_path / "hiperiso.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=complaint) as caught:
        read_config(path)
    assert str(path) in caught.value.message


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "hiperiso.json"
    path.touch()
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(UsageError, match="larger than 4 MB"):
        read_config(path)


def test_a_pipe_is_read_to_its_end_and_one_without_a_writer_is_empty(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="the file is empty"):
        read_config(pipe)
    reading, writing = os.pipe()

    def write() -> None:
        os.write(writing, b'{"control": {}}')
        os.close(writing)

    late = threading.Timer(0.1, write)
    late.start()
    assert read_config(Path(f"/dev/fd/{reading}")).rules == ()
    late.join()
    os.close(reading)
