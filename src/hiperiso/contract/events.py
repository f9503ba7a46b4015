"""One line of ``events.jsonl``: one observation of one channel. A class for each source and kind.

::

    {"n": 17, "t": 4.218, "source": "serial", "kind": "line", "text": "[    0.000000] Linux version 6.1.0"}

``t`` is seconds since QEMU started, on the host's monotonic clock; harness events before the start have t <= 0.
``n`` is the number of the line, from 0: the verdict refers to its evidence by it.

``source`` and ``kind`` choose the class; `EVENTS` has all of them, and docs/session-format.md has a table made of
their descriptions. Consumers of events test the class (``isinstance``, ``match``), never the words. An event
of a newer version, or of another tool, is an `UnknownEvent`; a value in ``data`` that does not match its class is
dropped.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal, Self

import msgspec

from hiperiso.contract.eventdata import (
    BlankData,
    ConsoleData,
    CpuData,
    DiskData,
    EndData,
    ExitData,
    FallbackData,
    FaultData,
    HandoverData,
    KernelData,
    KeysData,
    LeftOutData,
    LineData,
    LoadData,
    MenuData,
    OutcomeData,
    PlanData,
    ProcessData,
    ScreenData,
    StartData,
    TpmData,
    TraceData,
)
from hiperiso.contract.words import EndReason, LineForm, Source

OCR_READER: Final = "ocr"
"""``data.reader`` of a text that OCR read from a picture."""

NOT_GIVEN: Final = -1
NOT_YET: Final = float("-inf")


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The base of all events. ``n`` and ``t`` are set by the log that writes the event, unless ``t`` is set already.

    Attributes:
        n: number of the line, from 0; -1 before it is written.
        t: seconds since QEMU started; -inf before it is written.
        text: the observation in words.
        path: a file in the session directory, or empty.
    """

    WORDS: ClassVar[tuple[str, str]] = ("", "")
    """``source`` and ``kind``, as the line has them."""

    n: int = NOT_GIVEN
    t: float = NOT_YET
    text: str = ""
    path: str = ""

    @property
    def source(self) -> str:
        """The channel: a `Source`, or another word for an unknown event."""
        return self.WORDS[0]

    @property
    def kind(self) -> str:
        """What it is among the events of its source."""
        return self.WORDS[1]

    def at(self, n: int, t: float) -> Self:
        """The same event with line number `n` and time `t`."""
        return msgspec.structs.replace(self, n=n, t=t)

    @property
    def values(self) -> dict[str, Any]:
        """``data`` as in the line."""
        return dict(msgspec.to_builtins(getattr(self, "data", {})))


class UnknownEvent(Event, frozen=True, kw_only=True):
    """An event without a class in this version."""

    words: tuple[str, str]
    data: dict[str, Any] = {}

    @property
    def source(self) -> str:
        """The channel, bounded and cleaned."""
        return self.words[0]

    @property
    def kind(self) -> str:
        """What it is among the events of its source, bounded and cleaned."""
        return self.words[1]


# ── text ──


class TextLine(Event, frozen=True, kw_only=True):
    """Text of the guest that came as a line, or as the beginning of one."""

    @property
    def partial(self) -> bool:
        """Whether the line is unfinished."""
        return False


class StreamLine(TextLine, frozen=True, kw_only=True):
    """A line of a log that the guest writes byte by byte."""

    form: LineForm = msgspec.field(default=LineForm.LINE, name="kind")
    data: LineData = LineData()

    @property
    def kind(self) -> str:
        """``line`` or ``partial``."""
        return self.form

    @property
    def partial(self) -> bool:
        """Whether the line is unfinished."""
        return self.form is LineForm.PARTIAL


class SerialLine(StreamLine, frozen=True, kw_only=True, tag="serial", tag_field="source"):
    """``line``: one whole line, cleaned of escape sequences; ``partial``: an unfinished line without further output,
    such as a prompt.

    ``data.offset_bytes`` is its position in serial.log. A partial line may be repeated, longer or finished.
    """

    WORDS: ClassVar = (Source.SERIAL, "")


class FirmwareLine(StreamLine, frozen=True, kw_only=True, tag="firmware", tag_field="source"):
    """The same for firmware.log, the firmware's own log (debug port 0x402); ``data.offset_bytes`` is into that."""

    WORDS: ClassVar = (Source.FIRMWARE, "")


