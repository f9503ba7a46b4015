"""Judges plain logs of any origin: files, standard input, and a serial line live."""

from __future__ import annotations

import os
import select
import stat
import sys
import termios
import time
import tty
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from hiperiso.analysis.expectation import Expectation
from hiperiso.analysis.judge import Judge
from hiperiso.analysis.lineprefix import FirstLines, LinePrefix
from hiperiso.analysis.logfeed import feed_file
from hiperiso.analysis.verdict import Verdict, verdict_of
from hiperiso.contract.eventdata import LineData
from hiperiso.contract.events import SerialLine
from hiperiso.contract.junit import CaseResult, JunitCase, junit_xml
from hiperiso.contract.words import BootResult, EndReason, Fault, FindingKind, LineForm, Severity
from hiperiso.errors import ExitCode, UsageError
from hiperiso.text import TextCleaner, plain

STDIN: Final = "-"
_CHUNK_BYTES: Final = 1 << 16
_QUIET_S: Final = 0.3  # an unfinished line that is unchanged for this long is a prompt
_HELD_QUIET_S: Final = 1.0  # how long the first lines are held back at most while nothing comes
_POLL_S: Final = 0.1
_SHOWN_FINDINGS: Final = 12


@dataclass(frozen=True)
class JudgedLog:
    """One log: its name, what it came to, and the judge, for details."""

    name: str
    verdict: Verdict
    judge: Judge
    seconds: float = 0.0

    @property
    def exit_code(self) -> ExitCode:
        """As of a boot."""
        if self.verdict.fault is Fault.HARNESS:
            return ExitCode.HARNESS_FAULT
        if self.verdict.result is BootResult.SUCCESS:
            return ExitCode.SUCCESS
        return ExitCode.GUEST_FAILED if self.verdict.result is BootResult.FAILURE else ExitCode.INCOMPLETE


def judge_log(name: str, expectation: Expectation | None = None) -> JudgedLog:
    """Judge one file, or standard input for ``-``.

    Raises:
        UsageError: it is not there, or a directory.
        OSError: it cannot be read.
    """
    judge = Judge(expectation or Expectation())
    began = time.monotonic()
    with open_log(name) as file:
        feed_file(judge, "standard input" if name == STDIN else Path(name).name, file)
    return JudgedLog(name, verdict_of(judge), judge, time.monotonic() - began)


@contextmanager
def open_log(name: str) -> Iterator[BinaryIO]:
    """Open a log to read.

    Raises:
        UsageError: it is not there, or a directory.
        OSError: it cannot be read.
    """
    if name == STDIN:
        yield sys.stdin.buffer
        return
    path = Path(name)
    if path.is_dir():
        raise UsageError(f"{path} is a directory", hint=f"`hiperiso-log analyze {path}` judges a session")
    if not path.exists():
        raise UsageError(f"no such file: {path}", hint="`-` reads standard input")
    with open(os.open(path, os.O_RDONLY | os.O_NOCTTY), "rb") as file:  # noqa: PTH123
        yield file


def follow_log(
    name: str, expectation: Expectation | None = None, timeout_s: float | None = None
) -> JudgedLog:
    """Judge a serial line, a pipe or a growing file live, until it is decided or ends.

    A line keeps the speed that was set (``stty -F /dev/ttyUSB0 115200``), and gives what comes as it comes.
    A plain file is read on as it grows.

    Args:
        name: a device, a pipe, a file, or ``-``.
        expectation: what is to be reached.
        timeout_s: how long to wait at most; None for no limit.

    Raises:
        UsageError: it is not there, or a directory.
        OSError: it cannot be read.
    """
    judge = Judge(expectation or Expectation())
    with open_log(name) as file, _raw(file.fileno()):
        reason = _Live(judge, file).run(timeout_s)
    return JudgedLog(name, verdict_of(judge, reason), judge, judge.last_t)


@contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    """A terminal holds back what is not a whole line, and echoes: within, it does not."""
    if not os.isatty(descriptor):
        yield
        return
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


