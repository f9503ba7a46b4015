"""``hiperiso-log trace --format parquet|arrow``: one row a record, one column for each argument by name.

::

    t_ns    int64     the trace's clock; the metadata ``wall_ahead_s`` leads to the wall clock
    event   string
    pid     uint32
    NAME    int64, uint64 or string: an argument, null where an event has none of that name. Where events use one name
            for different types, NAME_int, NAME_unsigned and NAME_str.
    raw     binary: arguments that are not as declared
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from hiperiso.errors import UsageError
from hiperiso.text import masked
from hiperiso.trace.reader import Batch, EventColumns
from hiperiso.trace.show import TraceFile
from hiperlab.extras import require_extra

try:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
except ImportError:
    pass  # features that need it report it

_PIECE_BYTES: Final = 8 << 20
"""About a hundred thousand records: a group of rows."""
_TYPES: Final = {"int": "int64", "unsigned": "uint64", "str": "string"}
_FIXED: Final = ("t_ns", "event", "pid", "raw")

Open = Callable[[Any, Any], AbstractContextManager[Any]]


def write_parquet(trace: TraceFile, path: Path) -> None:
    """Write the records that are meant as Parquet.

    Raises:
        Unsupported: pyarrow is not installed.
        UsageError: the trace cannot be read, or `path` not be written.
    """
    _write(
        trace,
        path,
        lambda file, schema: pq.ParquetWriter(file, schema, compression="zstd", compression_level=1),
    )


def write_arrow(trace: TraceFile, path: Path) -> None:
    """Write the records that are meant as an Arrow file (Feather version 2). Raises as `write_parquet`."""

    def open_writer(file: Any, schema: Any) -> AbstractContextManager[Any]:
        return pa.ipc.new_file(file, schema)  # type: ignore[no-any-return, unused-ignore]

    _write(trace, path, open_writer)


def _write(trace: TraceFile, path: Path, open_writer: Open) -> None:
    require_extra("pyarrow", "trace", purpose="a file of columns")
    table = _Table(trace)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file, open_writer(file, table.schema) as writer:
            for batch in table.trace.batches(_PIECE_BYTES):
                writer.write_batch(table.rows(batch))
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        partial.unlink(missing_ok=True)


class _Table:
    """The columns of a trace; a first look at it says which there are."""

    def __init__(self, trace: TraceFile) -> None:
        self.trace = trace.again()
        summary = trace.summary()
        self._names = [row.event for row in summary.events] + (["dropped"] if summary.lost else [])
        kinds: dict[str, set[str]] = defaultdict(set)
        for name in self._names:
            form = trace.form(name)
            for argument, kind in zip(form.arguments, form.kinds, strict=True) if form else ():
                kinds[argument].add(_kind(kind))
        self._columns = {
            (argument, kind): f"{argument}_{kind}" if len(found) > 1 or argument in _FIXED else argument
            for argument, found in kinds.items()
            for kind in sorted(found)
        }
        self.schema = pa.schema(
            [
                pa.field("t_ns", pa.int64(), nullable=False),
                pa.field("event", pa.string(), nullable=False),
                pa.field("pid", pa.uint32(), nullable=False),
                *(
                    pa.field(name, pa.type_for_alias(_TYPES[kind]))
                    for (_, kind), name in self._columns.items()
                ),
                pa.field("raw", pa.binary()),
            ],
            metadata={"wall_ahead_s": f"{trace.ahead_s:.6f}"},
        )

    def rows(self, batch: Batch) -> Any:
        texts = pa.array([masked(text.decode("utf-8", "replace")) for text in batch.strings], pa.string())
        cut = b"\n" if batch.raw_text else b""
        raws = pa.array([text.removesuffix(cut) for text in batch.strings], pa.binary())
        values: dict[str, list[Any]] = defaultdict(list)
        places: dict[str, list[Any]] = defaultdict(list)

        def put(column: str, found: Any, rows: Any) -> None:
            values[column].append(found)
            places[column].append(rows)

        for part in batch.events:
            rows = _array(part.row, pa.int32())
            put("t_ns", _array(part.t_ns, pa.int64()), rows)
            put("pid", _array(part.pid, pa.uint32()), rows)
            put("event", pa.repeat(pa.scalar(part.event), len(part.row)), rows)
            for column, found in self._arguments(part, texts, raws):
                put(column, found, rows)
        arrays = [
            pc.scatter(
                pa.concat_arrays(values[name]), pa.concat_arrays(places[name]), max_index=batch.count - 1
            )
            if values[name]
            else pa.nulls(batch.count, self.schema.field(name).type)
            for name in self.schema.names
        ]
        made = pa.record_batch(arrays, schema=self.schema)
        meant = self.trace.meant(batch)
        return made if meant is None else made.filter(pa.array(meant, pa.bool_()))

    def _arguments(self, part: EventColumns, texts: Any, raws: Any) -> Iterable[tuple[str, Any]]:
        if part.form is None:
            yield "raw", raws.take(_array(part.arguments[0], pa.uint32()))
            return
        for argument, kind, column in zip(part.form.arguments, part.form.kinds, part.arguments, strict=True):
            name = self._columns[argument, _kind(kind)]
            if kind == "str":
                yield name, texts.take(_array(column, pa.uint32()))
            else:
                yield name, _array(column, pa.type_for_alias(_TYPES[_kind(kind)]))


def _kind(kind: str) -> str:
    return "unsigned" if kind == "pointer" else kind


def _array(column: memoryview, kind: Any) -> Any:
    return pa.Array.from_buffers(kind, len(column), [None, pa.py_buffer(column)])
