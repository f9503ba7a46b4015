"""The output while an ISO boots: a live ladder on a terminal, plain lines elsewhere, nothing when quiet.

Guest text is data: it is cleaned by the recorder and shown as plain `Text`, never as markup.
"""

# ruff: noqa: D102, ARG002 - the views implement BootObserver, which documents each method
from __future__ import annotations

import re
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hiperiso.contract.events import (
    Event,
    FaultReported,
    IsoRead,
    KernelLine,
    MachinePlanned,
    ProcessBecame,
    ProcessStarted,
    QemuStarted,
    QemuStderr,
    RecordingEnded,
    ScreenText,
    SerialLine,
)
from hiperiso.contract.manifest import Manifest
from hiperiso.contract.words import BootStage, EndReason
from hiperiso.session.request import BootProgress, GuestAccess, SilentObserver, StageSeen
from hiperiso.text import printable

_LADDER = (
    BootStage.FIRMWARE,
    BootStage.BOOTLOADER,
    BootStage.KERNEL,
    BootStage.INITRAMFS,
    BootStage.USERSPACE,
    BootStage.LOGIN,
)
_LAST_LINES = 8
_LAST_TROUBLES = 4
_REFRESH_PER_S = 4
_PREPARING_S = 5.0
_LEAST_LINES = 3
_PANEL_LINES = 10  # stay for what the guest shows, before notes about the machine
_ROOMY_LINES = 18  # a terminal with less gets the ladder on one line, and no notes
_FRAME = re.compile(r"[┌╔╭][─═━ ]|[─═]{4}|\+-{4}")  # the top of a dialog
_FAILURES = frozenset(
    {
        EndReason.PANIC,
        EndReason.BOOT_FAILED,
        EndReason.NO_BOOTABLE_DEVICE,
        EndReason.RESET_LOOP,
        EndReason.STUCK,
        EndReason.PASSPHRASE,
    }
)
_SILENT_S = (
    2.0  # a kernel whose log continues this long after the serial line's last output does not print there
)


