"""Text traces: the very same columns as of a binary one, compiled and not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hiperiso.machine.qemu import find_qemu
from hiperiso.trace.formats import EventFormat, declarations_file, parse_formats, read_formats
from hiperiso.trace.reader import Record, TraceReader
from hiperiso.trace.text import TraceText
from hiperiso.trace.textlog import HEADER, TextLog, text_parts

from .trace_files import BOTH, FORMATS, Made

LINES = (
    b"7@1.500000:ide_atapi_cmd_read IDEState: 0x55aa; read dma: LBA=16 nb_sectors=1\n"
    b"7@2.000001:ide_atapi_cmd_read IDEState: (nil); read pio: LBA=-1 nb_sectors=2\n"
    b"qemu-system-x86_64: warning: something else\n"
    b"2.25:nothing \n"
    b"9@2.3:named ab is 0xff for 'c d'\n"
    b"9@2.4:named (null) is 0x01 for ''\n"
    b"9@2.5:unheard of it\n"
    b"9@2.6:nothing at all\n"
    b"9@2.7:blk_co_preadv blk 0x1 bs 0x2 offset -5 bytes 18446744073709551615 flags 0xffffffff"
)


def decoded(data: bytes, *, compiled: bool = True, formats: dict[str, EventFormat] = FORMATS) -> list[Record]:
    log = TextLog(formats, compiled=compiled)
    reader = TraceReader(formats, raw_text=True, compiled=compiled)
    return [
        r for piece in (log.feed(data), log.finish()) for batch in reader.feed(piece) for r in batch.records()
    ]


@BOTH
def test_lines_become_records(compiled: bool) -> None:
    assert [(r.event, r.t_ns, r.pid, r.values) for r in decoded(LINES, compiled=compiled)] == [
        ("ide_atapi_cmd_read", 1_500_000_000, 7, (0x55AA, "dma", 16, 1)),
        ("ide_atapi_cmd_read", 2_000_001_000, 7, (0, "pio", -1, 2)),
        ("nothing", 2_250_000_000, 0, ()),
        ("named", 2_300_000_000, 9, ("ab", 255, "c d")),
        ("named", 2_400_000_000, 9, ("", 1, "")),
        ("unheard", 2_500_000_000, 9, ("of it",)),
        ("nothing", 2_600_000_000, 9, ("at all",)),
        ("blk_co_preadv", 2_700_000_000, 9, (1, 2, -5, -1, -1)),
    ]


ODD = (
    (
        'quoted(const char *field, int ret) "field \\"%s\\" failed, ret = %d"',
        b'field "a b" failed, ret = -5',
        ("a b", -5),
    ),
    ('joined(int level, uint8_t a, uint8_t b) "%d sist 0x%02x0x%02x"', b"1 sist 0x010x09", (1, 1, 9)),
    ('bare(uint32_t a, uint32_t b) "0x%x%#x"', b"0x10x2", None),  # where one number ends cannot be known
    ('access(const char *way, unsigned size, int at) "%s%u: %d"', b"wr32: -1", ("wr", 32, -1)),
    ('erased(const char *name, int width, uint64_t at) "%s: 0x%0*" PRIx64', b"f: 0x00ff", ("f", 4, 255)),
    ('sized(unsigned int addr, char size) "addr 0x%x(%c)"', b"addr 0x70(b)", (0x70, 98)),
    ('signed(char one, uint8_t other) "%c%c"', b"\xff\xff", (-1, 255)),
    ('padded(const char *name, int n) "%8s/ CMD%02d"', b"    read/ CMD07", ("read", 7)),
)


@BOTH
@pytest.mark.parametrize(("declared", "text", "values"), ODD, ids=[row[0].partition("(")[0] for row in ODD])
def test_what_declarations_hold(
    declared: str, text: bytes, values: tuple[int | str, ...] | None, compiled: bool
) -> None:
    formats = parse_formats([declared])
    (name,) = formats
    (record,) = decoded(b"7@1.5:%s %s\n" % (name.encode(), text), compiled=compiled, formats=formats)
    if values is None:
        assert record.form is None and record.values == (text.decode(),)
        return
    assert record.values == values and record.form
    if text.isascii():
        assert record.form.text(record.values) == text.decode()


@BOTH
def test_for_others_to_read_what_is_not_as_declared_is_counted(compiled: bool) -> None:
    log = TextLog(FORMATS, raw=False, compiled=compiled)
    data = log.feed(LINES) + log.finish()
    assert (log.lines, log.others, log.refused) == (6, 1, 2)
    reader = TraceReader(FORMATS)
    assert sum(reader.feed_counts(data)) == 7 and reader.lost == 2


def fields(kind: str, bits: int) -> st.SearchStrategy[int | str]:
    if kind == "str":
        return st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=20)
    if kind == "int":
        return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)
    return st.integers(0, (1 << bits) - 1)


def installed() -> dict[str, EventFormat]:
    path = declarations_file(find_qemu())
    assert path is not None
    return read_formats(path)[0]


INSTALLED = installed()
PLAIN = [
    known
    for known in INSTALLED.values()
    if text_parts(known)
    and "%c" not in known.template
    and "*" not in known.template
    and "\n" not in known.template
]  # a number may have more digits than its width; a text of several lines is several lines of a log


def test_nearly_all_declarations_of_the_installed_qemu_can_be_taken_apart() -> None:
    refused = [known.name for known in INSTALLED.values() if text_parts(known) is None]
    assert len(refused) < len(INSTALLED) / 100, refused


@given(data=st.data())
def test_every_event_comes_back_from_its_own_text(data: st.DataObject) -> None:
    known = data.draw(st.sampled_from(PLAIN))
    values = tuple(data.draw(fields(kind, bits)) for kind, bits in zip(known.kinds, known.bits, strict=True))
    line = f"5@3.000001:{known.name} {known.text(values)}\n".encode()
    records = decoded(line, formats={known.name: known})
    assert records == decoded(line, compiled=False, formats={known.name: known})
    (record,) = records
    printed = record.form.text(record.values) if record.form else record.values[0]
    assert printed == known.text(values)  # a string may have eaten what looks like the words after it


@BOTH
def test_binary_to_text_and_back(compiled: bool) -> None:
    made = Made()
    body = [
        made.event(0, 10**9, 1, b"dma", -5, 6),
        made.event(1, 2 * 10**9, 1, 2, -3, 4, -1),
        made.event(2, 3 * 10**9),
    ]
    trace = (
        made.header
        + b"".join(made.mapping(n, name.encode()) for n, name in enumerate(FORMATS))
        + b"".join(body)
    )
    again = TextLog(FORMATS, compiled=compiled).feed(TraceText(FORMATS).feed(trace))
    assert again.startswith(HEADER)
    assert [r for batch in TraceReader(FORMATS).feed(again) for r in batch.records()] == [
        r for batch in TraceReader(FORMATS).feed(trace) for r in batch.records()
    ]


ALPHABET = st.sampled_from(
    [*LINES.split(b"\n"), b"7@", b"1", b".", b":", b"nothing", b" ", b"\n", b"-", b"0x", b"\0", b"\xff"]
)


@given(st.lists(ALPHABET | st.binary(max_size=5), max_size=20).map(b"".join), st.integers(0, 300))
@example(
    b"4294967296@1.0:nothing \n" + b"1@1.0:" + b"n" * 129 + b"\n" + b"1@1.0:nothing " + b"x" * 4096 + b"\n", 9
)
@example(b"1@2.0:blk_co_preadv blk 0x bs 0x2 offset 99999999999999999999 bytes --1 flags 0x\n", 3)
def test_hostile_lines_give_the_same_compiled_and_not(data: bytes, cut: int) -> None:
    assert decoded(data) == decoded(data, compiled=False)
    one, other = TextLog(FORMATS), TextLog(FORMATS)
    assert one.feed(data) + one.finish() == other.feed(data[:cut]) + other.feed(data[cut:]) + other.finish()
    assert (one.lines, one.others) == (other.lines, other.others)
    assert one.lines == len(decoded(data))


def test_a_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    log = TextLog(FORMATS)
    for _ in range(100):
        log.feed(b"x" * 10_000)
    assert log.feed(b"\n2.5:nothing \n") and (log.lines, log.others) == (1, 1)
