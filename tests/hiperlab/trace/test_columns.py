"""Traces as Parquet and Arrow."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hiperiso.analysis.cli import main
from hiperiso.contract import files

DECLARATIONS = (
    'read(void *s, const char *method, int lba, int size) "%p %s %d %d"\n'
    'write(uint64_t lba, const char *event, unsigned size) "%"PRIu64" %s %u"\n'
)
LINES = "".join(
    f"7@{n}.000001:read 0x1{n} dma -{n} 4\n7@{n}.000002:write {n} x 5\n7@{n}.000003:other {n}\n"
    for n in range(9)
)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    (tmp_path / files.TRACE_FORMATS).write_text(f"# wall clock ahead by 0.000000 s\n{DECLARATIONS}")
    path = tmp_path / files.TRACE_LOG
    path.write_text(LINES)
    return path


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_the_columns_are_those_of_json(
    trace: Path, tmp_path: Path, form: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    out = tmp_path / "out"
    assert main(["trace", str(trace), "--format", form, "--output", str(out)]) == 0
    table = pq.read_table(out) if form == "parquet" else pa.ipc.open_file(out).read_all()
    assert table.schema.names == [
        *("t_ns", "event", "pid", "s", "method", "lba_int", "lba_unsigned", "size_int", "size_unsigned"),
        *("event_str", "raw"),
    ]
    assert main(["trace", str(trace), "--format", "json"]) == 0
    for row, line in zip(table.to_pylist(), capfdbinary.readouterr().out.splitlines(), strict=True):
        wanted = json.loads(line)
        assert (row["event"], row["pid"], row["t_ns"] / 1e9) == (wanted["event"], wanted["pid"], wanted["t"])
        if row["event"] == "other":
            assert row["raw"].decode() == wanted["text"]
        else:
            kind = "unsigned" if row["event"] == "write" else "int"
            assert (
                row[f"lba_{kind}"] == wanted["args"]["lba"] and row[f"size_{kind}"] == wanted["args"]["size"]
            )
            assert row["method"] == wanted["args"].get("method")


def test_only_what_is_meant(trace: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    argv = ["trace", str(trace), "--format", "parquet", "--output", str(out)]
    assert main([*argv, "--event", "write", "--where", "lba >= 4", "--until", "6"]) == 0
    assert pq.read_table(out)["lba"].to_pylist() == [4, 5]
    assert [path for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_bad_usage_is_one_line(trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", str(trace), "--format", "arrow"]) == 2
    assert "needs --output FILE" in capsys.readouterr().err
    assert main(["trace", str(trace), "--format", "arrow", "--output", str(tmp_path / "no" / "out")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
