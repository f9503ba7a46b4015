"""The screen channel: requests the picture from QEMU, passes it to the pure watcher, stores and emits what is new."""

# ruff: noqa: ARG002 - the methods of an Observer have parameters that only some use
from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from hiperiso.contract import files
from hiperiso.contract.eventdata import BlankData, ConsoleData, ScreenData
from hiperiso.contract.events import OCR_READER, Event, ScreenBlank, ScreenImage, ScreenText, SerialLine
from hiperiso.contract.words import EndReason
from hiperiso.drive.look import Look
from hiperiso.machine.qmp import Qmp, QmpFault, QmpRefused
from hiperiso.observe.memory import ConsoleScreen
from hiperiso.observe.screen.reading import PictureReader, ReadingQueue, Scene
from hiperiso.observe.screen.text import TextScreen
from hiperiso.observe.screen.watcher import (
    VGA_MEMORY_ADDRESS,
    VGA_MEMORY_BYTES,
    ScreenObservation,
    ScreenWatcher,
    read_dump,
    wants_vga_memory,
)
from hiperiso.session.eventlog import EventLog, Rank
from hiperiso.session.menufeed import MenuFeed
from hiperiso.session.observer import Work
from hiperiso.session.runtime import RuntimeFiles

POLL_S = 0.5
"""The poll interval of a screen that may be the only active channel."""

CALM_POLL_S = 1.0
"""The poll interval while the serial port is active, nothing is new on the screen, or polling is expensive."""

_STILL_POLL_S = 1.5  # while the serial port is active and nothing is new on the screen
_STILL_GROWTH = 1.5  # of the interval, with each poll that found nothing

_CONSOLE_S = 2.0  # between two reads of the kernel's own copy of a console whose picture cannot be read
_ACTIVE_S = 1.0  # the serial port is active if its last line is younger
_SILENT_S = 3.0  # pictures are read by OCR only then: an active serial port is more precise
_SHARE = 1 / 40  # of one core, at most, for polling

MAX_STORED = 5000
"""Screens stored per session; later ones are still emitted, without a file."""

Console = Callable[[], Awaitable[ConsoleScreen | None]]


