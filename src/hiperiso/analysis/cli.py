"""``hiperiso-log``: the command that judges stored sessions. Exits 0 when the work was done, 2 on bad usage."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hiperiso.contract import files
from hiperiso.errors import HarnessFault, HiperisoError, UsageError
from hiperiso.version import __version__

_EXAMPLES = """examples:
  hiperiso-log analyze ~/.local/state/hiperiso/logs/debian_20260702T011452Z
  hiperiso-log analyze LOG_DIR --json | jq .analysis
  hiperiso-log serial serial.log
  hiperiso-log serial serial.log --stages
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    try:
        _run(arguments)
    except BrokenPipeError:  # the reader of our output has seen enough
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if arguments.debug:
            raise
        return _complain(_expected(error))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hiperiso-log",
        description="Judge recorded boots: how far they got, what failed, with the evidence.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hiperiso-log {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    analyze = commands.add_parser(
        "analyze",
        parents=[common],
        help="judge a session; write report.json, report.txt and analysis.meta into it",
    )
    analyze.add_argument("log_dir", type=Path, metavar="LOG_DIR")
    analyze.add_argument("--json", action="store_true", help="print report.json instead of the text")

    serial = commands.add_parser("serial", parents=[common], help="print a serial log as plain text")
    serial.add_argument("file", type=Path, metavar="FILE")
    serial.add_argument("--stages", action="store_true", help="print only the stages that the boot reached")
    serial.add_argument("--json", action="store_true", help="one JSON object a line; with --stages one array")

    trace = commands.add_parser("trace", parents=[common], help="print a QEMU trace, record by record")
    trace.add_argument("file", type=Path, metavar="FILE")
    trace.add_argument("--format", choices=("json", "csv", "text"), default="text")
    return parser


def _run(arguments: argparse.Namespace) -> None:
    if arguments.command == "analyze":
        _analyze(arguments.log_dir, as_json=arguments.json)
    elif arguments.command == "serial":
        _serial(arguments.file, stages=arguments.stages, as_json=arguments.json)
    else:
        from hiperiso.trace.show import told_trace

        for line in told_trace(arguments.file, arguments.format):
            _print(line)
    sys.stdout.flush()


def _analyze(path: Path, *, as_json: bool) -> None:
    import msgspec

    from hiperiso.analysis.html import write_html
    from hiperiso.analysis.replay import replay_dir
    from hiperiso.analysis.report import render_text, write_report

    replay = replay_dir(path)
    tail = list(replay.judge.serial_tail)
    write_report(path, replay.report, tail)
    _read_trace(path)
    try:
        write_html(path)
    except OSError as error:  # a full disk must not cost the verdict
        print(f"hiperiso-log: no {files.REPORT_HTML}: {error.strerror}", file=sys.stderr)
    if as_json:
        _print(msgspec.json.format(msgspec.json.encode(replay.report), indent=2).decode())
    else:
        _print(render_text(replay.report, tail).rstrip("\n"))


def _read_trace(path: Path) -> None:
    """Make disk.json where the recording had no time for it: a trace that grows fast is read only now."""
    from hiperiso.observe.disk import write_disk_json

    try:
        write_disk_json(path)
    except OSError as error:
        print(f"hiperiso-log: no {files.DISK_JSON}: {error.strerror}", file=sys.stderr)


def _serial(path: Path, *, stages: bool, as_json: bool) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a directory", hint=f"`hiperiso-log analyze {path}` judges a session")
    if not path.is_file():
        raise UsageError(f"no such file: {path}")
    if stages:
        _print_stages(path, as_json=as_json)
        return
    for text, line in _rows(path):
        _print(json.dumps({"line": line, "text": text}, ensure_ascii=False) if as_json else text)


def _rows(path: Path) -> Iterator[tuple[str, int]]:
    from hiperiso.contract.seriallog import clean_lines

    return ((row.text, row.line) for row in clean_lines(path))


def _print_stages(path: Path, *, as_json: bool) -> None:
    from hiperiso.analysis.judge import Judge
    from hiperiso.contract.seriallog import clean_lines, serial_events

    judge = Judge()
    judge.feed_all(serial_events(path.name, clean_lines(path)))
    judge.finish()
    attempts = judge.progress.attempts
    rows = [
        {
            "stage": mark.stage.value,
            "boot": number,
            "line": mark.evidence.line,
            "kernel_s": mark.seconds,
            "text": mark.evidence.text,
        }
        for number, attempt in enumerate(attempts, start=judge.progress.boots - len(attempts) + 1)
        for mark in attempt.marks
    ]
    if as_json:
        _print(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        seconds = "-" if row["kernel_s"] is None else f"{row['kernel_s']:.3f}"
        _print(f"{row['stage']:<11} line {row['line']:>7}  {seconds:>10}  {row['text']}")
    if not rows:
        _print("no stage was recognised")


def _print(text: str) -> None:
    sys.stdout.write(
        text.encode(sys.stdout.encoding or "utf-8", "replace").decode(sys.stdout.encoding or "utf-8") + "\n"
    )


def _complain(error: HiperisoError) -> int:
    from hiperiso.text import plain

    hint = f" ({plain(error.hint)})" if error.hint else ""
    sys.stderr.write(f"hiperiso-log: {plain(error.message)}{hint}\n")
    return int(error.exit_code)


def _expected(error: Exception) -> HiperisoError:
    if isinstance(error, HiperisoError):
        return error
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return UsageError(f"{where}{error.strerror or error}")
    return HarnessFault(
        f"unexpected {type(error).__name__}: {error}", hint="run it again with --debug and report it"
    )


if __name__ == "__main__":
    raise SystemExit(main())
