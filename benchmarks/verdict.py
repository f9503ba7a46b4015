"""How fast logs are judged: 100 MB of mixed logs, and what a guest may print to make that slow.

One run compares an old revision (from git), this one with its compiled scan, and this one without, each in a process of
its own: user and system time of judging one file, and the most memory. The mixed logs are the recordings of the tests
between kernel messages, units of systemd and init scripts as they are in boots everywhere, with colours and CRLF.
The hostile ones are 20 MB each: openings of sequences, a progress bar that is redrawn, panics, one line, words that
rules begin with and that no rule is satisfied by.

``--check`` ends with 1 when a bound is not held: the mixed logs in at most 1/8 of the old revision's time with the
compiled scan and in 1/3 without; a hostile log at most three times as slow as the mixed ones, a byte; flat memory.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from revisions import ROOT, sources_of

OLD_REVISION = "aac6efa"
MODES = {"compiled": 1 / 8, "plain": 1 / 3}  # each with its bound
HOSTILE_BOUND = 3.0
MEMORY_BOUND_MB = 40.0
MIXED_MB, HOSTILE_MB, OLD_MB = 100, 20, 10
ROUNDS = 3  # the least of each counts
RECORDINGS = ROOT / "tests/hiperiso/analysis"

_OLD = """
import json, resource, sys
from pathlib import Path
from hiperiso.analysis.judge import Judge
from hiperiso.analysis.replay import serial_events
from hiperiso.analysis.verdict import verdict_of
judge = Judge()
judge.feed_all(serial_events(Path(sys.argv[1])))
"""
_NEW = """
import json, resource, sys
if "plain" in sys.argv[2:]:
    sys.modules["hiperiso._literals"] = None
from pathlib import Path
from hiperiso.analysis import anchors
from hiperiso.analysis.judge import Judge
from hiperiso.analysis.logfeed import feed_file
from hiperiso.analysis.verdict import verdict_of
assert anchors.is_compiled() != ("plain" in sys.argv[2:]), "the compiled scan is not built"
judge = Judge()
with Path(sys.argv[1]).open("rb") as file:
    feed_file(judge, "serial.log", file)
"""
_END = """
verdict = verdict_of(judge)
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, verdict.result, verdict.stage]))
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--old", default=OLD_REVISION, metavar="REVISION", help="revision to compare with")
    parser.add_argument("--mb", type=int, default=MIXED_MB, help="size of the mixed logs")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bound is exceeded")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        held = compare(Path(folder), arguments.old, arguments.mb)
    return int(arguments.check and not held)


def compare(folder: Path, revision: str, size_mb: int) -> bool:
    """Measure everything; returns whether all bounds were held."""
    old = sources_of(revision, folder / "old")
    sample, mixed = folder / "sample.log", folder / "mixed.log"
    write(sample, mixed_logs(), OLD_MB)
    write(mixed, mixed_logs(), size_mb)
    runs = [
        (
            judge(old, _OLD, sample)[0] / OLD_MB,
            *(judge(ROOT / "src", _NEW, mixed, mode)[0] / size_mb for mode in MODES),
        )
        for _ in range(ROUNDS)
    ]
    base_s, *modes_s = (min(each) for each in zip(*runs, strict=True))
    print(f"{'old revision':28} {1 / base_s:8.2f} MB/s")
    held = True
    for (mode, bound), each_s in zip(MODES.items(), modes_s, strict=True):
        _, most_mb = judge(ROOT / "src", _NEW, mixed, mode)
        _, least_mb = judge(ROOT / "src", _NEW, sample, mode)
        held &= report(f"mixed logs, {mode}", 1 / each_s, each_s / base_s, bound)
        held &= report(
            f"  memory of {size_mb} MB over {OLD_MB} MB",
            most_mb - least_mb,
            most_mb - least_mb,
            MEMORY_BOUND_MB,
        )
        for name, lines in HOSTILE.items():
            path = folder / "hostile.log"
            write(path, lines(), HOSTILE_MB)
            slow_s = min(judge(ROOT / "src", _NEW, path, mode)[0] for _ in range(2)) / HOSTILE_MB
            held &= report(f"  {name}, {mode}", 1 / slow_s, slow_s / each_s, HOSTILE_BOUND)
    return held


def report(name: str, rate: float, ratio: float, bound: float) -> bool:
    """Print one measurement; returns whether its bound was held."""
    held = ratio <= bound
    print(
        f"{name:28} {rate:8.2f}   ratio {ratio:7.3f}, bound {bound:6.3f}  {'' if held else 'NOT HELD'}",
        flush=True,
    )
    return held


def judge(source: Path, program: str, log: Path, *words: str) -> tuple[float, float]:
    """CPU seconds and MB of memory that one log costs; what starting Python costs is left out."""
    least = min(_cost(source, program, Path("/dev/null"), *words)[0] for _ in range(2))
    seconds, memory_mb = _cost(source, program, log, *words)
    return max(seconds - least, 1e-6), memory_mb


