"""Damaged traces through all that reads them: an error that names the place, or a clean stop, and nothing else.

`fuzz_guided.py` runs it guided by coverage, `test_fuzzing.py` with what Hypothesis makes.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Final

import msgspec

from hiperiso.trace.answers.answers import Answers
from hiperiso.trace.formats import parse_formats
from hiperiso.trace.reader import Batch, Record, TraceError, TraceReader
from hiperiso.trace.textlog import TextLog

DECLARED: Final = (
    'blk_co_preadv(void *blk, void *bs, int64_t offset, int64_t bytes, int flags) "blk %p bs %p offset %"PRId64'
    '" bytes %" PRId64 " flags 0x%x"',
    'ide_atapi_cmd_read(void *s, const char *method, int lba, int nb_sectors) "IDEState: %p; read %s: LBA=%d nb=%d"',
    "memory_region_ops_read(int cpu_index, void *mr, uint64_t addr, uint64_t value, unsigned size, const char *name) "
    '"cpu %d mr %p addr 0x%"PRIx64" value 0x%"PRIx64" size %u name \'%s\'"',
    "pci_update_mappings_add(const char *dev, uint32_t bus, uint32_t slot, uint32_t func, int bar, uint64_t addr, "
    'uint64_t size) "%s %02x:%02x.%x %d,0x%"PRIx64"+0x%"PRIx64',
    "pci_cfg_read(const char *dev, uint32_t bus, uint32_t slot, uint32_t func, unsigned offs, unsigned val) "
    '"%s %02x:%02x.%x @0x%x -> 0x%x"',
    'serial_read(uint16_t addr, uint8_t value) "read addr 0x%02x val 0x%02x"',
    'pic_ioport_write(bool master, uint64_t addr, uint64_t val) "master %d addr 0x%"PRIx64" val 0x%"PRIx64',
)
FORMATS: Final = parse_formats(DECLARED)
Outcome = tuple[list[Record], str, int]


def one_input(data: bytes) -> None:
    """Read one damaged trace, with the compiled decoders and without: both give the same.

    Raises:
        AssertionError: they do not, or an error does not name its place.
    """
    if not data:
        return
    kind, rest = data[0], data[1:]
    if kind & 8:
        text, raw = bytes(rest), bool(kind & 1)
        assert _converted(text, raw=raw, compiled=True) == _converted(text, raw=raw, compiled=False)
        trace = _converted(text, raw=raw, compiled=True)[0]
    else:
        trace = _header(2 + kind % 3, ">" if kind & 4 else "<") + rest
    assert _read(trace, compiled=True, step=1 + 40 * kind) == _read(trace, compiled=False, step=len(trace))


@cache
def _header(version: int, order: str) -> bytes:
    """With the names of the events, as QEMU begins a file."""
    names = [
        struct.pack(f"{order}QQI", 0, number, len(name)) + name.encode()
        for number, name in enumerate(FORMATS)
    ]
    head = struct.pack(f"{order}QQQ", 2**64 - 1, 0xF2B177CB0AA429B4, version)
    return head + (b"".join(names) if version >= 4 else b"")


def _read(trace: bytes, *, compiled: bool, step: int) -> Outcome:
    reader = TraceReader(FORMATS, numbered=tuple(FORMATS), compiled=compiled)
    answers = Answers(0)
    records: list[Record] = []
    error = ""
    try:
        for at in range(0, len(trace), step):
            for batch in reader.feed(trace[at : at + step]):
                _take(batch, records, answers)
    except TraceError as damage:
        error = damage.message
        assert f"byte {reader.offset}" in error or "binary trace" in error, error
    msgspec.json.encode(answers.found())
    return records, error, reader.offset


def _take(batch: Batch, records: list[Record], answers: Answers) -> None:
    records += batch.records()
    answers.feed(batch)


def _converted(text: bytes, *, raw: bool, compiled: bool) -> tuple[bytes, int, int, int]:
    log = TextLog(FORMATS, raw=raw, compiled=compiled)
    made = log.feed(text) + log.finish()
    return made, log.lines, log.others, log.refused
