"""Measures the cost of recording, and the delay of the verdict.

1. Overhead: the same ISO is booted to the same serial line by the recorded QEMU command alone, by that command with
   the serial port alone (no trace, no shared memory, no other channel), and by the recorder, in turn, in one run.
   Compared are, of all rounds, the least wall time from QEMU's start to that line and the least CPU time (user +
   system) spent until then; the recorder's side counts QEMU and the recorder together. Host instruction counters are
   not to be had in most virtual machines; CPU time is what stands for them here. It goes up by a fifth from one boot
   to the next when a neighbour on the same host is busy, and never down: so the least is compared, not the mean.
2. From a login prompt standing in serial.log to the end of ``hiperiso boot``: settle, report and manifest. The same
   from a kernel's panic; once on serial, and once only on the screen, where it is only found in the guest's memory.
3. CPU seconds of ``hiperiso --help``.

``--check`` exits with 1 if a bound is exceeded.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hiperlab.samples.store import build_sample

OVERHEAD_BOUND = 1.05
CHANNELS_BOUND = 1.10
ANSWER_BOUND_S = 1.5
PANIC_BOUND_S = 2.0
HELP_BOUND_S = 0.150
HIPERISO = Path(sys.executable).with_name("hiperiso")
PROMPT = b"login:"
PANIC = b"Kernel panic - not syncing"
PANIC_SERIAL, PANIC_SILENT = "panic-no-root", "panic-no-root-vga"
KERNEL_TIME = re.compile(r"\[ *(\d+\.\d+)\]")
SERIAL_ALONE_LACKS = ("-trace", "-D", "-msg", "-object memory-backend", "-mon", "-device isa-debugcon")
TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Cost:
    """One boot up to the marker."""

    wall_s: float
    cpu_s: float


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--sample", default="debian-installer", help="booted for the overhead")
    parser.add_argument("--marker", default="Select a language", help="how far, on the serial port")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    iso = build_sample(options.sample)
    with tempfile.TemporaryDirectory(prefix="hiperiso-bench-") as folder:
        held = [
            overhead(iso, options.marker.encode(), Path(folder), options.pairs),
            answer(build_sample("login-serial"), Path(folder)),
            panic_answer(build_sample(PANIC_SERIAL), Path(folder)),
            silent_panic_answer(build_sample(PANIC_SILENT), Path(folder)),
            help_cost(),
        ]
    return 1 if options.check and not all(held) else 0


def overhead(iso: Path, marker: bytes, folder: Path, pairs: int) -> bool:
    argv = recorded_argv(iso, folder)
    bare = serial_alone(argv)
    rounds: list[tuple[Cost, Cost, Cost]] = []
    for number in range(pairs):
        alone = boot_alone(argv, marker, folder / f"alone{number}")
        serial = boot_alone(bare, marker, folder / f"serial{number}")
        recorded = boot_recorded(iso, marker, folder / f"logs{number}")
        rounds.append((alone, serial, recorded))
        print(
            f"  round {number + 1}: alone {alone.wall_s:.2f} s wall, {alone.cpu_s:.2f} s CPU; "
            f"serial alone {serial.wall_s:.2f} s wall, {serial.cpu_s:.2f} s CPU; "
            f"recorded {recorded.wall_s:.2f} s wall, {recorded.cpu_s:.2f} s CPU",
            flush=True,
        )
    alone, serial, recorded = (least(column) for column in zip(*rounds, strict=True))
    held = [
        show("recorded / alone, wall", recorded.wall_s / alone.wall_s, OVERHEAD_BOUND),
        show("recorded / alone, CPU", recorded.cpu_s / alone.cpu_s, OVERHEAD_BOUND),
        show("all channels / serial alone, CPU", recorded.cpu_s / serial.cpu_s, CHANNELS_BOUND),
    ]
    return all(held)


def least(costs: Sequence[Cost]) -> Cost:
    """What the boot takes when nothing disturbs it."""
    return Cost(min(cost.wall_s for cost in costs), min(cost.cpu_s for cost in costs))


def recorded_argv(iso: Path, folder: Path) -> list[str]:
    """QEMU's command of a recorded boot, as the session keeps it."""
    session = record(iso, folder / "first", "--trace", "standard")
    return shlex.split((session / "qemu.cmdline").read_text())


