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
from concurrent.futures import Future, ThreadPoolExecutor
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
    """Write the records that are meant as Parquet: a group of rows for each piece of the trace.

    Texts are written as dictionaries and the rest plainly, which is fast to write and small.

    Raises:
        Unsupported: pyarrow is not installed.
        UsageError: the trace cannot be read, or `path` not be written.
    """

    def open_writer(file: Any, schema: Any) -> AbstractContextManager[Any]:
        texts = [field.name for field in schema if pa.types.is_dictionary(field.type)]
        writer = pq.ParquetWriter(  # type: ignore[no-untyped-call, unused-ignore]
            file,
            schema,
            compression="lz4",
            use_dictionary=texts,
            write_statistics=["t_ns"],
            store_schema=False,  # what reads it has strings, not dictionaries
        )
        writer.add_key_value_metadata(dict(schema.metadata))
        return writer  # type: ignore[no-any-return, unused-ignore]

    _write(trace, path, open_writer, dictionaries=True)


def write_arrow(trace: TraceFile, path: Path) -> None:
    """Write the records that are meant as an Arrow file (Feather version 2). Raises as `write_parquet`."""

    def open_writer(file: Any, schema: Any) -> AbstractContextManager[Any]:
        return pa.ipc.new_file(file, schema)  # type: ignore[no-any-return, unused-ignore]

    _write(trace, path, open_writer, dictionaries=False)


def _write(trace: TraceFile, path: Path, open_writer: Open, *, dictionaries: bool) -> None:
    require_extra("pyarrow", "trace", purpose="a file of columns")
    table = _Table(trace, dictionaries=dictionaries)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with (
            partial.open("wb") as file,
            open_writer(file, table.schema) as writer,
            ThreadPoolExecutor(1) as behind,
        ):
            writing: Future[Any] | None = None
            for batch in table.trace.batches(_PIECE_BYTES):
                rows = table.rows(batch)
                if writing:
                    writing.result()
                writing = behind.submit(writer.write_batch, rows)  # while the next ones are made
            if writing:
                writing.result()
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        partial.unlink(missing_ok=True)


class _Table:
    """The columns of a trace; a first look at it says which there are."""

    def __init__(self, trace: TraceFile, *, dictionaries: bool = False) -> None:
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
        self._codes = {name: code for code, name in enumerate(self._names)}
        self._events = pa.array(self._names, pa.string())
        self._nulls: dict[Any, Any] = {}
        text = pa.dictionary(pa.int32(), pa.string()) if dictionaries else pa.string()
        types = {kind: text if kind == "str" else pa.type_for_alias(alias) for kind, alias in _TYPES.items()}
        self.schema = pa.schema(
            [
                pa.field("t_ns", pa.int64(), nullable=False),
                pa.field("event", text, nullable=False),
                pa.field("pid", pa.uint32(), nullable=False),
                *(pa.field(name, types[kind]) for (_, kind), name in self._columns.items()),
                pa.field("raw", pa.binary()),
            ],
            metadata={"wall_ahead_s": f"{trace.ahead_s:.6f}"},
        )

    def rows(self, batch: Batch) -> Any:
        """A batch as rows, in the order of the trace."""
        texts = pa.array([masked(text.decode("utf-8", "replace")) for text in batch.strings], pa.string())
        cut = b"\n" if batch.raw_text else b""
        raws = pa.array([text.removesuffix(cut) for text in batch.strings], pa.binary())
        found: dict[str, list[tuple[int, Any]]] = defaultdict(list)
        for number, part in enumerate(batch.events):
            found["t_ns"].append((number, _array(part.t_ns, pa.int64())))
            found["pid"].append((number, _array(part.pid, pa.uint32())))
            code = pa.scalar(self._codes[part.event], pa.int32())
            found["event"].append((number, pa.repeat(code, len(part.row))))
            for column, values in self._arguments(part, raws):
                found[column].append((number, values))
        order: dict[tuple[int, ...], Any] = {}
        arrays = []
        for field in self.schema:
            if field.name not in found:
                arrays.append(self._nothing(field.type, batch.count))
                continue
            numbers = tuple(number for number, _ in found[field.name])
            if numbers not in order:
                order[numbers] = _order(batch, numbers)
            column = pa.concat_arrays([values for _, values in found[field.name]]).take(order[numbers])
            arrays.append(self._texts(field, column, texts))
        made = pa.record_batch(arrays, schema=self.schema)
        meant = self.trace.meant(batch)
        return made if meant is None else made.filter(pa.array(meant, pa.bool_()))

    def _texts(self, field: Any, column: Any, texts: Any) -> Any:
        """What the codes of a column stand for; other columns as they are."""
        if not pa.types.is_string(field.type) and not pa.types.is_dictionary(field.type):
            return column
        values = self._events if field.name == "event" else texts
        if pa.types.is_dictionary(field.type):
            return pa.DictionaryArray.from_arrays(column, values)
        return values.take(column)

    def _nothing(self, kind: Any, count: int) -> Any:
        """A column of nulls."""
        known = self._nulls.get(kind)
        if known is None or len(known) < count:
            known = self._nulls[kind] = pa.nulls(max(count, 1 << 17), kind)
        return known.slice(0, count)

    def _arguments(self, part: EventColumns, raws: Any) -> Iterable[tuple[str, Any]]:
        if part.form is None:
            yield "raw", raws.take(_array(part.arguments[0], pa.uint32()))
            return
        for argument, kind, column in zip(part.form.arguments, part.form.kinds, part.arguments, strict=True):
            stored = pa.int32() if kind == "str" else pa.type_for_alias(_TYPES[_kind(kind)])
            yield self._columns[argument, _kind(kind)], _array(column, stored)


def _order(batch: Batch, numbers: tuple[int, ...]) -> Any:
    """Where in the values of some events, one after the other, each row finds its own."""
    rows = pa.concat_arrays([_array(batch.events[number].row, pa.int32()) for number in numbers])
    return pc.inverse_permutation(rows, max_index=batch.count - 1)


def _kind(kind: str) -> str:
    return "unsigned" if kind == "pointer" else kind


def _array(column: memoryview, kind: Any) -> Any:
    return pa.Array.from_buffers(kind, len(column), [None, pa.py_buffer(column)])