class KernelLine(TextLine, frozen=True, kw_only=True, tag="kernel", tag_field="source"):
    """A line of the guest's own kernel log, from its memory.

    ``data.level``, ``data.facility``, ``data.boot`` (counts kernels), ``data.missed`` (records lost before it).
    """

    WORDS: ClassVar = (Source.KERNEL, "line")
    form: Literal["line"] = msgspec.field(default="line", name="kind")
    data: KernelData = KernelData()


# ── screen ──


class ScreenEvent(Event, frozen=True, kw_only=True):
    """The guest's screen at one moment."""


class ScreenText(ScreenEvent, frozen=True, kw_only=True):
    """A text screen, its rows joined by newlines; ``path`` of the stored text.

    ``data.cols``, ``data.rows``, ``data.decoder`` (``vga_text``: exact, from VGA memory; ``glyphs``: matched from the
    picture; ``console``: the kernel's own copy of its console, where the picture could not be read), ``data.minor``
    when only counters changed, ``data.partial`` when the picture holds more than this text; ``data.reader`` is ``ocr``
    if the text was recognised in a picture (``--ocr``).
    """

    WORDS: ClassVar = (Source.SCREEN, "text")
    data: ConsoleData = ConsoleData()


class ScreenImage(ScreenEvent, frozen=True, kw_only=True):
    """A new scene in a graphics mode (every five seconds at most where it is read as text too).

    ``path`` of the PNG, ``data.width``, ``data.height``.
    """

    WORDS: ClassVar = (Source.SCREEN, "image")
    data: ScreenData = ScreenData()


class ScreenBlank(ScreenEvent, frozen=True, kw_only=True):
    """The screen, in a graphics mode, became blank: one colour and at most a detail, such as a pointer, on it.

    ``data.width``, ``data.height``, ``data.colour`` (``#rrggbb``), ``data.detail`` if there is such a detail: reported
    again when the first appears. What comes after it is shown by the next event.
    """

    WORDS: ClassVar = (Source.SCREEN, "blank")
    data: BlankData = BlankData()


# ── processes ──


class ProcessEvent(Event, frozen=True, kw_only=True):
    """Something about the guest's processes."""


class ProcessChange(ProcessEvent, frozen=True, kw_only=True):
    """A change of one process."""

    data: ProcessData = ProcessData()


class ProcessStarted(ProcessChange, frozen=True, kw_only=True):
    """A process of the guest, seen in its memory.

    ``data.pid``, ``data.ppid``, ``data.comm``, ``data.argv``, ``data.start_s`` (of the guest kernel's clock),
    ``data.state``, ``data.boot`` (counts kernels); of pid 1 ``data.root``, the type of its root file system
    (``rootfs``: an initramfs). Kernel threads, and processes that live for less than a second, are not reported.
    """

    WORDS: ClassVar = (Source.PROCESS, "started")


class ProcessBecame(ProcessChange, frozen=True, kw_only=True):
    """It runs another program, has other arguments or another root; data as above."""

    WORDS: ClassVar = (Source.PROCESS, "became")


class ProcessEnded(ProcessChange, frozen=True, kw_only=True):
    """It is gone; its last data, without ``argv``."""

    WORDS: ClassVar = (Source.PROCESS, "ended")


class ProcessesLeftOut(ProcessEvent, frozen=True, kw_only=True):
    """Many changes at once: ``data.left_out`` of them are not reported one by one."""

    WORDS: ClassVar = (Source.PROCESS, "more")
    data: LeftOutData = LeftOutData()


class ProcessesUnavailable(ProcessEvent, frozen=True, kw_only=True):
    """Why the processes of this kernel cannot be read (for example, no type information)."""

    WORDS: ClassVar = (Source.PROCESS, "unavailable")
    data: LeftOutData = LeftOutData()


# ── QEMU ──


class QemuEvent(Event, frozen=True, kw_only=True):
    """An event of QEMU (``RESET``, ``SHUTDOWN``, ``STOP``, ...): ``text`` is its name; ``data`` as from QEMU."""

    WORDS: ClassVar = (Source.QMP, "event")
    data: dict[str, Any] = {}


class CpuSample(Event, frozen=True, kw_only=True):
    """A sample of a quiet guest, also at the timeout: ``text`` is a summary.

    ``data.cpus`` (a list: ``index``, ``halted``, ``interrupts``, ``user``, ``rip``, ``symbol``), ``data.quiet_s``,
    ``data.read_bytes_s`` and ``data.written_bytes_s`` of its disks since the previous sample, ``data.reading_share``:
    the fraction of that time with reads in progress (summed over several disks).
    """

    WORDS: ClassVar = (Source.QMP, "cpu")
    data: CpuData = CpuData()