def serial_alone(argv: list[str]) -> list[str]:
    """The command without anything that only a recorder reads, but for the serial port."""
    kept: list[str] = argv[:1]
    words = iter(argv[1:])
    for word in words:
        value = next(words, "") if word not in ("-nodefaults", "-no-user-config") else ""
        if any(f"{word} {value}".startswith(option) for option in SERIAL_ALONE_LACKS):
            continue
        kept += [word, *([value.replace(",memory-backend=ram", "")] if value else [])]
    return kept


def boot_alone(argv: list[str], marker: bytes, folder: Path) -> Cost:
    """Run the command by itself, in a directory of its own, until the marker is in its serial log."""
    folder.mkdir()
    session = next(
        Path(word.split("path=")[1].split(",")[0]).parent for word in argv if "/serial.log" in word
    )
    shutil.copy(session / "trace.events", folder)
    began = time.monotonic()
    process = subprocess.Popen(
        [word.replace(str(session), str(folder)) for word in argv], stdin=subprocess.DEVNULL
    )
    try:
        wall_s = wait_for_marker(marker, folder / "serial.log", process, began)
        cpu_s = cpu_seconds(process.pid)
    finally:
        process.kill()
        process.wait()
        remove_ram(argv)
    return Cost(wall_s, cpu_s)


def boot_recorded(iso: Path, marker: bytes, log_root: Path) -> Cost:
    """Record the same boot; the work up to the marker is QEMU's and, since QEMU's start, the recorder's."""
    process = start_recorder(iso, log_root, "--trace", "standard")
    try:
        session = wait_for_session(log_root, process)
        serial = session / "serial.log"
        while not serial.exists():
            time.sleep(0.001)
        wait_for_marker(marker, serial, process, time.monotonic())
        qemu_cpu_s, recorder_cpu_s = cpu_seconds(child_of(process.pid)), cpu_seconds(process.pid)
        process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
        process.wait()
    events = [json.loads(line) for line in (session / "events.jsonl").read_text().splitlines()]
    before_s = next(event["data"]["recorder_cpu_s"] for event in events if event["kind"] == "started")
    seen_s = next(e["t"] for e in events if e["source"] == "serial" and marker.decode() in e["text"])
    return Cost(seen_s, qemu_cpu_s + recorder_cpu_s - before_s)


def answer(iso: Path, folder: Path, runs: int = 5) -> bool:
    """From the prompt standing in serial.log to the end of ``hiperiso boot``, report written."""
    delays = delays_after(PROMPT, iso, folder / "answer", runs)
    return show("prompt to verdict, seconds", statistics.median(delays), ANSWER_BOUND_S)


def panic_answer(iso: Path, folder: Path, runs: int = 5) -> bool:
    """From the panic standing in serial.log to the end of ``hiperiso boot``."""
    delays = delays_after(PANIC, iso, folder / "panic", runs)
    return show("panic on serial to verdict, seconds", statistics.median(delays), PANIC_BOUND_S)


def silent_panic_answer(iso: Path, folder: Path, runs: int = 5) -> bool:
    """From the panic of a kernel without a serial console to the end of the recording.

    The time of the panic is from the guest's clock, mapped to the recorder's by the record with the least delay.
    """
    delays: list[float] = []
    for number in range(runs):
        session = record(iso, folder / f"silent{number}")
        ended_s = time.clock_gettime(time.CLOCK_BOOTTIME) - qemu_launch_uptime_s(session)
        found = kernel_records(session)
        offset_s = min(event_s - kernel_s for event_s, kernel_s, _ in found)
        panic_s = next(kernel_s for _, kernel_s, text in found if PANIC.decode() in text)
        delays.append(ended_s - (panic_s + offset_s))
    return show("silent panic to verdict, seconds", statistics.median(delays), PANIC_BOUND_S)


