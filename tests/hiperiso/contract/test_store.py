from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hiperiso.contract.store import append_line, atomic_write, atomic_write_json, encode_json
from waiting import DEADLINE_S


def test_atomic_write_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    atomic_write(path, b"old")
    atomic_write_json(path, {"new": 1})
    assert json.loads(path.read_text()) == {"new": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


TOO_LONG = """
import resource, signal, sys
from pathlib import Path
from hiperiso.contract.store import atomic_write
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4))
try:
    atomic_write(Path(sys.argv[1]), b"far too long")
except OSError:
    sys.exit(7)
"""

APPEND_MANY = """
import json, sys
from pathlib import Path
from hiperiso.contract.store import append_line
folder, name = Path(sys.argv[1]), sys.argv[2]
for number in range(100):
    line = json.dumps({"who": name, "n": number, "pad": name * 900}).encode()
    append_line(folder / "index", folder / "lock", line)
"""


def test_a_write_that_fails_keeps_the_old_version(tmp_path: Path) -> None:
    path = tmp_path / "a"
    atomic_write(path, b"old")
    done = subprocess.run([sys.executable, "-c", TOO_LONG, path], timeout=DEADLINE_S, check=False)
    assert done.returncode == 7
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_many_writers_interleave_nothing(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", APPEND_MANY, tmp_path, name]) for name in "abcd"]
    assert [writer.wait(DEADLINE_S) for writer in writers] == [0, 0, 0, 0]
    lines = [json.loads(line) for line in (tmp_path / "index").read_text().splitlines()]
    assert len(lines) == 400
    for name in "abcd":
        assert [line["n"] for line in lines if line["who"] == name] == list(range(100))


def test_a_torn_last_line_is_closed_before_the_next(tmp_path: Path) -> None:
    index = tmp_path / "index"
    index.write_bytes(b'{"a":1}\n{"torn')
    append_line(index, tmp_path / "lock", b'{"b":2}')
    assert index.read_bytes() == b'{"a":1}\n{"torn\n{"b":2}\n'


def test_an_unwritable_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        atomic_write(tmp_path / "missing" / "a", b"x")


def test_names_that_are_not_utf8_can_be_reported() -> None:
    name = b"a\xff\n.iso".decode(errors="surrogateescape")
    assert encode_json({"x": [name, 1, None], name: {"y": "ö"}}) == (
        '{"x":["a\\\\udcff\\n.iso",1,null],"a\\\\udcff\\n.iso":{"y":"ö"}}'.encode()
    )
