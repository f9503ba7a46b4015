from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hiperiso.session.timing import parse_timing, write_timing

DAT = (
    "session_start\t100.00\t2026-07-02T01:14:52Z\n"
    "qemu_launch\t100.25\t2026-07-02T01:14:52Z\n"
    "not a mark\n"
    "kernel\t103.5\t2026-07-02T01:14:56Z\n"
    "torn\t10"
)


def test_deltas_are_between_neighbours(tmp_path: Path) -> None:
    (tmp_path / "timing.dat").write_text(DAT)
    timing = write_timing(tmp_path)
    assert timing is not None
    assert [(phase.phase, phase.delta_ms) for phase in timing.phases] == [
        ("session_start", 0),
        ("qemu_launch", 250),
        ("kernel", 3250),
    ]
    assert timing.total_ms == 3500
    assert (tmp_path / "timing.json").exists()


def test_no_marks_no_file(tmp_path: Path) -> None:
    assert write_timing(tmp_path) is None
    assert not (tmp_path / "timing.json").exists()


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    parse_timing("x", text)
