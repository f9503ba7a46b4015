"""The running guest: every channel that observes it, and the wait for the verdict.

::

    serial.log ----inotify--> LineChannel --+
    firmware.log --inotify--> LineChannel --+
    QMP socket ---------------> events -----+--> EventLog --> Judge --> decision
    screendump, pmemsave -----> ScreenFeed -+        |
    guest RAM (shared file) --> MemoryFeed -+        |
    vCPUs and disks, if quiet > StallFeed --+        |
    /proc of the host --------> HostLoadFeed +       |
    trace.log ----------------> DiskFeed ---+        |
    pidfd, stderr ------------> process ----+        `--> events.jsonl, live display

`GuestRun.run` ends when the judge has decided, QEMU is gone, time is up, the user interrupts, or a harness fault
occurs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import msgspec

from hiperiso.analysis.judge import Decision, Judge
from hiperiso.contract import files
from hiperiso.contract.eventdata import EndData, ExitData, fault_data
from hiperiso.contract.events import (
    ChainStep,
    Event,
    FaultReported,
    FirmwareLine,
    QemuEvent,
    QemuExited,
    RecordingEnded,
    SerialLine,
)
from hiperiso.contract.words import BootStage, Display, EndReason
from hiperiso.errors import HarnessFault, write_fault
from hiperiso.iso.image import IsoImage
from hiperiso.machine.machine import Machine
from hiperiso.machine.parts.board import Board
from hiperiso.machine.parts.consoles import Consoles
from hiperiso.machine.parts.monitors import Monitors
from hiperiso.machine.parts.screen import Screen
from hiperiso.machine.parts.tpm import Tpm
from hiperiso.machine.qmp import Qmp, QmpEvent, QmpFault
from hiperiso.observe.chain import ChainListener, summary
from hiperiso.observe.screen.reading import PictureReader
from hiperiso.session.directory import SessionDirectory
from hiperiso.session.diskfeed import DiskFeed, disk_feed
from hiperiso.session.eventlog import EventLog, Rank
from hiperiso.session.hostload import HostLoadFeed
from hiperiso.session.interrupt import Interrupt
from hiperiso.session.keeping import NOT_KEPT, Keep, KeptGuest, vnc_address
from hiperiso.session.launch import Launched, recorder_cpu_s
from hiperiso.session.linefeed import LineFeed
from hiperiso.session.memoryfeed import MemoryFeed, open_guest_ram
from hiperiso.session.menufeed import MenuFeed
from hiperiso.session.observer import Observer
from hiperiso.session.process import QemuProcess, exit_fault, start_fault
from hiperiso.session.progress import progress_of
from hiperiso.session.request import BootProgress
from hiperiso.session.runtime import RuntimeFiles
from hiperiso.session.screenfeed import ScreenFeed
from hiperiso.session.spectator import LOOK_S, Spectator
from hiperiso.session.stallfeed import StallFeed
from hiperiso.session.tracefeed import TraceFeed
from hiperiso.session.upkeep import DiskUpkeep, InventoryTaker, IsoWatch
from hiperiso.text import plain

_QUIT_GRACE_S = 5.0
_NOTABLE = 1.05  # of the time limit
_ANSWER_TIMEOUT_S = 60.0  # emulation on a busy machine is slow; an exit of QEMU is noticed at once


@dataclass(frozen=True)
class GuestEnd:
    """How a run ended. ``fault`` is the harness fault in one line, else empty."""

    reason: EndReason
    detail: str
    exit_code: int | None
    fault: str = ""


class GuestRun:
    """One run of one machine, recorded into one session directory."""

    def __init__(
        self,
        machine: Machine,
        directory: SessionDirectory,
        runtime: RuntimeFiles,
        log: EventLog,
        judge: Judge,
        *,
        process: QemuProcess,
        launched: Launched,
        iso: IsoImage,
        timeout_s: float,
        interrupted: Interrupt,
        picture_reader: PictureReader | None = None,
        spectator: Spectator | None = None,
        menus: Callable[[Qmp], MenuFeed | None] = lambda _: None,
        traces: Callable[[Qmp], TraceFeed | None] = lambda _: None,
        on_running: Callable[[], None] = lambda: None,
        on_served: Callable[[str], None] = lambda _: None,
        keep: Keep | None = None,
        on_progress: Callable[[BootProgress], None] = lambda _: None,
    ) -> None:
        self._on_progress = on_progress
        self._progress: BootProgress | None = None
        self._menus_of = menus
        self._traces_of = traces
        self._on_running = on_running
        self._on_served = on_served
        self._keep = keep
        self._vnc = ""
        self._machine = machine
        self._process = process
        self._launched = launched
        self._directory = directory
        self._runtime = runtime
        self._log = log
        self._judge = judge
        self._timeout_s = timeout_s
        self._interrupted = interrupted
        self._picture_reader = picture_reader
        self._spectator = spectator
        self._news = asyncio.Event()
        self._stage = BootStage.UNKNOWN
        self._fault: HarnessFault | None = None
        self._iso = iso
        self._disk: DiskFeed | None = None
        self._chain = ChainListener(self._chain_record)

    async def run(self) -> GuestEnd:
        """Observe, decide, end QEMU.

        Raises:
            HarnessFault: QEMU does not answer.
            OSError: the session directory cannot be written.
        """
        async with AsyncExitStack() as stack:

            def opened(observer: Observer) -> Observer:
                stack.push_async_callback(observer.close)
                return observer

            observers = list(map(opened, self._observers_of_files()))
            qmp = await self._connect(stack)
            observers += map(opened, self._observers_of_the_guest(qmp))
            self._link_monitor(stack)
            self._on_running()
            if (screen := self._machine.find(Screen)) and screen.display is Display.VNC:
                self._vnc = await vnc_address(qmp)
                self._on_served(self._vnc)
            if self._spectator:
                self._spectator.on_running()
            tasks = [asyncio.create_task(work) for observer in observers for work in observer.start()]
            stack.push_async_callback(_cancel, tasks)
            decision = await self._wait_for_answer(self._process)
            await _cancel(tasks)
            return await self._end(self._process, qmp, observers, decision)

    def _observers_of_files(self) -> Iterator[Observer]:
        """The observers of what QEMU writes by itself: they miss nothing, even before QEMU answers."""
        consoles = self._machine.get(Consoles)
        yield LineFeed(consoles.serial_log, SerialLine, self._log)
        yield LineFeed(consoles.firmware_log, FirmwareLine, self._log)
        path, zero_s = self._directory.path, self._launched.wall_zero_s
        self._disk = disk_feed(self._machine, self._iso, zero_s, self._log, path)
        if self._disk:
            yield self._disk

    def _observers_of_the_guest(self, qmp: Qmp) -> Iterator[Observer]:
        """The observers that poll; in the final poll, the first samples the guest undisturbed by the others."""
        path = self._directory.path
        memory = self._memory_feed()
        yield StallFeed(qmp, self._log, memory.functions_at if memory else None)
        if traces := self._traces_of(qmp):
            yield traces
        if menus := self._menus_of(qmp):
            yield menus
            if self._disk:
                self._disk.on_reads = menus.take_reads
        yield ScreenFeed(
            qmp,
            self._log,
            path,
            self._runtime,
            memory.console if memory else None,
            picture_reader=self._picture_reader,
            menus=menus,
        )
        if memory:
            yield memory
        if tpm := self._machine.find(Tpm):
            from hiperiso.session.tpmfeed import TpmFeed  # few guests have one

            yield TpmFeed(tpm, memory.ram if memory else None, self._log, path)
        yield HostLoadFeed(self._log, self._process.pid)
        yield IsoWatch(self._machine.image, self._fail)
        yield DiskUpkeep(self._directory, self._log, self._fail)
        yield InventoryTaker(qmp, path, self._fail)

    async def _connect(self, stack: AsyncExitStack) -> Qmp:
        stack.callback(self._log.subscribe(self._record_chain, Rank.JUDGE))
        self._record_chain(self._launched.event)
        process = self._process
        try:
            qmp = await Qmp.connect(
                self._machine.get(Monitors).qmp,
                on_event=self._qmp_event,
                alive=lambda: not process.exited.is_set(),
                timeout_s=_ANSWER_TIMEOUT_S,
            )
        except QmpFault as fault:
            await process.wait(1.0)
            raise start_fault(process, self._directory.path, fault) from None
        return await stack.enter_async_context(qmp)

    def _memory_feed(self) -> MemoryFeed | None:
        board = self._machine.get(Board)
        ram_path = board.ram_path
        descriptor = open_guest_ram(ram_path, self._process.pid)
        if ram_path:
            ram_path.unlink(missing_ok=True)  # it is open: a crash cannot leave it behind now
        return (
            None
            if descriptor is None
            else MemoryFeed(descriptor, self._log, self._directory.path, board=board.type)
        )

    def _link_monitor(self, stack: AsyncExitStack) -> None:
        link = self._directory.path / files.MONITOR_SOCK
        human = self._machine.get(Monitors).human
        try:
            link.symlink_to(human)
        except OSError:  # FAT and exFAT have no links
            link = self._directory.path / files.MONITOR_PATH
            with contextlib.suppress(OSError):
                link.write_text(f"{human}\n")
        stack.callback(link.unlink, missing_ok=True)

    def _record_chain(self, event: Event) -> None:
        self._news.set()
        self._judge.feed(event)
        self._chain.on_event(event)
        progress, attempt = self._judge.progress, self._judge.attempt
        if self._progress is None or (progress.boots, len(attempt.marks)) != (
            self._progress.boots,
            len(self._progress.stages),
        ):
            self._publish()
        stage = self._judge.stage
        if stage is not self._stage:
            self._stage = stage
            with contextlib.suppress(OSError):  # a full disk is reported by the log
                self._directory.mark(stage.value, sync=False)

    def _publish(self) -> None:
        progress = progress_of(self._judge)
        if progress != self._progress:
            self._progress = progress
            self._on_progress(progress)

    def _chain_record(self, record: dict[str, Any]) -> None:
        self._log.emit(ChainStep(text=plain(summary(record), 300), data=record))
        try:
            with (self._directory.path / files.CHAIN_JSONL).open("ab") as file:
                file.write(msgspec.json.encode(record) + b"\n")
        except OSError as error:
            self._fail(write_fault(f"cannot write {self._directory.path / files.CHAIN_JSONL}", error))

    def _qmp_event(self, event: QmpEvent) -> None:
        self._log.emit(QemuEvent(text=event.name, data=event.data))

    async def _wait_for_answer(self, process: QemuProcess) -> Decision:
        """Sleep until something happens or is due."""
        waits = [
            asyncio.create_task(process.exited.wait()),
            asyncio.create_task(self._interrupted.wait()),
        ]
        try:
            while True:
                self._news.clear()
                now = self._log.now()
                due, decision = self._next(process, now)
                if due <= now:
                    return decision
                news = asyncio.create_task(self._news.wait())
                await asyncio.wait([*waits, news], timeout=due - now, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
        finally:
            for wait in waits:
                wait.cancel()

    def _next(self, process: QemuProcess, now: float) -> tuple[float, Decision]:
        """When the run ends in the current state, and why."""
        if self._log.bug is not None:
            raise self._log.bug
        if self._log.failure is not None:
            path = self._directory.path / files.EVENTS_JSONL
            self._fault = write_fault(f"cannot write {path}", self._log.failure)
        if self._fault:
            return now, Decision(reason=EndReason.HARNESS_FAULT, at_s=now, detail=self._fault.message)
        if self._interrupted.is_set():
            return now, Decision(reason=EndReason.INTERRUPTED, at_s=now, detail="interrupted by the user")
        if process.exited.is_set():
            return now, Decision(reason=EndReason.QEMU_EXITED, at_s=now, detail="QEMU ended by itself")
        late = self._late()
        decision = self._judge.decide(now)
        self._publish()
        first = min((choice for choice in (decision, late) if choice), key=lambda choice: choice.at_s)
        if self._spectator is None:
            return first.at_s, first
        if self._spectator.left:
            left = Decision(
                reason=EndReason.INTERRUPTED, at_s=now, detail="ended by the person at the machine"
            )
            return now, decision or left
        due = self._spectator.due_s(first, off=self._judge.attempt.off is not None)
        return min(due, now + LOOK_S), first

    def _late(self) -> Decision:
        """The end by the time limit: what a busy host took from the guest is added to it."""
        limit_s, at_s = self._timeout_s, self._judge.presence.clock.limit(self._timeout_s)
        more = f", {at_s:.0f} s on this busy host" if at_s > limit_s * _NOTABLE else ""
        return Decision(EndReason.TIMEOUT, at_s, f"no answer in {limit_s:g} s{more}")

    def _fail(self, fault: HarnessFault) -> None:
        self._fault = self._fault or fault
        self._news.set()

    async def _end(
        self, process: QemuProcess, qmp: Qmp, observers: Sequence[Observer], decision: Decision
    ) -> GuestEnd:
        alive = not process.exited.is_set()
        for observer in observers:
            await observer.finish(decision.reason, alive=alive)
        fault = self._fault or (None if alive else exit_fault(process, self._directory.path))
        if fault:
            self._log.emit(FaultReported(text=fault.message, data=fault_data(fault)))
        data = EndData(detail=decision.detail, recorder_cpu_s=recorder_cpu_s())
        self._log.emit(RecordingEnded(text=decision.reason, data=data))
        if self._keep and alive and not fault and decision.reason not in NOT_KEPT:
            for observer in observers:
                await observer.close()
            await self._keep(KeptGuest(qmp, process, self._vnc), decision.reason, decision.detail)
        if not process.exited.is_set():
            with contextlib.suppress(QmpFault):
                await qmp.quit(timeout_s=_QUIT_GRACE_S)
            await process.wait(_QUIT_GRACE_S)
            await process.stop()
        for observer in observers:
            await observer.close()
        self._log.emit(QemuExited(data=ExitData(code=process.exit_code, ended_by_us=alive)))
        text = fault.message if fault else ""
        return GuestEnd(decision.reason, decision.detail, process.exit_code, text)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