def delays_after(marker: bytes, iso: Path, log_roots: Path, runs: int) -> list[float]:
    """Seconds from the marker standing in serial.log to the end of the command."""
    delays: list[float] = []
    for number in range(runs):
        log_root = log_roots.with_name(f"{log_roots.name}{number}")
        process = start_recorder(iso, log_root)
        session = wait_for_session(log_root, process)
        while not (session / "serial.log").exists():
            time.sleep(0.001)
        wait_for_marker(marker, session / "serial.log", process, time.monotonic())
        seen = time.monotonic()
        process.communicate(timeout=TIMEOUT_S)
        delays.append(time.monotonic() - seen)
    return delays


def help_cost(runs: int = 9) -> bool:
    costs: list[float] = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([HIPERISO, "--help"], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return show("hiperiso --help, CPU seconds", statistics.median(costs), HELP_BOUND_S)


# ── the parts ──


def kernel_records(session: Path) -> list[tuple[float, float, str]]:
    """Records of the guest's kernel log: when seen, the kernel's own time of it (both in seconds), the text."""
    events = [json.loads(line) for line in (session / "events.jsonl").read_text().splitlines()]
    lines = [
        (event["t"], event["text"])
        for event in events
        if event["source"] == "kernel" and event["kind"] == "line"
    ]
    found = [(t, KERNEL_TIME.match(text), text) for t, text in lines]
    return [(t, float(match[1]), text) for t, match, text in found if match and float(match[1]) > 0]


def qemu_launch_uptime_s(session: Path) -> float:
    rows = [line.split("\t") for line in (session / "timing.dat").read_text().splitlines()]
    return next(float(uptime) for phase, uptime, _ in rows if phase == "qemu_launch")


def record(iso: Path, log_root: Path, *options: str) -> Path:
    process = start_recorder(iso, log_root, *options)
    session = wait_for_session(log_root, process)
    process.communicate(timeout=TIMEOUT_S)
    return session


def start_recorder(iso: Path, log_root: Path, *options: str) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HIPERISO_")}
    return subprocess.Popen(
        [HIPERISO, "boot", iso, "--json", "--accel", "tcg", "--log-root", log_root, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment,
    )


def wait_for_session(log_root: Path, process: subprocess.Popen[bytes]) -> Path:
    while True:
        found = [path for path in log_root.glob("*_*Z") if path.is_dir()]
        if found:
            return found[0]
        if process.poll() is not None:
            raise SystemExit(f"the recorder ended with {process.returncode} before it made a session")
        time.sleep(0.002)


def wait_for_marker(marker: bytes, log: Path, process: subprocess.Popen[bytes], began: float) -> float:
    """Seconds from `began` until the marker stands in `log`; looks every few milliseconds, reads only what is new."""
    tail = b""
    position = 0
    while time.monotonic() - began < TIMEOUT_S:
        if log.exists():
            with log.open("rb") as file:
                file.seek(position)
                data = file.read()
            position += len(data)
            tail = (tail + data)[-4096:]
            if marker in tail:
                return time.monotonic() - began
        if process.poll() is not None:
            break
        time.sleep(0.005)
    raise SystemExit(f"no {marker.decode()!r} in {log}")


def cpu_seconds(pid: int) -> float:
    """User and system time of a running process, all its threads (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def child_of(pid: int) -> int:
    """The QEMU below a recorder."""
    threads = Path(f"/proc/{pid}/task").iterdir()  # the one that started it need not be the first
    children = [child for thread in threads for child in (thread / "children").read_text().split()]
    return next(int(child) for child in children if "qemu" in Path(f"/proc/{child}/comm").read_text())


def remove_ram(argv: list[str]) -> None:
    for word in argv:
        if word.startswith("memory-backend-file"):
            Path(word.rpartition("mem-path=")[2]).unlink(missing_ok=True)


def show(what: str, value: float, bound: float) -> bool:
    held = value <= bound
    print(f"{what:36} {value:7.3f}   bound {bound:g}   {'held' if held else 'NOT HELD'}", flush=True)
    return held


if __name__ == "__main__":
    sys.exit(main())
