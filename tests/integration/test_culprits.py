"""Guests that are stuck at a device: the full tier names it, with its register; a healthy boot names none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from hiperiso.contract.tracereport import Suspect
from hiperiso.trace.answers import answers_of_session
from hiperiso.trace.answers.answers import Answers
from hiperiso.trace.show import Query, TraceFile
from hiperiso.trace.where import parse_condition
from hiperlab.samples import build_sample
from integration.conftest import Boot
from integration.contract_reader import read_session
from integration.culprits import DONE, EXPECTED, disk_of_culprits

LETTERS = parse_condition("name == 'serial' and addr == 0x3f8 and value >= 65 and value <= 90")


def begins(session: Path) -> Iterator[tuple[str, float]]:
    """When each guest began, by its letter; at last when all were over."""
    trace = TraceFile(session, Query(events=("memory_region_ops_write",), where=LETTERS))
    wanted = iter([*EXPECTED, "Z"])
    letter = next(wanted)
    for record, _ in trace.records():
        assert record.form
        if chr(int(record.values[record.form.arguments.index("value")])) == letter:
            yield letter, record.t_ns / 1e9
            letter = next(wanted, "")
            if not letter:
                return


def suspect_until(session: Path, first_s: float, end_s: float) -> Suspect | None:
    """Which device the trace names when it ends there."""
    answers = Answers(round(first_s * 1e9))
    for batch in TraceFile(session, Query(until_s=end_s - first_s - 0.001)).batches():
        answers.feed(batch)
    return answers.found(round(end_s * 1e9)).suspect


@pytest.mark.slow
@pytest.mark.boots
def test_the_device_and_the_register_are_named_for_eleven_of_twelve_guests(
    boot: Boot, tmp_path: Path
) -> None:
    disk, options = disk_of_culprits(tmp_path)
    booted = boot(
        disk,
        *("--firmware", "bios", "--medium", "disk", "--trace", "full", "--timeout", "100"),
        *("--expect-text", DONE),
        *options,
    )
    session = booted.session
    read_session(session)
    assert DONE in (session / "serial.log").read_text()
    times = list(begins(session))
    assert [letter for letter, _ in times] == [*EXPECTED, "Z"]
    first_s = next(TraceFile(session).records())[0].t_ns / 1e9
    found = {letter: suspect_until(session, first_s, end_s) for (letter, _), (_, end_s) in pairwise(times)}
    right = [
        letter
        for letter, (device, register) in EXPECTED.items()
        if (suspect := found[letter]) and suspect.device == device and suspect.register.startswith(register)
    ]
    assert len(right) >= 11, found


@pytest.mark.slow
@pytest.mark.boots
@pytest.mark.parametrize("name", ["login-serial", "isolinux-login"])
def test_a_healthy_boot_names_no_device(boot: Boot, name: str) -> None:
    booted = boot(build_sample(name), "--trace", "full", "--timeout", "120")
    assert booted.exit_code == 0
    answers = answers_of_session(booted.session)  # without the knowledge that it was a success
    assert answers and answers.complete
    assert answers.suspect is None
    assert {"8250 (COM1)", "AHCI", "PIT", "RTC", "APIC"} <= {use.device for use in answers.devices}
    assert any(use.bytes_read for use in answers.drives) and answers.pci and answers.firmware