class BootView(SilentObserver):
    """Shows nothing; the base of the other two.

    Attributes:
        on_kept: takes over when the guest is left running.
    """

    on_kept: Callable[[Path, Manifest, GuestAccess], None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def kept(self, path: Path, manifest: Manifest, access: GuestAccess) -> None:
        """The verdict is written, and the guest is left running."""
        if self.on_kept:
            self.on_kept(path, manifest, access)


class PlainView(BootView):
    """One line per relevant event, for pipes and logs."""

    def __init__(self) -> None:
        self._shown: set[StageSeen] = set()
        self._troubles: set[str] = set()
        self._waiting = ""
        self._prepared_s = 0.0

    def opened(self, path: Path, manifest: Manifest) -> None:
        _say(f"recording {printable(manifest.iso_path)}")
        _say(f"session   {printable(str(path))}")

    def preparing(self, text: str) -> None:
        if time.monotonic() >= self._prepared_s:
            self._prepared_s = time.monotonic() + _PREPARING_S
            _say(text)

    def running(self, timeout_s: float) -> None:
        _say(f"booting, at most {timeout_s:g} s")

    def served(self, vnc: str) -> None:
        _say(f"screen: VNC at {vnc}")

    def event(self, event: Event) -> None:
        if isinstance(event, MachinePlanned):
            _say(f"{event.data.accel}: {event.data.accel_reason}")
            _say(f"{event.data.firmware}: {event.data.firmware_reason}")
            for note in event.data.notes or ():
                _say(f"note: {note}")
        elif isinstance(event, QemuStderr | FaultReported):
            _say(f"{event.t:8.1f}s  {event.kind}: {event.text}")
        elif isinstance(event, RecordingEnded):
            _say(f"{event.t:8.1f}s  ended: {event.data.detail or event.text}")

    def progress(self, progress: BootProgress) -> None:
        for seen in progress.stages:
            if seen not in self._shown:
                self._shown.add(seen)
                when = "         " if seen.seconds is None else f"{seen.seconds:8.1f}s"
                _say(f"{when}  {seen.stage}  {seen.sign[:100]}")
        for trouble in progress.troubles:
            if trouble not in self._troubles:
                self._troubles.add(trouble)
                _say(f"           trouble: {trouble}")
        waiting = _waiting(progress)
        if waiting.startswith("login at") and waiting != self._waiting:
            self._waiting = waiting
            _say(f"           {waiting}")


class LiveView(BootView):
    """The stage ladder with times, the last lines of the guest, and what is awaited.

    For a guest that is silent on its serial line the kernel's log is shown, read from its memory; for any guest, its
    process and the amount of data read.
    """

    def __init__(self, console: Console) -> None:
        self._progress: BootProgress | None = None
        self._timeout_s = 0.0
        self._started: float | None = None
        self._ended_s: float | None = None
        self._title = ""
        self._notes: list[str] = []
        self._serial: deque[str] = deque(maxlen=_LAST_LINES)
        self._partial = ""
        self._serial_s = float("-inf")
        self._kernel: deque[str] = deque(maxlen=_LAST_LINES)
        self._kernel_s = float("-inf")
        self._process = ""
        self._read_bytes = 0
        self._screen: list[str] = []
        self._activity = "preparing"
        self._failed = False
        self._console = console
        self._live = Live(console=console, refresh_per_second=_REFRESH_PER_S, get_renderable=self._render)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def opened(self, path: Path, manifest: Manifest) -> None:
        self._title = printable(manifest.iso_basename)

    def progress(self, progress: BootProgress) -> None:
        self._progress = progress

    def preparing(self, text: str) -> None:
        self._activity = text

    def running(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._activity = ""

    def event(self, event: Event) -> None:
        match event:
            case QemuStarted():
                self._started = time.monotonic()
            case MachinePlanned():
                self._notes = [
                    f"{event.data.accel}: {event.data.accel_reason}",
                    f"{event.data.firmware}: {event.data.firmware_reason}",
                    *(event.data.notes or ()),
                ]
            case RecordingEnded():
                self._ended_s = event.t
                self._failed = event.text in _FAILURES
                self._activity = f"ended: {event.data.detail or event.text}"
            case SerialLine(partial=False):
                self._serial.append(event.text)
                self._partial, self._serial_s = "", event.t
            case SerialLine():
                self._partial, self._serial_s = event.text, event.t
            case KernelLine():
                self._kernel.append(event.text)
                self._kernel_s = event.t
            case ProcessStarted() | ProcessBecame():
                self._process = event.data.comm or ""
            case IsoRead():
                self._read_bytes += event.data.bytes or 0
            case ScreenText():
                self._screen = [line for line in event.text.splitlines() if line.strip()]

    def served(self, vnc: str) -> None:
        self._notes.insert(0, f"screen: VNC at {vnc}")  # the note that must not be cut

    def finishing(self) -> None:
        self._activity = "writing the report"

    def kept(self, path: Path, manifest: Manifest, access: GuestAccess) -> None:
        self._live.stop()
        super().kept(path, manifest, access)

    def _elapsed_s(self) -> float:
        if self._ended_s is not None:
            return self._ended_s
        return 0.0 if self._started is None else time.monotonic() - self._started

    def _render(self) -> RenderableType:
        low = self._console.height < _ROOMY_LINES
        ladder = self._ladder()
        ladder_lines = ladder.row_count
        if low:
            ladder = _on_a_line(ladder)
            ladder_lines = 1
        silent = self._kernel_s > self._serial_s + _SILENT_S
        troubles = list(self._progress.troubles) if self._progress else []
        panels = [
            (title, lines)
            for title, lines in (
                ("trouble", troubles[-_LAST_TROUBLES:]),
                ("serial", [*self._serial, *([self._partial] if self._partial else [])][-_LAST_LINES:]),
                ("kernel log", list(self._kernel) if silent else []),
                ("screen", self._screen),
            )
            if lines
        ]
        room = self._console.height - 1 - ladder_lines
        head = self._head(0 if low else room - (_PANEL_LINES if panels else 0))
        parts: list[RenderableType] = [head, ladder]
        left = room - len(head.wrap(self._console, self._console.width))
        for (title, lines), rows in zip(
            panels, shares([len(lines) for _, lines in panels], left), strict=True
        ):
            if rows:
                cut = dialog_first(lines, rows) if title == "screen" else lines[-rows:]
                body = Text("\n".join(line[:200] for line in cut), no_wrap=True, overflow="ellipsis")
                parts.append(Panel(body, title=title, title_align="left", border_style="dim"))
        return Group(*parts)

    def _head(self, room: int) -> Text:
        """The first lines: with notes as far as all fits in `room` lines, each cut to one if it must be."""
        waiting = self._activity or (_waiting(self._progress) if self._progress else "")
        bound = f" of at most {self._timeout_s:g} s" if self._timeout_s else ""
        head = Text.assemble(
            (self._title or "hiperiso", "bold"), f"  {self._elapsed_s():.1f} s{bound}  ", (waiting, "cyan")
        )
        does = [f"runs {self._process}"] if self._process else []
        does += [f"has read {self._read_bytes / 1e6:.1f} MB"] if self._read_bytes else []
        hint = ["Ctrl-C ends the boot with a report"] if self._ended_s is None and self._timeout_s else []
        room -= len(head.wrap(self._console, self._console.width)) + len(hint)
        notes = self._fitting([*([", ".join(does)] if does else []), *self._notes], room)
        for note in [*notes, *hint]:
            head.append(f"\n  {note}", style="dim")
        return head

    def _fitting(self, notes: list[str], room: int) -> list[str]:
        width = self._console.width - 2
        if sum(len(Text(note).wrap(self._console, width)) for note in notes) <= room:
            return notes
        return [note if len(note) <= width else f"{note[: width - 1]}…" for note in notes[: max(room, 0)]]

    def _ladder(self) -> Table:
        table = Table.grid(padding=(0, 2))
        if self._progress is None:
            return table
        reached = {seen.stage.rank: (seen.stage, seen.seconds) for seen in self._progress.stages}
        top = max(reached, default=0)
        for stage in _LADDER:
            if stage.rank in reached:
                seen, t = reached[stage.rank]
                when = "" if t is None else f"{t:7.1f} s"
                failed = self._failed and stage.rank == top
                sign = Text("✕", style="red") if failed else Text("●", style="green")
                table.add_row(sign, Text(seen, style="bold red" if failed else "bold"), when)
            elif stage.rank < top:
                table.add_row(Text("–", style="dim"), Text(stage, style="dim"), Text("skipped", style="dim"))
            else:
                table.add_row(Text("○", style="dim"), Text(stage, style="dim"), "")
        return table


def _on_a_line(ladder: Table) -> Table:
    """The rungs of a ladder beside each other, cut where the terminal ends."""
    line = Text(no_wrap=True, overflow="ellipsis")
    for cells in zip(*(column.cells for column in ladder.columns), strict=True):
        for cell in cells:
            text = cell if isinstance(cell, Text) else Text(str(cell).strip())
            line.append_text(text).append(" " if text.plain else "")
        line.append(" ")
    table = Table.grid()
    table.add_row(line)
    return table


def shares(wanted: list[int], height: int) -> list[int]:
    """How many lines each panel shows, so that all with their frames fit in `height`; 0 leaves one out.

    The panels come by worth: each gets what it wants, but three lines stay for each that follows, the last ones first
    without.
    """
    while wanted and height < 3 * len(wanted):
        return [*shares(wanted[:-1], height), 0]
    given: list[int] = []
    for number, lines in enumerate(wanted):
        later = wanted[number + 1 :]
        kept = sum(min(lines_later, _LEAST_LINES) + 2 for lines_later in later)
        given.append(max(1, min(lines, height - 2 - (kept if height - kept >= 3 else 3 * len(later)))))
        height -= given[-1] + 2
    return given


def dialog_first(lines: list[str], rows: int) -> list[str]:
    """The lines of a screen that are shown in `rows`: a dialog from its title on, of any other screen the end."""
    frame = next((n for n, line in enumerate(lines) if _FRAME.search(line)), None)
    if frame is None or len(lines) <= rows:
        return lines[-rows:]
    return lines[frame : frame + rows]


def _waiting(progress: BootProgress) -> str:
    """What is awaited; after a login that is not the end, with its time."""
    words = f"waiting for {progress.waiting_for}"
    last = progress.stages[-1] if progress.stages else None
    if (
        last
        and last.stage is BootStage.LOGIN
        and last.seconds
        and not progress.waiting_for.startswith("the end")
    ):
        return f"login at {last.seconds:.0f} s, {words}"
    return words


def make_view(*, quiet: bool) -> BootView:
    """The view for the type of standard error: progress never mixes with output for programs."""
    if quiet:
        return BootView()
    console = Console(stderr=True)
    return LiveView(console) if console.is_terminal and not console.is_dumb_terminal else PlainView()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