class ScreenFeed:
    """Polls the guest's screen while the run lasts: twice a second where it changes, half as often where it is still.

    Args:
        console: the guest kernel's own copy of its text console, for pictures whose font is not known.
        picture_reader: reads pictures without any text that is known otherwise, while the serial port is silent.
        menus: searches every picture for boot menus.
    """

    def __init__(
        self,
        qmp: Qmp,
        log: EventLog,
        directory: Path,
        runtime: RuntimeFiles,
        console: Console | None = None,
        *,
        picture_reader: PictureReader | None = None,
        menus: MenuFeed | None = None,
    ) -> None:
        self._qmp = qmp
        self._log = log
        self._folder = directory / files.SCREEN_DIR
        self._picture = runtime.path("ppm")
        self._memory = runtime.path("vga")
        self._watcher = ScreenWatcher()
        self._stored = 0
        self._busy = asyncio.Lock()
        self._spent_s = 0.0
        self._in_vain = 0  # polls since one that found something
        self._last_output_t = float("-inf")
        self._console = console
        self._console_t = float("-inf")
        self._unread: ScreenObservation | None = None  # the last picture, if it could not be read completely
        self._text = ""
        self._picture_reader = picture_reader
        self._menus = menus
        self._readings = ReadingQueue()
        self._unsubscribe = log.subscribe(self._on_event, Rank.CHANNEL)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, SerialLine):
            self._last_output_t = event.t

    def start(self) -> Sequence[Work]:
        """Poll the screen, and read pictures by OCR that nothing else can read."""
        return self.watch(), self.read_pictures()

    async def finish(self, reason: EndReason, *, alive: bool) -> None:
        """The last screen; if QEMU is gone, what was held back."""
        if alive:
            with contextlib.suppress(QmpFault):
                await self.poll(last=True)
        else:
            for observation in self._watcher.finish(self._log.now()):
                self._emit(observation)

    async def close(self) -> None:
        """Unsubscribe."""
        self._unsubscribe()

    async def watch(self) -> None:
        """Poll until cancelled; returns at once for a machine without a screen."""
        while True:
            try:
                await self.poll()
            except QmpRefused:
                return  # no display adapter
            except QmpFault:
                pass  # QEMU was too busy, or is ending: the next iteration decides
            await asyncio.sleep(self._pause_s())

    def _pause_s(self) -> float:
        speaks = self._log.now() - self._last_output_t < _ACTIVE_S
        least_s, most_s = (CALM_POLL_S, _STILL_POLL_S) if speaks else (POLL_S, CALM_POLL_S)
        still_s = least_s * _STILL_GROWTH ** min(self._in_vain, 3)
        pause_s = min(max(still_s, self._spent_s / _SHARE), most_s)
        wanted_s = self._menus.wants_look_s if self._menus else None
        return pause_s if wanted_s is None else min(pause_s, wanted_s)

    async def poll(self, *, last: bool = False) -> None:
        """Poll once; `last` also emits what was held back.

        Raises:
            QmpFault: QEMU refused, or did not answer.
        """
        async with self._busy:
            t = self._log.now()
            await self._qmp.screendump(self._picture)
            picture = read_dump(self._picture)
            if picture is None:
                return
            memory = None
            if wants_vga_memory(*_size_of(picture)):
                await self._qmp.pmemsave(VGA_MEMORY_ADDRESS, VGA_MEMORY_BYTES, self._memory)
                memory = read_dump(self._memory)
            # In a thread: decoding a whole new picture takes longer than the other channels may wait.
            seen = await asyncio.to_thread(self._observe, t, picture, memory)
            self._in_vain = 0 if seen or self._watcher.holds_back else self._in_vain + 1
            if last:
                seen += self._watcher.finish(t)
            for observation in seen:
                self._emit(observation)
                self._offer(observation)
            if self._menus and self._watcher.steady and self._watcher.picture and not last:
                await self._menus.look(Look(t, self._watcher.picture, self._watcher.screen))
            await self._ask_console(t, last=last)
            if last:
                await self._read_next(last=True)

    async def read_pictures(self) -> None:
        """Read scenes by OCR that nothing else can read, until cancelled."""
        while self._picture_reader is not None:
            await asyncio.sleep(POLL_S)
            if self._log.now() - self._last_output_t >= _SILENT_S:
                await self._read_next()

    def _offer(self, seen: ScreenObservation) -> None:
        if seen.kind == "text":
            self._readings.withdraw()
        elif self._watcher.wordless:
            self._readings.offer(Scene(seen.t, seen.width_px, seen.height_px, seen.png))

    async def _read_next(self, *, last: bool = False) -> None:
        scene = self._readings.take(self._log.now(), last=last)
        if scene is None or self._picture_reader is None:
            return
        began_s = time.monotonic()
        try:
            text = await asyncio.to_thread(self._picture_reader, scene.png)
        except asyncio.CancelledError:
            self._readings.put_back(scene)  # the end of the recording reads it
            raise
        text = self._readings.done(self._log.now(), time.monotonic() - began_s, text)
        if text:
            columns = max(map(len, text.split("\n"))) + 1  # wider than any row: no row continues in the next
            data = ConsoleData(width=scene.width_px, height=scene.height_px, cols=columns, reader=OCR_READER)
            self._keep(ScreenText(t=scene.t, text=text, data=data))

    async def _ask_console(self, t: float, *, last: bool) -> None:
        """If the picture cannot be read, emit what the kernel's copy of its console adds to what was emitted."""
        if self._console is None or not self._watcher.unread:
            return
        if t < self._console_t + _CONSOLE_S and not last:
            return
        self._console_t = t
        screen = await self._console()
        if screen is None or screen.text is None:
            return
        lines = tuple(screen.text.rstrip("\n").split("\n"))
        console = TextScreen(screen.columns, screen.rows, lines, "console")
        for observation in self._watcher.observe_console(t, console):
            self._emit(observation)

    def _observe(self, t: float, picture: bytes, memory: bytes | None) -> list[ScreenObservation]:
        began_s = time.thread_time()
        seen = self._watcher.observe(t, picture, memory)
        self._spent_s = time.thread_time() - began_s
        return seen

    def _emit(self, seen: ScreenObservation) -> None:
        width, height = seen.width_px, seen.height_px
        if seen.kind == "blank":
            blank = BlankData(width=width, height=height, colour=seen.text, detail=seen.detail or None)
            self._log.emit(ScreenBlank(t=seen.t, text=f"blank, {seen.text}", data=blank))
            return
        if seen.kind == "image":
            image = ScreenImage(t=seen.t, text=seen.text, data=ScreenData(width=width, height=height))
            self._keep(image, seen.png)
            return
        data = ConsoleData(
            width=width,
            height=height,
            cols=seen.columns,
            rows=seen.rows,
            decoder=seen.decoder,
            minor=seen.minor,
            partial=seen.partial or None,
        )
        self._keep(ScreenText(t=seen.t, text=seen.text, data=data))

    def _keep(self, event: ScreenText | ScreenImage, png: bytes = b"") -> None:
        is_text = isinstance(event, ScreenText)
        name = f"{self._stored:04}.{'txt' if is_text else 'png'}"
        stored = self._store(name, f"{event.text}\n".encode() if is_text else png)
        path = f"{files.SCREEN_DIR}/{name}" if stored else ""
        self._log.emit(msgspec.structs.replace(event, path=path))

    def _store(self, name: str, content: bytes) -> bool:
        """Store one screen, unless the limit is reached."""
        if self._stored >= MAX_STORED:
            return False
        try:
            self._folder.mkdir(exist_ok=True)
            (self._folder / name).write_bytes(content)
        except OSError:
            return False  # the heartbeat reports a full disk and ends the run
        self._stored += 1
        return True


def _size_of(ppm: bytes) -> tuple[int, int]:
    """Width and height from the header of a binary PPM; (0, 0) for anything else."""
    fields = ppm[:64].split(maxsplit=3)
    if len(fields) < 3 or fields[0] != b"P6" or not (fields[1].isdigit() and fields[2].isdigit()):
        return 0, 0
    return int(fields[1]), int(fields[2])
