"""Trace files made after the description of the format, in every version and byte order."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from importlib.util import find_spec

import pytest

from hiperiso.trace.formats import parse_formats

DECLARATIONS = (
    "ide_atapi_cmd_read(void *s, const char *method, int lba, int nb_sectors) "
    '"IDEState: %p; read %s: LBA=%d nb_sectors=%d"',
    "blk_co_preadv(void *blk, void *bs, int64_t offset, int64_t bytes, int flags) "
    '"blk %p bs %p offset %"PRId64" bytes %" PRId64 " flags 0x%x"',
    'nothing(void) ""',
    "vcpu guest_cpu_enter(void)",
    "named(const char *a, uint8_t b, const char *c) \"%s is 0x%02x for '%s'\"",
)
BOTH = pytest.mark.parametrize(
    "compiled",
    [
        pytest.param(
            True,
            id="compiled",
            marks=pytest.mark.skipif(not find_spec("hiperiso.trace._records"), reason="not compiled here"),
        ),
        pytest.param(False, id="python"),
    ],
)
FORMATS = parse_formats(DECLARATIONS)
DROPPED = 2**64 - 2


@dataclass(frozen=True)
class Made:
    """Builds files of one version and byte order."""

    version: int = 4
    order: str = "<"

    @property
    def header(self) -> bytes:
        return struct.pack(f"{self.order}QQQ", 2**64 - 1, 0xF2B177CB0AA429B4, self.version)

    def mapping(self, number: int, name: bytes) -> bytes:
        return struct.pack(f"{self.order}QQI", 0, number, len(name)) + name if self.version >= 4 else b""

    def event(self, number: int, t_ns: int, *arguments: int | bytes, pid: int = 7) -> bytes:
        data = b"".join(
            struct.pack(f"{self.order}I", len(value)) + value
            if isinstance(value, bytes)
            else struct.pack(f"{self.order}Q", value % 2**64)
            for value in arguments
        )
        kind = struct.pack(f"{self.order}Q", 1) if self.version >= 4 else b""
        return kind + struct.pack(f"{self.order}QQII", number, t_ns, 24 + len(data), pid) + data

    def trace(self) -> bytes:
        """Ids are places among `DECLARATIONS`, so that they mean the same in every version."""
        return b"".join(
            [
                self.header,
                *(self.mapping(number, name.encode()) for number, name in enumerate(FORMATS)),
                self.event(0, 1_500_000_000, 0x55AA, b"dma", 16, 1),
                self.event(DROPPED, 1_600_000_000, 12, pid=0),
                self.event(0, 2_000_001_000, 0, b"pio", -1, 2),
                self.event(9, 2_000_002_000, 5),
                self.event(2, 2_000_001_500),
                self.event(3, 2_000_003_000, 0xBEEF),
                self.event(4, 2_100_000_000, b"", 255, b"it's\t\"\\\xff"),
                self.event(1, 2_100_000_001, 1),  # not as declared
            ]
        )
