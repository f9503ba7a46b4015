"""One exit code for many boots."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from hiperiso.errors import ExitCode, HarnessFault, IsoError, UsageError
from hiperlab.matrix import Job
from hiperlab.series.outcome import Outcome, exit_code_of, not_run, refused
from hiperlab.series.show import check_junit, print_json, print_table, write_junit

ORDER = [1, 4, 3, 2, 0]


def outcome(code: int, **more: Any) -> Outcome:
    return Outcome(
        **{"name": f"ram={code}", "result": "success", "exit_code": ExitCode(code), "cause": "", **more}
    )


@pytest.mark.parametrize(
    "codes", [list(some) for n in range(1, 4) for some in itertools.product(ORDER, repeat=n)]
)
def test_the_worst_counts(codes: list[int]) -> None:
    worst = min(codes, key=ORDER.index)
    assert exit_code_of([outcome(code) for code in codes]) == worst


def test_what_was_not_booted_is_a_row_too() -> None:
    job = Job(name="medium=usb", values={}, at={"medium": "usb"})
    assert refused(job, IsoError("no hybrid")).exit_code is ExitCode.USAGE
    assert refused(job, HarnessFault("no QEMU")).exit_code is ExitCode.HARNESS_FAULT
    assert not_run(job, "interrupted").exit_code is ExitCode.INCOMPLETE


def test_a_pipe_gets_whole_rows(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = [
        outcome(0, at={"ram": "1024"}, stage="login", session=tmp_path / "s1", seconds=12.25),
        outcome(
            1,
            at={"ram": "64"},
            result="failure",
            cause="[bold]panic[/bold] " + "x" * 90,
            session=tmp_path / "s2",
        ),
    ]
    print_table("a.iso", rows, ["a note"])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[bold]panic[/bold] " + "x" * 90 in out
    assert "1 success, 1 failure" in out and out.endswith("a note\n")
    print_json(Path("a.iso"), rows)
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == 1
    assert [boot["exit_code"] for boot in document["boots"]] == [0, 1]
    assert document["boots"][0]["session"] == str(tmp_path / "s1")


def test_a_junit_file_is_checked_before_the_boots(tmp_path: Path) -> None:
    check_junit(tmp_path / "x.xml")
    for path, problem in (
        (tmp_path, "it is a directory"),
        (tmp_path / "none" / "x.xml", f"no such directory: {tmp_path}/none"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(UsageError, match=f"--junit: .* cannot be written: {problem}"):
            check_junit(path)


def test_a_junit_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessFault, match="cannot write"):
        write_junit(tmp_path / "none" / "x.xml", Path("a.iso"), [outcome(0)])