# ── hands ──


class HandsEvent(Event, frozen=True, kw_only=True):
    """An event about a boot menu that waits for a user, and the response to it."""


class MenuStands(HandsEvent, frozen=True, kw_only=True):
    """A boot menu or boot prompt is shown: ``text`` is a summary.

    ``data.kind`` (whose it is), ``data.entries``, ``data.chosen`` (number of the highlighted one, from 0),
    ``data.counting_s`` where it counts down, ``data.seen_by`` (``text``, ``shape``, ``configuration``, ``serial``).
    """

    WORDS: ClassVar = (Source.HANDS, "menu")
    data: MenuData = MenuData()


class KeysPressed(HandsEvent, frozen=True, kw_only=True):
    """Keys were pressed: ``text`` is the reason.

    ``data.keys`` in their order, by QEMU's names; ``data.menu``, ``data.entry``; ``data.answers`` is false where they
    only moved to another entry.
    """

    WORDS: ClassVar = (Source.HANDS, "keys")
    data: KeysData = KeysData()


class FallbackConfigured(HandsEvent, frozen=True, kw_only=True):
    """Where its default entry fails, the boot loader goes on with ``data.entries``, by its file ``data.config``."""

    WORDS: ClassVar = (Source.HANDS, "fallback")
    data: FallbackData = FallbackData()


class MenuLeft(HandsEvent, frozen=True, kw_only=True):
    """No further action on a menu: ``text`` is the reason, ``data.outcome`` in a word; ``data.entries`` it has."""

    WORDS: ClassVar = (Source.HANDS, "outcome")
    data: OutcomeData = OutcomeData()


# ── our side ──


class HarnessEvent(Event, frozen=True, kw_only=True):
    """Something that the recorder did or noticed about itself."""


class StageReported(HarnessEvent, frozen=True, kw_only=True):
    """A stage of status.json: ``text`` is its word."""

    WORDS: ClassVar = (Source.HARNESS, "status")


class MachinePlanned(HarnessEvent, frozen=True, kw_only=True):
    """How the machine was chosen, and what the boot was expected to reach.

    ``data.accel`` and ``data.accel_reason``, ``data.firmware`` and ``data.firmware_reason``, ``data.vga``,
    ``data.timeout_s``, ``data.notes``; ``data.expect`` and ``data.expect_text``, null by default.
    """

    WORDS: ClassVar = (Source.HARNESS, "plan")
    data: PlanData = PlanData()


class QemuStarted(HarnessEvent, frozen=True, kw_only=True):
    """QEMU runs; t is 0.

    ``data.wall_s`` is the time of day, in seconds since 1970; ``data.pid`` is QEMU's, ``data.recorder_cpu_s`` the
    processor time of the recorder so far. Early recordings have ``data.expect`` and ``data.expect_text`` here.
    """

    WORDS: ClassVar = (Source.HARNESS, "started")
    data: StartData = StartData()


class HostLoad(HarnessEvent, frozen=True, kw_only=True):
    """How busy the host was: a guest that waits for a processor gets less done in the same time.

    ``data.load`` (of one minute), ``data.cpus`` of the host; as shares of the time since the event before:
    ``data.stolen_share`` (the host is a guest itself, and its processors were given to others),
    ``data.waited_share`` (the guest's busiest vCPU could have run and had no processor), ``data.used_share`` (it ran).
    """

    WORDS: ClassVar = (Source.HARNESS, "load")
    data: LoadData = LoadData()


class QemuStderr(HarnessEvent, frozen=True, kw_only=True):
    """A line that QEMU wrote to standard error."""

    WORDS: ClassVar = (Source.HARNESS, "stderr")


class FaultReported(HarnessEvent, frozen=True, kw_only=True):
    """A harness fault: ``text`` describes it.

    ``data.kind`` is ``storage_full`` or ``bad_image``, missing for others; ``data.hint`` is what to do about it.
    """

    WORDS: ClassVar = (Source.HARNESS, "fault")
    data: FaultData = FaultData()