def _cost(source: Path, program: str, log: Path, *words: str) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", program + _END, str(log), *words],
        env={"PYTHONPATH": str(source), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, memory_mb, _, _ = json.loads(done.stdout)
    return float(seconds), float(memory_mb)


def write(path: Path, lines: Iterator[bytes], size_mb: int) -> None:
    """Write lines up to a size."""
    left = size_mb * 1_000_000
    with path.open("wb") as file:
        while left > 0:
            left -= file.write(next(lines))


def mixed_logs() -> Iterator[bytes]:
    """Logs of boots without end."""
    chance = random.Random(1)
    recordings = [path.read_bytes() for path in sorted(RECORDINGS.glob("*/*/serial.log"))]
    while True:
        end = chance.choice((b"\n", b"\r\n"))
        yield end.join(_kernel(chance)) + end
        yield end.join(_systemd(chance) if chance.random() < 0.6 else _scripts(chance)) + end
        yield chance.choice(recordings).rstrip(b"\r\n") + end


def _kernel(chance: random.Random) -> Iterator[bytes]:
    yield b"[    0.000000] Linux version 6.1.0-demo (demo@demo) (gcc 12.2.0) #1 SMP"
    seconds = 0.0
    for number in range(chance.randrange(300, 900)):
        seconds += chance.random() / 50
        bus = f"{chance.randrange(256):02x}:{chance.randrange(32):02x}.0"
        message = chance.choice(
            (
                f"pci 0000:{bus}: [8086:{number:04x}] type 00 class 0x060100",
                f"pci 0000:{bus}: reg 0x10: [mem 0xfe{number:06x}-0xfeffffff 64bit pref]",
                f"BIOS-e820: [mem 0x{number:016x}-0x000000000009fbff] usable",
                f"ACPI: SSDT 0x{number:016X} 0004B2 (v01 DEMO   DEMOTBL  00001000 INTL 20220331)",
                f"usb {number % 9}-1: new high-speed USB device number {number} using xhci_hcd",
                f"input: Demo Keyboard as /devices/pci0000:00/0000:{bus}/input/input{number}",
                f"systemd[1]: Started demo-{number}.service - Demo number {number}.",
                f"EXT4-fs (vda{number % 9}): mounted filesystem with ordered data mode. Quota mode: none.",
                f"demo {bus}: registered as device {number}, irq {number % 64}",
                "random: crng init done",
            )
        )
        yield f"[{seconds:12.6f}] {message}".encode()


def _systemd(chance: random.Random) -> Iterator[bytes]:
    yield b"Welcome to \x1b[1mDemo Linux 1\x1b[0m!"
    for number in range(chance.randrange(60, 200)):
        unit = f"\x1b[0;1;39mdemo-{number}.service\x1b[0m - Demo number {number}"
        word = chance.choice(("Started", "Finished", "Reached target", "Mounted", "Listening on"))
        yield f"[\x1b[0;32m  OK  \x1b[0m] {word} {unit}.".encode()
    yield b"demo login: root"


def _scripts(chance: random.Random) -> Iterator[bytes]:
    for number in range(chance.randrange(40, 120)):
        yield f"Starting demo-{number}: OK".encode()
        yield f"demo-{number}: {chance.randrange(10**6)} of {10**6} items are up to date".encode()


def _sequences() -> Iterator[bytes]:
    while True:
        yield b"\x1b[" * 4096


def _redraws() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield f"\r\x1b[K{number % 101:3d}% [{'#' * (number % 60):60}]".encode()


def _panics() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield f"[{number / 100:12.6f}] Kernel panic - not syncing: Fatal {number}\n".encode()


def _panics_of_one_width() -> Iterator[bytes]:
    for number in count(1_000_000):
        yield f"[{number / 100:12.6f}] Kernel panic - not syncing: Fatal {number}\n".encode()


def _panics_without_stamps() -> Iterator[bytes]:
    for number in count():
        yield f"Kernel panic - not syncing: Fatal exception {number // 8}\n".encode()


def _one_line() -> Iterator[bytes]:
    while True:
        yield b"no end of it, " * 512


def _bait() -> Iterator[bytes]:
    words = (
        b"error: error: error: file `", b"Failed to start ", b"BUG: WARNING: ", b"login: login: ",
        b"Oops: [# Oops: [# ", b"general protection fault", b"[    1.0][    2.0][    3.0]", b"Loading a... b... c... ",
        b"not found not found ", b"Kernel panic - not ", b"root@a root@b root@c ",
        b"could not find the live live live ",
    )  # fmt: skip
    while True:
        for word in words:
            yield word * (4000 // len(word)) + b"\n"


HOSTILE: dict[str, Callable[[], Iterator[bytes]]] = {
    "openings of sequences": _sequences,
    "redraws": _redraws,
    "panics": _panics,
    "panics of one width": _panics_of_one_width,
    "panics without stamps": _panics_without_stamps,
    "one line": _one_line,
    "bait": _bait,
}


if __name__ == "__main__":
    raise SystemExit(main())