class _Live:
    """Reads one line as it comes."""

    def __init__(self, judge: Judge, file: BinaryIO) -> None:
        self._judge = judge
        self._file = file
        self._cleaner = TextCleaner()
        self._began = time.monotonic()
        self._number = 0
        self._shown = ""
        self._stage = judge.stage
        self._prefix = LinePrefix(judge.attention)
        self._first = FirstLines(self._prefix)
        self._held: list[tuple[str, float]] = []

    def run(self, timeout_s: float | None) -> EndReason | None:
        grows = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
        last = time.monotonic()
        while True:
            now = time.monotonic()
            t = now - self._began
            if self._held and now - last >= _HELD_QUIET_S:
                self._release()
            if (decision := self._judge.decide(t)) and t >= decision.at_s:
                return decision.reason
            if timeout_s is not None and t >= timeout_s:
                self._release()
                return EndReason.TIMEOUT
            data = self._read(grows=grows)
            if data:
                last = now
                self._take(data, t)
            elif data is None and not grows:
                self._end(t)
                return None
            elif (
                now - last >= _QUIET_S
                and self._cleaner.partial.strip()
                and self._cleaner.partial != self._shown
            ):
                self._shown = self._cleaner.partial
                self._release()
                self._feed(self._shown, LineForm.PARTIAL, t)

    def _read(self, *, grows: bool) -> bytes | None:
        """What came, empty for nothing yet, None at the end."""
        descriptor = self._file.fileno()
        if grows:
            data = os.read(descriptor, _CHUNK_BYTES)
            if not data:
                time.sleep(_POLL_S)
            return data
        ready, _, _ = select.select([descriptor], [], [], _POLL_S)
        if not ready:
            return b""
        return os.read(descriptor, _CHUNK_BYTES) or None

    def _take(self, data: bytes, t: float) -> None:
        for row in self._cleaner.feed(data):
            self._first.note(row.text)
            self._held.append((row.text, t))
            self._shown = ""
        if not self._first.holds:
            self._release()

    def _release(self) -> None:
        """Judge the lines that were held back."""
        if self._first.holds:
            self._first.release()
        held, self._held = self._held, []
        for text, t in held:
            self._feed(text, LineForm.LINE, t)

    def _end(self, t: float) -> None:
        self._release()
        for row in self._cleaner.flush():
            self._feed(row.text, LineForm.PARTIAL, t)
            self._feed(row.text, LineForm.LINE, t)

    def _feed(self, text: str, form: LineForm, t: float) -> None:
        if form is LineForm.LINE:
            self._number += 1
        words = self._prefix.strip(text)
        event = SerialLine(n=self._number, t=t, form=form, text=words, data=LineData())
        self._judge.feed(event)
        if self._judge.stage is not self._stage:
            self._stage = self._judge.stage
            print(f"{t:9.1f} s  {self._stage}", file=sys.stderr, flush=True)


def as_text(log: JudgedLog) -> str:
    """The text output."""
    verdict = log.verdict
    rows = [f"{plain(log.name)}: {verdict.result} at {verdict.stage}: {plain(verdict.cause)}"]
    bad = [f for f in log.judge.findings if f.severity is not Severity.INFO]
    for finding in bad[:_SHOWN_FINDINGS]:
        where = next((f"line {e.line}" for e in finding.evidence if e.line is not None), "")
        times = f" ({finding.count} times)" if finding.count > 1 else ""
        rows.append(
            f"  {finding.severity:<8} {finding.kind:<24} {plain(finding.summary)}{times}  {where}".rstrip()
        )
    if len(bad) > _SHOWN_FINDINGS:
        rows.append(f"  and {len(bad) - _SHOWN_FINDINGS} more")
    return "\n".join(rows)


def as_object(log: JudgedLog) -> dict[str, Any]:
    """The JSON output: the words are those of report.json."""
    import msgspec

    verdict, judge = log.verdict, log.judge
    return {
        "file": log.name,
        "boot_result": verdict.result.value,
        "boot_stage_final": verdict.stage.value,
        "failure_domain": verdict.domain.value,
        "fault": verdict.fault.value,
        "cause": verdict.cause,
        "kernel_panic_count": judge.book.count(FindingKind.KERNEL_PANIC),
        "exit_code": int(log.exit_code),
        "stages": [
            {"stage": mark.stage.value, "seconds": mark.seconds, "line": mark.evidence.line}
            for mark in judge.attempt.marks
        ],
        "findings": msgspec.to_builtins(judge.findings),
    }


def as_junit(logs: Iterable[JudgedLog], unread: Iterable[Mapping[str, Any]] = ()) -> str:
    """The JUnit output; `unread` are the rows of logs that could not be read, as `Failures` lists them."""
    results = {
        ExitCode.SUCCESS: CaseResult.PASSED,
        ExitCode.GUEST_FAILED: CaseResult.FAILED,
        ExitCode.INCOMPLETE: CaseResult.SKIPPED,
    }
    return junit_xml(
        "hiperiso log judge",
        [
            JunitCase(
                name=log.name,
                group="log",
                result=results.get(log.exit_code, CaseResult.ERROR),
                seconds=log.seconds,
                message=log.verdict.cause,
                details=as_text(log),
                properties={"stage": log.verdict.stage.value, "domain": log.verdict.domain.value},
            )
            for log in logs
        ]
        + [
            JunitCase(
                name=row["file"],
                group="log",
                result=CaseResult.ERROR,
                seconds=0.0,
                message=row["error"],
                details=row["hint"],
                properties={},
            )
            for row in unread
        ],
    )


def exit_code_of(logs: Iterable[JudgedLog]) -> ExitCode:
    """Of several: a failure counts most, then a fault of ours, then what was not decided."""
    codes = {log.exit_code for log in logs}
    order = (ExitCode.GUEST_FAILED, ExitCode.HARNESS_FAULT, ExitCode.INCOMPLETE)
    return next((code for code in order if code in codes), ExitCode.SUCCESS)