class HandedOver(HarnessEvent, frozen=True, kw_only=True):
    """A direct boot on a stick: ``text`` is what takes over the machine.

    ``data.way`` (``live``, ``kexec``), ``data.files`` of the ISO, with
    ``live`` ``data.kind`` (``casper``, ``live-boot``, ...), ``data.kernel`` (its release), with ``kexec`` also
    ``data.arguments``, ``data.menu`` (the configuration they are from), ``data.told_by`` (where it is documented how it
    finds the ISO), ``data.notes``; ``data.tried`` are ways that failed before, ``data.not_tried`` the ways that would
    have come next.
    """

    WORDS: ClassVar = (Source.HARNESS, "handover")
    data: HandoverData = HandoverData()


class RecordingEnded(HarnessEvent, frozen=True, kw_only=True):
    """Why the recording ended: ``text`` is a word of ``end_reason``; ``data.detail`` has details.

    ``data.recorder_cpu_s`` is the processor time of the recorder.
    """

    WORDS: ClassVar = (Source.HARNESS, "end")
    data: EndData = EndData()

    @property
    def reason(self) -> EndReason | None:
        """The word as an `EndReason`; None for any other word."""
        return EndReason(self.text) if self.text in set(EndReason) else None


class TpmCompared(HarnessEvent, frozen=True, kw_only=True):
    """The measured boot: the firmware's event log, read from memory and replayed, against the PCRs of the TPM.

    ``data.events`` of the log, ``data.banks``, and PCRs that are ``data.equal``, ``data.different`` (of the firmware),
    or were extended ``data.later`` by the system.
    """

    WORDS: ClassVar = (Source.HARNESS, "tpm")
    data: TpmData = TpmData()


class QemuExited(HarnessEvent, frozen=True, kw_only=True):
    """QEMU is gone: ``data.code`` is its exit code (negative: a signal), ``data.ended_by_us``."""

    WORDS: ClassVar = (Source.HARNESS, "exited")
    data: ExitData = ExitData()


# ── the rest ──


class IsoRead(Event, frozen=True, kw_only=True, tag="disk", tag_field="source"):
    """Reads of the ISO within one second: ``text`` is the path in it, or the kind of area in brackets.

    ``t`` is the time of the last of them, ``data.first_s`` of the first; ``data.place`` as in disk.json, ``data.lba``
    the first sector, ``data.bytes``, ``data.requests``. Of many files in one second the smaller ones share an event
    with ``data.files``.
    """

    WORDS: ClassVar = (Source.DISK, "read")
    form: Literal["read"] = msgspec.field(default="read", name="kind")
    data: DiskData = DiskData()


class TraceEvent(Event, frozen=True, kw_only=True):
    """A change of what is recorded in the trace."""

    data: TraceData = TraceData()


class TraceTier(TraceEvent, frozen=True, kw_only=True):
    """Another tier is in force from now on: ``text`` is the tier, ``data.detail`` why."""

    WORDS: ClassVar = (Source.TRACE, "tier")


class TraceLimited(TraceEvent, frozen=True, kw_only=True):
    """The trace has reached its limit, ``data.bytes``: ``text`` is the part that is kept, ``first`` or ``last``.

    ``data.detail``: why QEMU could not go on in another file.
    """

    WORDS: ClassVar = (Source.TRACE, "limited")


class ChainStep(Event, frozen=True, kw_only=True):
    """One line of the guest's chain.jsonl; ``data`` is that object."""

    WORDS: ClassVar = (Source.CHAIN, "step")
    data: dict[str, Any] = {}


def is_partial(event: Event) -> bool:
    """Whether an event is an unfinished line, whose rest may follow."""
    return isinstance(event, TextLine) and event.partial


EVENTS: Final[tuple[type[Event], ...]] = (
    SerialLine,
    FirmwareLine,
    KernelLine,
    ProcessStarted,
    ProcessBecame,
    ProcessEnded,
    ProcessesLeftOut,
    ProcessesUnavailable,
    ScreenText,
    ScreenImage,
    ScreenBlank,
    QemuEvent,
    CpuSample,
    MenuStands,
    KeysPressed,
    FallbackConfigured,
    MenuLeft,
    StageReported,
    MachinePlanned,
    QemuStarted,
    HostLoad,
    QemuStderr,
    FaultReported,
    HandedOver,
    RecordingEnded,
    TpmCompared,
    QemuExited,
    IsoRead,
    TraceTier,
    TraceLimited,
    ChainStep,
)
"""Every class of a line, in the order of the documentation."""
