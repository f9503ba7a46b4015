"""A whole stick: made by the commands that a person types, booted, and its recordings brought home by `collect`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hiperlab.debian.packages import Sources
from hiperlab.places import package_cache
from hiperlab.samples.store import build_sample
from integration.contract_reader import read_session
from integration.stick_machine import PERIODIC, Console, Machine, StandsStill
from waiting import DEADLINE_S

from .isos import build_isos

SIZE = "300M"
OPTIONS = f"loglevel=4 panic=-1 no_timer_check {PERIODIC} hiperiso_after=menu,0"
"""An emulated timer is late on a busy machine, which the kernel takes for a broken one."""

# The emulated processor of the tests has one core; firmware and screen are tried out elsewhere.
OVERRIDES = {
    "*": {"cpus": 1, "ram": 256, "firmware": "bios", "display": "none"},
    "emulated*": {"accel": "tcg"},
    # A processor that is emulated and virtualises stands still for seconds at times: what is lost then is not
    # significant.
    "ticks*": {"accel": "tcg"},
    "live*": {"fallback": True},
}
CPU = "max,la57=off"
"""With AMD's virtualisation; walks through five levels of page tables would only cost time."""

MENU_S, STEP_S, INNER_S, END_S = 2 * DEADLINE_S, 4 * DEADLINE_S, 6 * DEADLINE_S, 2 * DEADLINE_S
"""Generous bounds of one way each: to GRUB's menu, to the recorder, to the end of a recording, to power off."""

LIST = "q: Leave"
ATTEMPTS = 3
"""How many machines may be started for one test that needs KVM."""


def hiperiso(*words: str | Path, accept: tuple[int, ...] = (0,), timeout_s: float = 2 * DEADLINE_S) -> str:
    """Run the command; returns what it printed."""
    argv = [sys.executable, "-W", "error", "-m", "hiperlab.cli.main", *map(str, words)]
    done = subprocess.run(argv, capture_output=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode in accept, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout.decode()


@dataclass(frozen=True)
class Session:
    """A recording that came home; its manifest and files were found to be as the contract says."""

    path: Path
    manifest: dict[str, Any]

    @property
    def iso(self) -> str:
        """The name of its ISO."""
        return str(self.manifest["iso_basename"])

    @property
    def stage(self) -> str:
        """Where its lifecycle ended."""
        return str(json.loads((self.path / "status.json").read_text())["stage"])

    def events(self, source: str, kind: str) -> list[dict[str, Any]]:
        """Its events of this kind."""
        lines = (self.path / "events.jsonl").read_text().splitlines()
        return [e for e in map(json.loads, lines) if (e["source"], e["kind"]) == (source, kind)]


def collected(stick: Path, log_root: Path) -> list[Session]:
    """Bring the recordings home; in the order of their names."""
    reported = json.loads(hiperiso("stick", "collect", stick, "--log-root", log_root, "--json"))
    assert [row["problems"] for row in reported["sessions"]] == [[]] * len(reported["sessions"])
    paths = sorted(Path(row["path"]) for row in reported["sessions"])
    return [Session(path, read_session(path)) for path in paths]


def by_iso(sessions: list[Session]) -> dict[str, Session]:
    """The sessions by the name of their ISO; of several the last."""
    return {session.iso: session for session in sessions}


def choose(console: Console, title: str) -> None:
    """Choose an ISO from the recorder's list."""
    console.wait_next("Select the ISO", INNER_S)
    console.wait_next(LIST, END_S)
    rows = [line.strip() for line in console.text.rpartition("Select the ISO")[2].splitlines()]
    number = next(row.partition(")")[0] for row in rows if row.endswith(f") {title}"))
    console.type(f"{number}\r")


def leave(console: Console) -> None:
    """Leave the recorder's list; the machine goes off."""
    console.wait_next(LIST, INNER_S)
    console.type("q\r")
    console.wait_off(END_S)


def started_by(firmware: str) -> Machine:
    """The machine of these tests."""
    return Machine(firmware, memory_mb=1024, cpu=CPU, keep=True)


@pytest.fixture(scope="session")
def sources() -> Sources:
    return Sources(package_cache())


@pytest.fixture(scope="session")
def real_payload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a stick boots, packed quickly."""
    target = tmp_path_factory.mktemp("payload") / "payload"
    hiperiso("payload", "build", "--level", "9", "--out", target)
    return target


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory, real_payload: Path, sources: Sources) -> Path:
    """A stick with ISOs and no recordings."""
    folder = tmp_path_factory.mktemp("whole")
    config = folder / "hiperiso.json"
    config.write_text(json.dumps({"iso_overrides": OVERRIDES}))
    image = folder / "blank.img"
    made = ("stick", "create", image, "--size", SIZE, "--payload", real_payload, "--config", config)
    hiperiso(*made, "--yes", "--no-secure-boot", "--kernel-options", OPTIONS)
    isos = build_isos(folder, sources)
    isos["live"] = build_sample("live-squashfs", folder / "live.iso")
    emulated = folder / "emulated login.iso"
    emulated.hardlink_to(isos["login"])
    hiperiso("stick", "add", image, isos["panic"], isos["ticks"], isos["login"], emulated, isos["live"])
    hiperiso("stick", "verify", image)
    return image


@pytest.fixture
def stick(blank: Path, tmp_path: Path) -> Path:
    """A stick of this test's own."""
    return copied(blank, tmp_path)


def copied(blank: Path, folder: Path) -> Path:
    """A copy of a stick."""
    path = folder / "stick.img"
    subprocess.run(["cp", "--sparse=always", blank, path], check=True)
    return path


def attempted(blank: Path, folder: Path, use: Callable[[Path, Path], None]) -> Path:
    """Use a copy of a stick, in a directory of its own; returns the copy.

    A machine that stands still is dropped with all it did, and another is started: that is a fault of the emulated
    processor (see docs/limits.md). Nothing else is tried again.
    """
    for attempt in range(1, ATTEMPTS + 1):
        scratch = folder / str(attempt)
        scratch.mkdir()
        path = copied(blank, scratch)
        try:
            use(path, scratch)
            break
        except StandsStill as error:
            if attempt == ATTEMPTS:
                raise
            print(f"attempt {attempt} is dropped: {error}")
    return path
