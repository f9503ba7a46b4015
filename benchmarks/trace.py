"""Traces: records a second against QEMU's own ``simpletrace.py``, ``cat`` and a loop of regular expressions.

``trace.py FILE [--scripts DIR]``: FILE is a trace.bin or trace.log, repeated until it has enough records; DIR
is ``scripts`` of QEMU's source (without it: no ratio to its script). All times are CPU time, the least of several
rounds in which all take turns, so that other work on the machine counts little; all numbers are of one run.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from hiperiso.trace.formats import EventFormat, declarations_file, read_formats
from hiperiso.trace.reader import TraceReader, read_pieces
from hiperiso.trace.show import Query, TraceFile
from hiperiso.trace.text import TraceText
from hiperiso.trace.textlog import TextLog, pieces_of_log

SCRIPT_RECORDS = 500_000
LOG_RECORDS = 2_000_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--scripts", type=Path)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.file is None:
        print("left out: name a trace (hiperiso boot --trace full ... makes one)")
        return 0
    declarations = declarations_file(Path(shutil.which("qemu-system-x86_64") or "/usr/share/qemu/qemu"))
    if declarations is None:
        parser.error("QEMU's trace-events-all is not here")
    formats = read_formats(declarations)[0]
    with tempfile.TemporaryDirectory(prefix="trace-bench.") as folder:
        place = Path(folder)
        head, body, count = binary_of(arguments.file, formats)
        large, small = place / "large.bin", place / "small.bin"
        records = repeat(large, head, body, count, arguments.records)
        some = repeat(small, head, body, count, SCRIPT_RECORDS)
        print(f"{records} records, {large.stat().st_size / 1e6:.0f} MB, {count} of them different")
        least = take_turns(
            ways_to_read(large, small, formats, declarations, arguments.scripts), arguments.rounds
        )
        rates = {name: records / least[name] / 1e6 for name in readings(large, formats)}
        for name, rate in rates.items():
            print(f"{name:<28} {rate:8.2f} M records/s  {rate / rates['columns']:6.2f} of the columns' rate")
        cat = large.stat().st_size / least["cat"] / 1e9
        print(
            f"columns against cat          {least['cat'] / least['columns']:8.2f} of its rate ({cat:.1f} GB/s)"
        )
        for name, options in {
            "summary": ["--summary"],
            "text": [],
            "parquet": ["--format", "parquet", "--output", str(place / "memory.parquet")],
        }.items():
            print(f"peak memory, {name:<16}{peak_mb([str(large), *options]):8.0f} MB")
        if arguments.scripts:
            script = some / least["simpletrace.py"] / 1e6
            print(f"simpletrace.py               {script:8.3f} M records/s")
            print(f"  columns {rates['columns'] / script:.0f}x, text {rates['text'] / script:.0f}x")
        text_backend(place, head + body, count, formats)
        parquet(place, large, records)
    return 0


def ways_to_read(
    large: Path, small: Path, formats: dict[str, EventFormat], declarations: Path, scripts: Path | None
) -> dict[str, Callable[[], float]]:
    """What takes how many CPU seconds: ours and ``cat`` with the large file, QEMU's script with the small one."""
    ways: dict[str, Callable[[], float]] = {
        name: partial(spent, run) for name, run in readings(large, formats).items()
    }
    ways["cat"] = partial(children, ["cat", str(large)])
    if scripts:
        argv = [sys.executable, str(scripts / "simpletrace.py"), str(declarations), str(small)]
        ways["simpletrace.py"] = partial(children, argv)
    return ways


