"""What a person sees while an ISO boots, on a terminal and in a pipe."""

from __future__ import annotations

import io
import re
from itertools import count
from typing import Any

import pytest
from rich.console import Console

from hiperiso.analysis.judge import Judge
from hiperiso.contract.eventlines import event_of
from hiperiso.contract.words import Source
from hiperiso.session.progress import progress_of
from hiperlab.cli.bootview import BootView, LiveView, PlainView, make_view, shares


class Boot:
    """Feeds a judge and a view."""

    def __init__(self, view: BootView) -> None:
        self.view = view
        self.judge = Judge()
        self._numbers = count()
        view.running(300)

    def event(self, t: float, source: Source, kind: str, text: str = "", **data: Any) -> Boot:
        event = event_of(next(self._numbers), t, source, kind, text=text, data=data)
        self.judge.feed(event)
        self.view.progress(progress_of(self.judge))
        self.view.event(event)
        return self


def shown(view: LiveView) -> str:
    """What stands on the terminal."""
    out = io.StringIO()
    Console(file=out, force_terminal=True, width=100, color_system=None).print(view._render())
    return out.getvalue()


def test_a_silent_guest_is_seen_through_its_memory() -> None:
    view = LiveView(Console(file=io.StringIO(), force_terminal=True))
    boot = Boot(view)
    boot.event(0.2, Source.SERIAL, "line", "BdsDxe: starting Boot0001")
    boot.event(4, Source.KERNEL, "line", "[    0.000000] Linux version 6.1.0 (debian)")
    boot.event(5, Source.KERNEL, "line", "[    1.000000] Run /init as init process")
    boot.event(5, Source.DISK, "read", "/live/initrd.img", bytes=25_000_000)
    boot.event(
        6, Source.PROCESS, "started", "udevd (90) started", pid=90, comm="udevd", argv=["udevd"], boot=0
    )
    page = shown(view)
    assert "kernel log" in page
    assert "Run /init as init process" in page
    assert "runs udevd, has read 25.0 MB" in page
    assert re.search(r"● +kernel +4\.0 s", page)


def test_a_guest_that_speaks_is_not_shown_twice() -> None:
    view = LiveView(Console(file=io.StringIO(), force_terminal=True))
    boot = Boot(view)
    for second in range(3, 9):
        boot.event(second, Source.SERIAL, "line", f"[    {second}.000000] a line")
        boot.event(second + 0.3, Source.KERNEL, "line", f"[    {second}.000000] a line")
    assert "kernel log" not in shown(view)


@pytest.mark.parametrize("word", ["[bold red]x[/]", "[/nothing]", ":smile:", "x" * 5000])
def test_words_of_a_guest_are_not_markup(word: str) -> None:
    view = LiveView(Console(file=io.StringIO(), force_terminal=True))
    boot = Boot(view)
    for source, kind in ((Source.SERIAL, "line"), (Source.KERNEL, "line"), (Source.SCREEN, "text")):
        boot.event(9, source, kind, word)
    boot.event(9, Source.PROCESS, "started", word, pid=1, comm=word[:15], argv=[word], boot=0)
    assert word[:15] in shown(view)


def test_a_pipe_gets_the_stages_and_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    boot = Boot(PlainView())
    boot.event(4, Source.KERNEL, "line", "[    0.000000] Linux version 6.1.0 (debian)")
    boot.event(5, Source.PROCESS, "started", "init (1) started", pid=1, comm="init", argv=["x"], root="ext4")
    boot.event(60, Source.HARNESS, "end", "timeout", detail="no answer in 60 s")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "booting, at most 300 s"
    assert "4.0s  kernel" in lines[1]
    assert "5.0s  userspace" in lines[2]
    assert "ended: no answer in 60 s" in lines[3]


