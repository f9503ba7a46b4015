"""Declarations beside a trace, and those of this machine's QEMU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hiperiso.contract import files
from hiperiso.trace.binary import make_binary
from hiperiso.trace.declared import Declared, machine_declarations
from hiperiso.trace.formats import read_formats
from hiperiso.trace.show import TraceFile, shown_trace

from .trace_files import Made

STORED = 'serial_read(uint16_t addr, uint8_t value) "read addr 0x%02x val 0x%02x"\n'
MORE = "apic_mem_readl"
"""An event of QEMU 7 and later, which no tier records."""
NAMED = {"addr": 0xFEE00020, "val": 0}


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line)["args"] for line in b"".join(shown_trace(TraceFile(path), "json")).splitlines()]


@pytest.mark.parametrize("name", [files.TRACE_LOG, files.TRACE_BIN])
def test_an_event_that_the_session_did_not_store_is_named_by_the_qemu_of_this_machine(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / files.TRACE_FORMATS).write_text(f"# wall clock ahead by 0.000000 s\n{STORED}")
    (tmp_path / files.TRACE_LOG).write_text(
        f"7@1.5:serial_read read addr 0x05 val 0x60\n7@1.6:{MORE} 0xfee00020 = 0x00000000\n"
    )
    assert make_binary(tmp_path) is False
    assert rows(tmp_path / name) == [{"addr": 5, "value": 0x60}, NAMED]
    assert TraceFile(tmp_path / name).reader.lost == 0


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_file_alone_is_named_by_the_qemu_of_this_machine(tmp_path: Path, version: int) -> None:
    path = machine_declarations()
    assert path
    number = list(read_formats(path)[0]).index(MORE)  # before version 4 an event is its place among all
    made = Made(version)
    trace = tmp_path / "copied.bin"
    trace.write_bytes(
        made.header + made.mapping(number, MORE.encode()) + made.event(number, 5, NAMED["addr"], NAMED["val"])
    )
    assert rows(trace) == [NAMED]


def test_what_is_stored_comes_first(tmp_path: Path) -> None:
    (tmp_path / files.TRACE_FORMATS).write_text(f'{MORE}(int other) "%d"\n')
    declared = Declared(tmp_path / files.TRACE_BIN)
    assert declared[MORE].arguments == ("other",)
    assert next(iter(declared)) == MORE and len(declared) == len(list(declared)) == len(declared.machine)
    assert declared.get("unheard_of") is None
