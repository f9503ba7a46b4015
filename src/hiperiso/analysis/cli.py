"""``hiperiso-log``: evaluates stored sessions and plain logs.

``judge`` and ``analyze`` exit as the boot came out (`hiperiso.errors.ExitCode`), ``analyze --no-exit-code`` with 0 once
it has evaluated; the others exit 0 on success. 2 is bad usage, 4 is a crash of the program itself.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from bootchain.nearest import nearest
from hiperiso.contract import files
from hiperiso.contract.expected import Expected
from hiperiso.contract.outcome import exit_code_for
from hiperiso.contract.settings import ROWS
from hiperiso.contract.words import BootResult
from hiperiso.errors import ExitCode, HarnessFault, HiperisoError, UsageError
from hiperiso.failures import Failures
from hiperiso.streams import drop_output
from hiperiso.trace.cli import add_trace_command, run_trace, seconds
from hiperiso.version import __version__

if TYPE_CHECKING:
    from hiperiso.analysis.expectation import Expectation
    from hiperiso.analysis.logjudge import JudgedLog
    from hiperiso.contract.report import Report
    from hiperiso.contract.tracereport import TraceReport

_EXAMPLES = """examples:
  hiperiso-log analyze ~/.local/state/hiperiso/logs/debian_20260702T011452Z
  hiperiso-log analyze LOG_DIR --json | jq .analysis
  hiperiso-log analyze LOG_DIR > /dev/null && echo it booted
  hiperiso-log serial serial.log
  hiperiso-log serial serial.log --stages
  hiperiso-log judge board.log
  ssh demo cat console.log | hiperiso-log judge - --json
  hiperiso-log judge --follow /dev/ttyUSB0 --timeout 300 --junit boot.xml
  hiperiso-log explain board.log
  hiperiso-log trace LOG_DIR --summary
"""

_EXIT_CODES = """
exit codes of analyze:
  0  the boot was a success, or --no-exit-code was given
  1  the guest failed
  2  bad usage: no such directory, no session in it, not writable
  3  incomplete: nothing failed, and the goal was not reached
  4  our side failed: the recording, or this program
of a directory that holds logs alone (no session.json): 0 it booted, 1 it did not, as far as they show
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    try:
        return _run(arguments)
    except BrokenPipeError:  # the reader of our output has gone
        drop_output()
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if arguments.debug:
            raise
        drop_output()  # a full disk: what is buffered cannot be written later either
        return _complain(_expected(error))
    return 0


class _Parser(argparse.ArgumentParser):
    """Names the nearest word for one that is not known."""

    def error(self, message: str) -> NoReturn:
        from hiperiso.text import plain

        message = plain(message)  # what was typed is in it
        found = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)$", message)
        near = nearest(found[1][:64], re.findall(r"[\w-]+", found[2])) if found else ""
        super().error(f"{message}; did you mean {near}?" if near else message)


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        prog="hiperiso-log",
        description="Evaluate recorded boots: how far they got, what failed, with the evidence.",
        epilog=_EXAMPLES + _EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hiperiso-log {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    analyze = commands.add_parser(
        "analyze",
        parents=[common],
        help="evaluate a session; write report.json, report.txt and analysis.meta into it",
    )
    analyze.add_argument("log_dir", type=Path, metavar="LOG_DIR")
    analyze.add_argument("--json", action="store_true", help="print report.json instead of the text")
    analyze.add_argument(
        "--no-exit-code",
        action="store_true",
        help="exit 0 once it is evaluated, regardless of the result of the boot",
    )

    serial = commands.add_parser("serial", parents=[common], help="print a serial log as plain text")
    serial.add_argument("file", type=Path, metavar="FILE")
    serial.add_argument("--stages", action="store_true", help="print only the stages that the boot reached")
    serial.add_argument("--json", action="store_true", help="one JSON object a line; with --stages one array")

    _add_judge(
        commands.add_parser(
            "judge", parents=[common], help="evaluate plain logs of any origin; exits like a boot"
        )
    )

    explain = commands.add_parser(
        "explain",
        parents=[common],
        help="show what each rule matched, which decided, and why the others did not",
    )
    explain.add_argument("path", type=Path, metavar="FILE|LOG_DIR")
    explain.add_argument("--json", action="store_true", help="print one JSON object")

    add_trace_command(commands, common)
    return parser


def _add_judge(judge: argparse.ArgumentParser) -> None:
    judge.add_argument("files", nargs="*", metavar="FILE", help="logs; - is standard input")
    judge.add_argument(
        "--follow", metavar="DEVICE|FILE", help="evaluate a serial line or a growing file live"
    )
    judge.add_argument(
        "--timeout", type=seconds, metavar="SECONDS", help="with --follow: how long to wait at most"
    )
    judge.add_argument(
        "--expect", metavar="LIST", help=f"what the boot should reach, the first of: {', '.join(Expected)}"
    )
    judge.add_argument("--expect-text", metavar="REGEX", help="a text that should appear")
    judge.add_argument("--json", action="store_true", help="print a JSON array, an object for each log")
    judge.add_argument("--junit", type=Path, metavar="FILE", help="also write the result as JUnit XML")


def _run(arguments: argparse.Namespace) -> int:
    code = 0
    if arguments.command == "analyze":
        verdict = _analyze(arguments.log_dir, as_json=arguments.json)
        code = 0 if arguments.no_exit_code else int(verdict)
    elif arguments.command == "serial":
        _serial(arguments.file, stages=arguments.stages, as_json=arguments.json)
    elif arguments.command == "explain":
        _explain(arguments.path, as_json=arguments.json)
    elif arguments.command == "judge":
        return _judge(arguments)
    else:
        run_trace(arguments)
    sys.stdout.flush()
    return code


def _judge(arguments: argparse.Namespace) -> int:
    from hiperiso.analysis import logjudge
    from hiperiso.analysis.expectation import Expectation

    if bool(arguments.files) == bool(arguments.follow):
        raise UsageError("name logs to evaluate, or one source with --follow", hint="`-` is standard input")
    if arguments.timeout is not None and not arguments.follow:
        raise UsageError("--timeout is for --follow")
    try:
        re.compile(arguments.expect_text or "")
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"--expect-text: not a regular expression: {error}") from None
    try:
        wanted = ROWS["expect"].kind.parse(arguments.expect or ())
    except ValueError as error:
        raise UsageError(f"--expect: {error}") from None
    expectation = Expectation(wanted, arguments.expect_text)
    failures = Failures(_complain)
    if arguments.follow:
        logs = [logjudge.follow_log(arguments.follow, expectation, arguments.timeout)]
    else:
        logs = []
        for name in arguments.files:
            with failures.of(name):
                logs.append(_judged(name, expectation))
    unread = failures.rows("file")
    if arguments.junit:
        arguments.junit.write_text(logjudge.as_junit(logs, unread), encoding="utf-8")
    if arguments.json:
        objects = [*map(logjudge.as_object, logs), *unread]
        _print(json.dumps(objects, ensure_ascii=False, indent=2))
    else:
        for log in logs:
            _print(logjudge.as_text(log))
    sys.stdout.flush()
    return failures.exit_code or int(logjudge.exit_code_of(logs))


