"""The power is cut in the middle of a recording: what is lost, what is damaged, what comes home."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hiperiso.errors import HarnessFault, UsageError
from hiperlab.stick.data import DataPartition
from hiperlab.stick.image import open_data_of
from hiperlab.stick.layout import plan_layout
from integration.stick_machine import Console, machine
from waiting import wait_until

from ..oracle import cut, run
from .conftest import INNER_S, MENU_S, STEP_S, Session, by_iso, choose, collected, hiperiso, leave, started_by

pytestmark = [pytest.mark.boots, pytest.mark.slow, pytest.mark.timeout(7200)]

LOGS = "/hiperiso/logs"
LAST_SECOND_S = 1.0
TICK_S = 1.0
"""Between two lines of the guest."""
_TICK = re.compile(r"tick \d+.*")
LATE = 3.0
"""How much later than on a machine with a core of its own everything may be here."""
TICKS = 3
"""So many lines of the guest are on the stick before the power is cut."""


@pytest.mark.parametrize(
    ("cuts", "login"),
    [
        pytest.param(1, False, id="once"),
        pytest.param(2, True, id="twice, and a login under KVM"),
    ],
)
def test_the_power_is_cut_and_the_next_start_finishes_the_recordings(
    cuts: int, login: bool, stick: Path, tmp_path: Path
) -> None:
    for attempt in range(1, cuts + 1):
        with machine(stick, started_by("bios"), tmp_path) as console:
            console.wait_next("Power off", MENU_S)
            console.type("\x0e\r")  # one down: ticks.iso
            console.wait_next("  bootloader  ", STEP_S)
            starved_before_s = console.starved_s()
            recorded = f"{TICKS} ticks on the stick"
            console.wait_until(lambda n=attempt: ticks_on(stick, sessions_due=n) >= TICKS, recorded, INNER_S)  # type: ignore[misc]
            if attempt == cuts:
                wait_for_writes(stick)
            starved_s = console.starved_s() - starved_before_s
            cut_at = console.kill()
        check_file_system(stick, tmp_path)
        lost_s = lost_seconds(console, stick, cut_at)
        print(
            f"cut {attempt}: {lost_s:.2f} s of the serial log are not on the stick ({starved_s:.2f} s starved)"
        )
        assert lost_s <= LAST_SECOND_S * LATE + TICK_S + starved_s

    with machine(stick, started_by("bios"), tmp_path) as console:
        console.wait_next("Power off", MENU_S)
        console.type("c")
        console.wait_next("grub>", MENU_S)
        console.type("hiperiso_boot /ISOs/gone.iso\r")  # as a menu does that is older than the files
        if login:
            choose(console, "login.iso")
            console.wait_next("status kvm_ok", STEP_S)
        leave(console)
    check_file_system(stick, tmp_path)
    with open_data_of(stick) as data:
        if login:
            last = read(data, "last.txt")  # where the boot menu shows it
            (name,) = (name for name in sessions(data) if name.startswith("login"))
            assert last == read(data, f"{name}/report.txt")
            assert last.decode().splitlines()[0] in console.text
        manifests = [json.loads(read(data, f"{name}/session.json")) for name in sessions(data)]
    ends = sorted((m["iso_basename"], m["status"], m["result"]) for m in manifests)
    assert ends == [
        ("gone.iso", "failed", "incomplete"),
        *([("login.iso", "complete", "success")] if login else []),
        *[("ticks.iso", "failed", "incomplete")] * cuts,
    ]
    home = collected(stick, tmp_path / "logs")
    assert sorted((s.iso, s.manifest["status"], s.manifest["result"]) for s in home) == ends
    check_recordings(home)


def ticks_on(stick: Path, *, sessions_due: int) -> int:
    """How many ticks of the newest session are on the stick while its machine runs; 0 where it cannot be read now."""
    try:
        with open_data_of(stick) as data:
            names = sessions(data)
            if len(names) < sessions_due:
                return 0
            emitted = read(data, f"{names[-1]}/events.jsonl").splitlines()[:-1]
            serial = read(data, f"{names[-1]}/serial.log").decode(errors="replace")
    except (HarnessFault, UsageError):
        return 0
    texts = [event["text"] for event in map(json.loads, emitted) if event["source"] == "serial"]
    return sum(text in serial for text in texts if _TICK.fullmatch(text))


def wait_for_writes(stick: Path) -> None:
    """Until the recorder has begun to write for the third time from now: the power goes in the middle of that."""
    for _ in range(3):
        before_ns = stick.stat().st_mtime_ns
        wait_until(lambda ns=before_ns: stick.stat().st_mtime_ns != ns, "nothing is written", poll_s=0.001)  # type: ignore[misc]


def check_recordings(home: list[Session]) -> None:
    for session in home:
        if session.iso == "ticks.iso":
            assert "tick 00" in (session.path / "serial.log").read_text()
            assert "killed" in (session.path / "FAILURE.txt").read_text()
    found = by_iso(home)
    if login := found.get("login.iso"):
        stages = [event["text"] for event in login.events("harness", "status")]
        assert stages == ["mounted", "kvm_ok", "launching_qemu", "qemu_exited"]
        assert login.manifest["analysis"]["boot_stage_final"] == "login"
        assert (login.manifest["kvm"], login.manifest["accel"]) == ("available", "kvm")
    gone = found["gone.iso"]
    assert (gone.stage, gone.manifest["iso_path"]) == ("iso_not_found", "/ISOs/gone.iso")


def check_file_system(stick: Path, scratch: Path) -> None:
    """Nothing is worse than what the file system's own check repairs; the stick works without that, too."""
    extent = plan_layout(stick.stat().st_size).data
    data = cut(stick, extent.offset_bytes, extent.size_bytes, scratch / "data")
    run("fsck.exfat", "-y", data, accept=(0, 1))
    run("fsck.exfat", "-n", data)
    assert "is intact" in hiperiso("stick", "verify", stick)


def lost_seconds(console: Console, stick: Path, cut_at: float) -> float:
    """How old the last line of serial.log on the stick was when the power was cut.

    The clock of the recording is tied to ours by the stages that the console showed: it showed each a little after the
    time that it reported, so the earliest tie is the best.
    """
    ties = [
        when - float(m[1])
        for when, line in console.lines()
        if (m := re.match(r" +(\d+\.\d)s  [a-z]+  ", line))
    ]
    with open_data_of(stick) as data:
        newest = sessions(data)[-1]
        serial = read(data, f"{newest}/serial.log")
        events = [json.loads(line) for line in read(data, f"{newest}/events.jsonl").splitlines()[:-1]]
    ticks: dict[str, float] = {e["text"]: e["t"] for e in events if e["source"] == "serial"}
    kept = [line for line in serial.decode(errors="replace").splitlines() if _TICK.fullmatch(line)]
    emitted = [line for line in kept if line in ticks][-1]
    print(f"{len(kept)} ticks in serial.log, {kept.index(emitted) + 1} of them in events.jsonl")
    last_s = ticks[emitted] + (len(kept) - 1 - kept.index(emitted)) * TICK_S
    return cut_at - (min(ties) + last_s)


def sessions(data: DataPartition) -> list[str]:
    paths = [
        file.path
        for file in data.walk(LOGS)
        if file.is_folder and file.path.count("/") == LOGS.count("/") + 1
    ]
    return sorted(path.rpartition("/")[2] for path in paths)


def read(data: DataPartition, path: str) -> bytes:
    return b"".join(data.read(f"{LOGS}/{path}"))