@pytest.mark.parametrize("height", [12, 16, 24, 50])
def test_the_view_fits_the_terminal(height: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=height, color_system=None)
    view = LiveView(console)
    boot = Boot(view)
    for n in range(30):
        boot.event(1.0 + n / 100, Source.SERIAL, "line", f"line {n}")
    dialog = ["", "  ┌─────┤ [!] Select a language ├─────┐", *(f"  │ language {n:<26}│" for n in range(20))]
    boot.event(2.0, Source.SCREEN, "text", "\n".join(dialog))
    console.print(view._render())
    lines = out.getvalue().splitlines()
    assert len(lines) < height
    if height >= 24:
        assert any("Select a language" in line for line in lines)


@pytest.mark.parametrize("height", range(40))
def test_panels_share_the_height(height: int) -> None:
    for wanted in ([], [4], [4, 8], [1, 8, 8, 25]):
        given = shares(wanted, height)
        assert len(given) == len(wanted)
        assert sum(rows + 2 for rows in given if rows) <= max(height, 0)
        assert all(rows <= lines for rows, lines in zip(given, wanted, strict=True))


def test_the_stage_at_which_the_boot_failed_is_red_and_others_were_skipped() -> None:
    out = io.StringIO()
    view = LiveView(Console(file=io.StringIO(), force_terminal=True, width=100))
    boot = Boot(view)
    boot.event(1.0, Source.SERIAL, "line", "[    0.000000] Linux version 6.1.0-30-amd64 (x) #1 SMP")
    boot.event(2.0, Source.HARNESS, "end", "panic")
    console = Console(file=out, force_terminal=True, width=100, color_system="standard")
    console.print(view._ladder())
    text = out.getvalue()
    assert "\x1b[31m✕" in text
    assert "skipped" in re.sub(r"\x1b\[[\d;]*m", "", text)


def test_a_low_terminal_has_the_ladder_on_a_line_and_room_for_the_guest() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=12, color_system=None)
    view = LiveView(console)
    boot = Boot(view)
    boot.event(0.0, Source.HARNESS, "plan", accel="tcg", accel_reason="KVM is unusable", firmware="bios")
    for n in range(9):
        boot.event(4.0 + n, Source.SERIAL, "line", f"[    {n}.000000] Linux version 6.1.0 line {n}")
    console.print(view._render())
    lines = out.getvalue().splitlines()
    assert len(lines) < 12
    (ladder,) = (line for line in lines if "kernel  4.0 s" in line or "kernel 4.0 s" in line)
    assert "firmware skipped" in ladder and "initramfs" in ladder
    assert any("line 8" in line for line in lines)
    assert any("Ctrl-C" in line for line in lines)
    assert not any("KVM" in line for line in lines)


def test_the_reason_for_emulation_and_the_address_of_the_screen_stand_there_once() -> None:
    view = LiveView(Console(file=io.StringIO(), force_terminal=True, height=40))
    boot = Boot(view)
    boot.event(0.0, Source.HARNESS, "plan", accel="tcg", accel_reason="KVM is unusable", firmware="bios")
    view.served("127.0.0.1:5901")
    boot.event(1.0, Source.SERIAL, "line", "[    0.000000] Linux version 6.1.0")
    page = shown(view)
    assert page.count("KVM is unusable") == 1
    assert page.count("VNC at 127.0.0.1:5901") == 1
    assert "waiting for" in page


@pytest.mark.parametrize("width", [40, 80])
def test_notes_leave_room_for_the_guest(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, height=24, color_system=None)
    view = LiveView(console)
    boot = Boot(view)
    notes = [
        f"note {n}, which is longer than the lines of a usual terminal: {'words ' * 10}" for n in range(8)
    ]
    boot.event(0.0, Source.HARNESS, "plan", accel="tcg", accel_reason="no KVM", firmware="bios", notes=notes)
    view.served("127.0.0.1:5900")
    for n in range(30):
        boot.event(1.0 + n / 100, Source.SERIAL, "line", f"line {n}")
    console.print(view._render())
    lines = out.getvalue().splitlines()
    assert len(lines) < 24 and any("screen: VNC at 127.0.0.1:5900" in line for line in lines)
    assert sum("line 2" in line for line in lines) >= 7


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(make_view(quiet=False), LiveView)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_view(quiet=False), PlainView)


class Terminal(io.StringIO):
    """A file that says it is one."""

    def isatty(self) -> bool:
        """It is."""
        return True
