"""Binary traces: every version and byte order, compiled and not, whole, in pieces and damaged."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.contract import files
from hiperiso.observe.disk.trace import TraceReads
from hiperiso.trace.decoder import new_decoder
from hiperiso.trace.formats import parse_formats, read_formats, write_formats
from hiperiso.trace.reader import PIECE_BYTES, Record, Total, TraceError, TraceReader, read_pieces
from hiperiso.trace.text import TraceText, text_of_trace

from .trace_files import BOTH, DECLARATIONS, DROPPED, FORMATS, Made

TRACE = Made().trace()


def reader(*, compiled: bool = True) -> TraceReader:
    return TraceReader(FORMATS, numbered=tuple(FORMATS), compiled=compiled)


def records(data: bytes, *, compiled: bool = True) -> list[Record]:
    return [record for batch in reader(compiled=compiled).feed(data) for record in batch.records()]


def until_damage(data: bytes, *, compiled: bool) -> tuple[list[Record], bytes, str, int]:
    """What columns and text make of a file, what the error says, and how far it was read."""
    found: list[Record] = []
    lines: list[bytes] = []
    error = ""
    one = reader(compiled=compiled)
    try:
        for batch in one.feed(data):
            found += batch.records()
    except TraceError as raised:
        error = raised.message
    try:
        lines += reader(compiled=compiled).feed_lines(data)
    except TraceError as raised:
        assert raised.message == error
    return found, b"".join(lines), error, one.offset


def test_the_compiled_decoder_is_there_and_taken() -> None:
    built = pytest.importorskip("hiperiso.trace._records", reason="not compiled here")
    assert isinstance(new_decoder(4, swapped=False), built.Decoder)


@BOTH
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("version", [2, 3, 4])
def test_versions_and_byte_orders(version: int, order: str, compiled: bool) -> None:
    found = records(Made(version, order).trace(), compiled=compiled)
    assert [(r.event, r.t_ns, r.pid, r.values) for r in found[:7]] == [
        ("ide_atapi_cmd_read", 1_500_000_000, 7, (0x55AA, "dma", 16, 1)),
        ("dropped", 1_600_000_000, 0, (12,)),
        ("ide_atapi_cmd_read", 2_000_001_000, 7, (0, "pio", -1, 2)),
        ("event_9", 2_000_002_000, 7, (struct.pack(f"{order}Q", 5).hex(),)),
        ("nothing", 2_000_001_500, 7, ()),
        ("guest_cpu_enter", 2_000_003_000, 7, (0xBEEF,)),
        ("named", 2_100_000_000, 7, ("", 255, "it's?\"\\\ufffd")),
    ]
    assert found[7].form is None and found[7].event == "blk_co_preadv"
    assert FORMATS["guest_cpu_enter"].arguments == ("__cpu",)


@BOTH
def test_text_is_that_of_simpletrace(compiled: bool) -> None:
    assert b"".join(reader(compiled=compiled).feed_lines(TRACE)).decode().splitlines() == [
        "ide_atapi_cmd_read 0.000 pid=7 s=0x55aa method=b'dma' lba=0x10 nb_sectors=0x1",
        "Dropped_Event 100000.000 pid=0 num_events_dropped=0xc",
        "ide_atapi_cmd_read 400001.000 pid=7 s=0x0 method=b'pio' lba=0xffffffffffffffff nb_sectors=0x2",
        "event_9 1.000 pid=7 raw=0500000000000000",
        "nothing -0.500 pid=7",
        "guest_cpu_enter 1.500 pid=7 __cpu=0xbeef",
        "named 99997.000 pid=7 a=b'' b=0xff c=b'it\\'s\\t\"\\\\\\xff'",
        "blk_co_preadv 0.001 pid=7 raw=0100000000000000",
    ]


@BOTH
def test_columns_totals_and_losses(compiled: bool) -> None:
    one = reader(compiled=compiled)
    made = Made()
    named = b"".join(made.mapping(number, name.encode()) for number, name in enumerate(FORMATS))
    *_, batch = reader(compiled=compiled).feed(
        made.header
        + named
        + made.event(0, 1, 2, b"dma", 16, 1)
        + made.event(4, 2, b"dma", 255, b"")
        + made.event(0, 3, 2, b"pio", -1, 1)
        + made.event(4, 4, b"", 1, b"pio")
    )
    named_columns = next(part for part in batch.events if part.event == "named")
    assert [batch.strings[code] for code in named_columns.arguments[2]] == [b"", b"pio"]
    assert sum(one.feed_counts(TRACE)) == 8
    assert (one.lost, one.begin_ns, one.torn_bytes, one.offset) == (12, 1_500_000_000, 0, len(TRACE))
    other = reader(compiled=compiled)
    assert sum(batch.count for batch in other.feed(TRACE)) == 8
    assert other.totals() == one.totals()
    assert other.totals()["ide_atapi_cmd_read"] == Total(2, 1_500_000_000, 2_000_001_000)


@BOTH
def test_what_is_wanted(compiled: bool) -> None:
    one = TraceReader(
        FORMATS, wanted=lambda name: name.startswith(("ide", "no")), since_ns=500_001_000, compiled=compiled
    )
    assert [r.event for batch in one.feed(TRACE) for r in batch.records()] == [
        "ide_atapi_cmd_read",
        "nothing",
    ]
    one = TraceReader(FORMATS, until_ns=100_000_000, compiled=compiled)
    assert [r.event for batch in one.feed(TRACE) for r in batch.records()] == [
        "ide_atapi_cmd_read",
        "dropped",
    ]


@BOTH
@given(cuts=st.lists(st.integers(0, len(TRACE)), max_size=6))
def test_pieces_of_any_size_give_the_same(cuts: list[int], compiled: bool) -> None:
    one = reader(compiled=compiled)
    ends = [0, *sorted(cuts), len(TRACE)]
    found = [r for a, b in pairwise(ends) for batch in one.feed(TRACE[a:b]) for r in batch.records()]
    assert found == records(TRACE)


@given(cut=st.integers(0, len(TRACE)))
def test_a_torn_end_is_left_out(cut: int) -> None:
    one = reader()
    found = [r for batch in one.feed(TRACE[:cut]) for r in batch.records()]
    assert found == records(TRACE)[: len(found)]
    assert one.offset + one.torn_bytes == cut


def test_a_file_larger_than_a_piece(tmp_path: Path) -> None:
    path = tmp_path / files.TRACE_BIN
    made = Made()
    body = b"".join(made.event(0, 10**9 + n, n, b"dma" * (n % 50), n % 97, 1) for n in range(15_000))
    path.write_bytes(TRACE + body + body[:50])
    assert path.stat().st_size > PIECE_BYTES
    one = reader()
    found = [r for batch in read_pieces(path, one.batches, one) for r in batch.records()]
    assert len(found) == 15_008 and found == records(path.read_bytes(), compiled=False)
    assert one.offset == path.stat().st_size - 50


def damaged() -> st.SearchStrategy[bytes]:
    """Whole traces with bytes changed, cut out, or put in, and none at all."""
    version = st.sampled_from([Made(v, o) for v in (2, 3, 4) for o in "<>"])
    edit = st.tuples(st.integers(0, 700), st.integers(0, 12), st.binary(max_size=12))

    def edited(made: Made, edits: list[tuple[int, int, bytes]]) -> bytes:
        data = bytearray(made.trace())
        for at, size, new in edits:
            data[at : at + size] = new
        return bytes(data)

    return st.one_of(
        st.builds(edited, version, st.lists(edit, max_size=4)),
        st.builds(lambda made, tail: made.header + tail, version, st.binary(max_size=200)),
        st.binary(max_size=64),
    )


@given(data=damaged())
def test_damage_is_named_and_both_decoders_agree(data: bytes) -> None:
    found, lines, error, offset = until_damage(data, compiled=True)
    assert (found, lines, error, offset) == until_damage(data, compiled=False)
    assert offset <= len(data)
    if "damaged" in error:
        assert f"byte {offset}" in error


def test_other_files_and_versions_are_named() -> None:
    with pytest.raises(TraceError, match="not a binary trace"):
        records(b"1@2.3:x\n")
    with pytest.raises(TraceError, match="version 5"):
        records(Made(5).header)
    with pytest.raises(TraceError, match="byte 24: invalid data instead of a record"):
        records(Made().header + struct.pack("<Q", 5))
    with pytest.raises(TraceError, match="the name of an event has 4096 bytes"):
        records(Made().header + struct.pack("<QQI", 0, 1, 4096))


@BOTH
def test_more_events_than_any_qemu_has(compiled: bool) -> None:
    made = Made()
    data = made.header + b"".join(made.event(2**40 + n, n) for n in range(100))
    with pytest.raises(TraceError, match="more events than any QEMU has"):
        records(data, compiled=compiled)


@BOTH
def test_an_id_that_gets_another_name(compiled: bool) -> None:
    made = Made()
    data = b"".join(
        [
            made.header,
            made.event(3, 1, 5),
            made.mapping(3, b"nothing"),
            made.event(3, 2),
            made.mapping(3, b"guest_cpu_enter"),
            made.event(3, 3, 6),
        ]
    )
    assert [(r.event, r.values) for r in records(data, compiled=compiled)] == [
        ("event_3", ("0500000000000000",)),
        ("nothing", ()),
        ("guest_cpu_enter", (6,)),
    ]


@BOTH
@pytest.mark.parametrize("version", [2, 4])
def test_the_greatest_id_may_come_first(version: int, compiled: bool) -> None:
    made = Made(version)
    (record,) = records(made.header + made.event(2**64 - 1, 1, 5), compiled=compiled)
    assert (record.event, record.values) == (f"event_{2**64 - 1}", ("0500000000000000",))


def test_a_binary_trace_reads_as_the_text_one_would() -> None:
    text = TraceText(FORMATS, wall_ahead_s=100.0)
    assert text.feed(TRACE).decode().splitlines()[:3] == [
        "7@101.500000:ide_atapi_cmd_read IDEState: 0x55aa; read dma: LBA=16 nb_sectors=1",
        "7@102.000001:ide_atapi_cmd_read IDEState: (nil); read pio: LBA=-1 nb_sectors=2",
        "7@102.000002:event_9 ",
    ]
    (read,) = TraceReads().feed(TraceText(FORMATS).feed(TRACE))[:1]
    assert (read.t_wall_s, read.lba, read.sectors) == (1.5, 16, 1)
    damaged = TraceText(FORMATS)
    assert damaged.feed(TRACE + bytes([5, *bytes(7)])).count(b"\n") == 7
    with pytest.raises(TraceError, match=f"byte {len(TRACE)}"):
        damaged.feed(b"")


def test_declarations_are_kept_beside_the_trace(tmp_path: Path) -> None:
    qemu = tmp_path / "qemu"
    qemu.touch()
    lines = "\n\n".join(DECLARATIONS)
    (tmp_path / "trace-events-all").write_text(f'# comment\n{lines}\nother(void) ""\n')
    kept = tmp_path / files.TRACE_FORMATS
    write_formats(kept, qemu, {"ide_atapi_cmd_read", "blk_co_preadv"}, 12.25)
    formats, ahead_s = read_formats(kept)
    assert set(formats) == {"ide_atapi_cmd_read", "blk_co_preadv"} and ahead_s == 12.25
    assert read_formats(tmp_path / "none") == ({}, None)
    trace = tmp_path / files.TRACE_BIN
    assert text_of_trace(trace)(TRACE).startswith(b"7@13.750000:ide_atapi_cmd_read IDEState: 0x55aa;")
    assert text_of_trace(tmp_path / files.TRACE_LOG)(b"line\n") == b"line\n"


def values(kinds: tuple[str, ...], numbers: Iterator[int]) -> list[int | str]:
    return ["x" if kind == "str" else next(numbers) for kind in kinds]


@given(st.text(max_size=200), st.lists(st.integers(-(2**63), 2**64 - 1), min_size=10, max_size=10))
def test_hostile_declarations_are_passed_over(line: str, numbers: list[int]) -> None:
    for known in parse_formats([line, f"x({line}) {line}", f'y(int a, char *b) "{line}"']).values():
        known.text(values(known.kinds[:10], iter(numbers)))


def test_the_number_of_lost_records_is_of_their_own_events_only() -> None:
    made = Made()
    one = reader()
    list(one.feed(made.header + made.event(DROPPED, 1, 5) + made.event(DROPPED, 2, 6, 7)))
    assert one.lost == 5
