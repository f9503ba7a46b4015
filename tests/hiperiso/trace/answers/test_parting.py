"""Where two traces part."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hiperiso.analysis.cli import main
from hiperiso.contract import files
from hiperiso.trace.answers.parting import parting
from hiperiso.trace.show import TraceFile

from .lines import DECLARED, Guest


def write(folder: Path, guest: Guest) -> Path:
    folder.mkdir()
    (folder / files.TRACE_FORMATS).write_text("\n".join(["# wall clock ahead by 0.000000 s", *DECLARED, ""]))
    (folder / files.TRACE_LOG).write_text("".join(guest.lines))
    return folder


def guest(polls: int, status: int) -> Guest:
    made = Guest()
    made.boots()
    for count in range(polls):
        made.read("ahci", 0xFEBD5128, 0)
        made.read("acpi-tmr", 0x608, count)
    made.read("ahci", 0xFEBD5128, status)
    return made


def test_how_often_it_is_polled_is_no_difference_but_the_answer_is(tmp_path: Path) -> None:
    good = guest(10, 0x113)
    good.medium(500)
    good_dir, bad_dir = write(tmp_path / "good", good), write(tmp_path / "bad", guest(77, 0x1))
    found = parting(TraceFile(good_dir), TraceFile(bad_dir))
    assert found.first.last_common
    assert (found.first.last_common.device, found.first.last_common.register) == ("ACPI", "PM timer")
    (first, second) = found.first.apart
    assert (first.register, first.value) == ("port 0 PxSSTS (link status)", "0x113")
    assert (second.device, second.value) == ("CD-ROM", "0xfa000")
    assert [(one.register, one.value) for one in found.second.apart] == [
        ("port 0 PxSSTS (link status)", "0x1")
    ]


def test_the_command(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    one, other = write(tmp_path / "one", guest(3, 1)), write(tmp_path / "other", guest(5, 1))
    assert main(["trace", str(one), "--against", str(other)]) == 0
    assert b"does nothing that the second does not" in capfdbinary.readouterr().out
    assert main(["trace", str(one), "--against", str(other), "--format", "json"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["first"]["apart_count"] == 0
    assert main(["trace", str(one), "--against", str(other), "--format", "csv"]) == 2


def test_a_tier_is_asked_for_while_a_session_is_recorded(tmp_path: Path) -> None:
    assert main(["trace", str(tmp_path), "--tier", "full"]) == 2
    (tmp_path / files.SESSION_JSON).write_text("{}")
    assert main(["trace", str(tmp_path), "--tier", "full"]) == 0
    assert (tmp_path / files.TRACE_TIER).read_text() == "full\n"
    (tmp_path / files.SESSION_COMPLETE).touch()
    assert main(["trace", str(tmp_path), "--tier", "none"]) == 2