def _judged(name: str, expectation: Expectation) -> JudgedLog:
    from hiperiso.analysis.logjudge import judge_log

    try:
        return judge_log(name, expectation)
    except OSError as error:
        raise _expected(error) from error


def _explain(path: Path, *, as_json: bool) -> None:
    from hiperiso.analysis import explain

    explanation = explain.explain(path)
    if as_json:
        _print(json.dumps(explain.as_object(explanation), ensure_ascii=False, indent=2))
        return
    for line in explain.as_text(explanation):
        _print(line)


def _analyze(path: Path, *, as_json: bool) -> ExitCode:
    """Evaluate a session, write its report, print it; the reader of the output may exit early."""
    import msgspec

    from hiperiso.analysis.html import write_html
    from hiperiso.analysis.replay import replay_dir
    from hiperiso.analysis.report import render_text, write_report

    _read_network(path)
    report = replay_dir(path).report
    try:
        write_report(path, report)
    except OSError as error:
        name = Path(error.filename2 or error.filename or path).name
        raise UsageError(
            f"the report cannot be written into {path}: {name}: {error.strerror}",
            hint="copy the session to a place that may be written; `hiperiso show` prints a report that is there",
        ) from None
    _read_trace(path)
    if answers := _answers(path, report):
        report = msgspec.structs.replace(report, trace=answers)
        write_report(path, report)
    try:
        write_html(path)
    except OSError as error:  # a full disk must not prevent the verdict
        print(f"hiperiso-log: no {files.REPORT_HTML}: {error.strerror}", file=sys.stderr)
    try:
        if as_json:
            _print(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
        else:
            _print(render_text(report).rstrip("\n"))
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
    code = exit_code_for(report.analysis.boot_result, report.analysis.fault, report.end_reason)
    if code is ExitCode.INCOMPLETE and not _is_recorded(path):
        return ExitCode.GUEST_FAILED  # no recorder could have waited longer
    return code


def _is_recorded(path: Path) -> bool:
    """Whether a directory is a session, not logs alone."""
    from hiperiso.contract.stored import StoredSession

    return StoredSession(path).has(files.SESSION_JSON)


def _read_trace(path: Path) -> None:
    """Make disk.json and trace.bin where the recording had no time for them."""
    from hiperiso.observe.disk import write_disk_json
    from hiperiso.trace.binary import make_binary

    try:
        write_disk_json(path)
    except OSError as error:
        print(f"hiperiso-log: no {files.DISK_JSON}: {error.strerror}", file=sys.stderr)
    if not (path / files.SESSION_COMPLETE).is_file():
        return  # the recorder is at it, with a limit of its own
    try:
        make_binary(path, budget_s=float("inf"))
    except OSError as error:
        print(f"hiperiso-log: no {files.TRACE_BIN}: {error.strerror}", file=sys.stderr)


def _read_network(path: Path) -> None:
    """Make network.json where a reader is installed. A stick has none: its sessions get it at collect."""
    if not (path / files.NETWORK_PCAP).is_file():
        return
    import msgspec

    from hiperiso.contract.store import atomic_write

    try:
        from importlib.metadata import entry_points  # the Python of a stick may lack it

        reader = next(iter(entry_points(group="hiperiso.network_readers", name="pcap")), None)
        if reader is None:
            return
        summary = reader.load()(path)
        atomic_write(
            path / files.NETWORK_JSON, msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n"
        )
    except (OSError, ImportError) as error:
        print(f"hiperiso-log: no {files.NETWORK_JSON}: {error}", file=sys.stderr)


def _answers(path: Path, report: Report) -> TraceReport | None:
    from hiperiso.trace.answers import answers_of_session

    if not any((path / name).is_file() for name in (files.TRACE_BIN, files.TRACE_LOG)):
        return None
    success = report.analysis.boot_result is BootResult.SUCCESS
    return answers_of_session(path, phases=report.phases, end_reason=report.end_reason, success=success)


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
    from hiperiso.analysis.logshape import shaped_rows
    from hiperiso.contract.seriallog import serial_events

    judge = Judge()
    judge.feed_all(serial_events(path.name, shaped_rows(path, judge.attention)))
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
