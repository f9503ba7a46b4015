"""``hiperiso-log trace``."""

from __future__ import annotations

import argparse
import math
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import msgspec

from hiperiso.contract import files
from hiperiso.contract.store import atomic_write
from hiperiso.contract.words import TraceLevel
from hiperiso.errors import UsageError
from hiperiso.text import plain
from hiperiso.trace.perfetto import shown_timeline
from hiperiso.trace.show import Query, TraceFile, shown_summary, shown_trace
from hiperiso.trace.where import parse_condition

WRITERS: Final = "hiperiso.trace_writers"
"""The group of entry points for further formats: ``write(trace: TraceFile, path: Path) -> None``."""
_LINES: Final = ("json", "csv", "text", "perfetto")
_FILES: Final = ("parquet", "arrow")
_EXAMPLES: Final = """examples:
  hiperiso-log trace LOG_DIR --summary
  hiperiso-log trace trace.bin --event 'ide_*' --where 'lba >= 16 and nb_sectors > 1'
  hiperiso-log trace trace.log --format json --since 2.5 --until 3
  hiperiso-log trace trace.bin --format parquet --output trace.parquet
  hiperiso-log trace GOOD_DIR --against BAD_DIR
  hiperiso-log trace LOG_DIR --tier full
"""


def add_trace_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    """Add the command to ``hiperiso-log``'s."""
    trace = commands.add_parser(
        "trace",
        parents=[common],
        help="print a QEMU trace, record by record, or what is in it",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    trace.add_argument(
        "file", type=Path, metavar="FILE", help="trace.bin, trace.log, or a session's directory"
    )
    trace.add_argument(
        "--format",
        choices=(*_LINES, *_FILES),
        default="text",
        help="text is as QEMU's simpletrace.py prints it; perfetto is JSON for Perfetto",
    )
    trace.add_argument("--output", type=Path, metavar="FILE", help="where parquet and arrow go")
    trace.add_argument(
        "--event", action="append", default=[], metavar="GLOB", help="only these events; may be given again"
    )
    trace.add_argument(
        "--since", type=seconds, metavar="SECONDS", help="not before, counted from the trace's first record"
    )
    trace.add_argument("--until", type=seconds, metavar="SECONDS", help="not after")
    trace.add_argument(
        "--where", metavar="EXPR", help="only records for which this holds: 'lba >= 16 and method == \"dma\"'"
    )
    trace.add_argument("--summary", action="store_true", help="how many records of which event, and when")
    trace.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="compare with another trace: what is only in one of them, and where they part",
    )
    trace.add_argument(
        "--tier",
        choices=tuple(TraceLevel),
        help="for a session that is being recorded: the tier from now on",
    )
    trace.add_argument(
        "--declarations",
        type=Path,
        metavar="FILE",
        help="QEMU's trace-events-all for this trace (default: trace.formats beside it, else this machine's)",
    )


def seconds(text: str) -> float:
    """A number of seconds on a command line.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def run_trace(arguments: argparse.Namespace) -> None:
    """Run the command.

    Raises:
        UsageError: of the trace, of the command line, or a format that is not installed here.
    """
    query = Query(
        events=arguments.event,
        since_s=arguments.since,
        until_s=arguments.until,
        where=parse_condition(arguments.where) if arguments.where else None,
    )
    form = arguments.format
    if arguments.tier:
        _set_tier(arguments.file, TraceLevel(arguments.tier))
        return
    if arguments.against:
        _compare(arguments, query)
        return
    if form in _FILES and not arguments.summary:
        _write_file(arguments, query)
        return
    if arguments.output:
        raise UsageError(
            "--output is for --format parquet and arrow", hint="other formats go to standard output"
        )
    trace = TraceFile(arguments.file, query, formats=arguments.declarations)
    if arguments.summary:
        chunks = shown_summary(trace.summary(), form)
    else:
        chunks = shown_timeline(trace) if form == "perfetto" else shown_trace(trace, form)
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)


def _set_tier(directory: Path, level: TraceLevel) -> None:
    if not (directory / files.SESSION_JSON).is_file():
        raise UsageError(f"not a session directory: {directory}")
    if (directory / files.SESSION_COMPLETE).exists():
        raise UsageError(f"{directory} is not being recorded any more", hint="--tier changes a running boot")
    atomic_write(directory / files.TRACE_TIER, f"{level}\n".encode())


def _compare(arguments: argparse.Namespace, query: Query) -> None:
    from hiperiso.trace.answers.parting import parting, parting_lines

    if arguments.format not in ("text", "json"):
        raise UsageError("--against is printed as text or json", hint="--format json")
    first = TraceFile(arguments.file, query, formats=arguments.declarations)
    second = TraceFile(arguments.against, query, formats=arguments.declarations)
    found = parting(first, second)
    text = (
        msgspec.json.format(msgspec.json.encode(found), indent=2)
        if arguments.format == "json"
        else "\n".join(map(plain, parting_lines(found))).encode()
    )
    sys.stdout.buffer.write(text + b"\n")


def _write_file(arguments: argparse.Namespace, query: Query) -> None:
    form = arguments.format
    found = next(iter(entry_points(group=WRITERS, name=form)), None)
    if found is None:
        raise UsageError(
            f"--format {form} is not available here", hint="install hiperiso[trace] on a workstation"
        )
    if arguments.output is None:
        raise UsageError(f"--format {form} needs --output FILE")
    found.load()(TraceFile(arguments.file, query, formats=arguments.declarations), arguments.output)