def take_turns(ways: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The least of each."""
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, run in ways.items():
            least[name] = min(least[name], run())
    return least


def readings(path: Path, formats: dict[str, EventFormat]) -> dict[str, Callable[[], None]]:
    """Each way to read a file."""

    def all_of(method: str, wanted: Callable[[str], bool] = lambda _: True) -> Callable[[], None]:
        def run() -> None:
            reader = TraceReader(formats, wanted=wanted)
            for _ in read_pieces(path, getattr(reader, method), reader):
                pass

        return run

    return {
        "columns": all_of("batches"),
        "summary": all_of("skim"),
        "one event's columns": all_of("batches", lambda name: name == "ide_atapi_cmd_read"),
        "text": all_of("lines"),
    }


def binary_of(path: Path, formats: dict[str, EventFormat]) -> tuple[bytes, bytes, int]:
    """Header and names, then the records of a trace, as simpletrace 4, and how many."""
    data = path.read_bytes()
    if not data.startswith(b"\xff"):
        data = b"".join(pieces_of_log(path, TextLog(formats, raw=False)))
    head, at = [data[:24]], 24
    body: list[bytes] = []
    while at + 20 <= len(data):
        kind = int.from_bytes(data[at : at + 8], "little")
        size = (
            8 + int.from_bytes(data[at + 24 : at + 28], "little")
            if kind
            else 20 + int.from_bytes(data[at + 16 : at + 20], "little")
        )
        if at + size > len(data):
            break
        (body if kind else head).append(data[at : at + size])
        at += size
    return b"".join(head), b"".join(body), len(body)


def repeat(path: Path, head: bytes, body: bytes, count: int, wanted: int) -> int:
    """Write a file of at least so many records; returns how many."""
    times = -(-wanted // count)
    with path.open("wb") as file:
        file.write(head)
        for _ in range(times):
            file.write(body)
    return times * count


def text_backend(place: Path, trace: bytes, count: int, formats: dict[str, EventFormat]) -> None:
    """A text trace to columns, against a regular expression for each event."""
    path = place / "trace.log"
    lines = TraceText(formats).feed(trace)
    with path.open("wb") as file:
        for _ in range(-(-LOG_RECORDS // count)):
            file.write(lines)
    ours_s = min(
        spent(lambda: sum(batch.count for batch in TraceFile(path, Query()).batches())) for _ in range(3)
    )
    part = path.read_bytes()[: path.stat().st_size // 10]
    theirs_s = spent(lambda: sum(1 for _ in regular(part, formats))) * 10
    rate = -(-LOG_RECORDS // count) * count / ours_s / 1e6
    print(
        f"text backend to columns      {rate:8.2f} M lines/s, {theirs_s / ours_s:.0f}x a loop of regular expressions"
    )


def regular(
    data: bytes, formats: dict[str, EventFormat]
) -> Iterator[tuple[float, int, str, list[int | str]]]:
    """What one writes first."""
    line_of = re.compile(r"(\d+)@(\d+\.\d+):(\w+) (.*)")
    known: dict[str, re.Pattern[str]] = {}
    for line in data.decode().splitlines():
        head = line_of.fullmatch(line)
        form = formats.get(head[3]) if head else None
        if not head or not form:
            continue
        if form.name not in known:
            pattern = re.sub(r"%[-#0 ]*\d*(?:hh|h|ll|l|z)?([diuxpsc])", lambda m: "\0" + m[1], form.template)
            escaped = re.escape(pattern).replace("\\\0", "\0")
            known[form.name] = re.compile(
                re.sub("\0(.)", lambda m: "(.*?)" if m[1] == "s" else r"(\S+?)", escaped)
            )
        match = known[form.name].fullmatch(head[4])
        if match:
            values: list[int | str] = [
                text if kind == "str" else number(text)
                for kind, text in zip(form.kinds, match.groups(), strict=False)
            ]
            yield float(head[2]), int(head[1]), form.name, values


def number(text: str) -> int:
    for base in (0, 16):
        try:
            return int(text, base)
        except ValueError:
            continue
    return 0 if text == "(nil)" else ord(text[0])  # a character


def parquet(place: Path, path: Path, records: int) -> None:
    from hiperlab.trace.columns import write_parquet

    out = place / "trace.parquet"
    took = min(spent(lambda: write_parquet(TraceFile(path, Query()), out)) for _ in range(2))
    print(
        f"Parquet                      {records / took / 1e6:8.2f} M records/s, {out.stat().st_size / 1e6:.0f} MB"
    )


def spent(run: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    began = time.process_time()
    run()
    return time.process_time() - began


def peak_mb(options: list[str]) -> float:
    """The most memory that ``hiperiso-log trace`` has.

    It is started by a small process in between: a child begins with the peak of its parent, and this one has held a
    whole trace.
    """
    argv = [sys.executable, "-m", "hiperiso.analysis.cli", "trace", *options]
    between = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", between, *argv], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def children(argv: list[str]) -> float:
    """CPU seconds of a command."""
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())
