"""The start of a recording, from its first file to a running QEMU. Nothing here waits, and no event loop is needed.

The artifacts that the contract guarantees are written before anything that can fail. Later failures are
kept: `hiperiso.session.recorder` finalizes the session, whatever the result of its start.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from hiperiso.contract.eventdata import PlanData
from hiperiso.contract.events import MachinePlanned
from hiperiso.contract.hardware import ImageKind
from hiperiso.contract.menupolicy import MenuMode
from hiperiso.contract.secureboot import Trust
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import BootMode, FirmwareKind, LifecycleStage
from hiperiso.errors import HarnessFault, HiperisoError, UsageError
from hiperiso.images.compression import Progress
from hiperiso.images.entry import extract_entry, needs_entry, needs_medium
from hiperiso.images.open import OpenedImage, open_named
from hiperiso.images.replaced import replaced_files
from hiperiso.images.writing import writing_notes
from hiperiso.iso.image import IsoImage
from hiperiso.machine.accelerator import Accelerator, choose_accelerator
from hiperiso.machine.facts import Facts, Place, gather_facts
from hiperiso.machine.part import Preparation
from hiperiso.machine.parts.firmware import decide_firmware
from hiperiso.machine.parts.medium import RamCdrom
from hiperiso.machine.parts.trace import Trace
from hiperiso.machine.plan import MachinePlan, plan_machine
from hiperiso.session.bare import BareSession
from hiperiso.session.child import start_child
from hiperiso.session.directory import SessionDirectory
from hiperiso.session.host import total_ram_mb
from hiperiso.session.launch import Launched, launch_qemu
from hiperiso.session.request import BootObserver, BootRequest, SilentObserver
from hiperiso.session.runtime import RuntimeFiles

if TYPE_CHECKING:
    from hiperiso.session.interrupt import Interrupt  # brings the event loop along

_PROGRESS_S: Final = 0.5

LOST_HINT: Final = "free some space; the session is finalized by the next command that reads the log root"


class Interrupted(Exception):
    """The user ended the boot before QEMU started."""


class RunningGuest(msgspec.Struct, frozen=True):
    """A guest that was just started, its ISO, its time limit, and the event that reported the plan."""

    iso: IsoImage
    plan: MachinePlan
    launched: Launched
    timeout_s: float
    planned: MachinePlanned


class StartedBoot(msgspec.Struct, frozen=True):
    """A started recording.

    Attributes:
        stack: ends processes and removes files of the parts of the machine when the session has ended.
        guest: what runs; where nothing does, the error, or that it was interrupted.
    """

    request: BootRequest
    observer: BootObserver
    runtime: RuntimeFiles
    stack: ExitStack
    directory: SessionDirectory
    session: BareSession
    guest: RunningGuest | HiperisoError | Interrupted


def start_boot(
    request: BootRequest, observer: BootObserver | None = None, interrupted: Interrupt | None = None
) -> StartedBoot:
    """Create the session directory of a boot, and start its QEMU.

    Args:
        request: what to boot, and how.
        observer: receives progress and events.
        interrupted: stops what takes long before QEMU starts (an image that is unpacked).

    Raises:
        HarnessFault: no session directory could be made, or it cannot be written.
    """
    observer = observer or SilentObserver()
    runtime = RuntimeFiles.create()
    with ExitStack() as stack:
        stack.callback(runtime.remove)
        accelerator = choose_accelerator(request.settings)
        directory = SessionDirectory.create(request.log_root, request.iso.name, runtime_token=runtime.token)
        session = _open_session(request, observer, directory, accelerator)
        place = _place(request, runtime, directory)
        guest = _try_launch(
            request,
            Preparation(stack, start_child=start_child),
            place,
            directory,
            session,
            accelerator=accelerator,
            progress=_progress(observer, interrupted),
        )
        return StartedBoot(request, observer, runtime, stack.pop_all(), directory, session, guest)


def _progress(observer: BootObserver, interrupted: Interrupt | None) -> Progress:
    """Passes on what is done to an image before QEMU starts, at most a few times a second."""
    next_s = 0.0

    def progress(text: str) -> None:
        nonlocal next_s
        if interrupted is not None and interrupted.is_set():
            raise Interrupted
        if time.monotonic() >= next_s:
            observer.preparing(text)
            next_s = time.monotonic() + _PROGRESS_S

    return progress


def _place(request: BootRequest, runtime: RuntimeFiles, directory: SessionDirectory) -> Place:
    return Place(
        directory=directory.path,
        private=runtime.base / runtime.token,
        ram_fits=runtime.ram_fits(request.settings.ram_mb),
        screen_socket=request.spectator.socket if request.spectator else None,
    )


def _open_session(
    request: BootRequest, observer: BootObserver, directory: SessionDirectory, accelerator: Accelerator
) -> BareSession:
    facts = {
        "detail": accelerator.kvm_detail,
        "accel": accelerator.accel.value,
        "reason": accelerator.reason,
    }
    session = BareSession(request, directory, observer, kvm=accelerator.kvm_state, kvm_facts=facts)
    try:
        session.begin()
    except OSError as error:
        directory.release()
        raise directory.lost(error, hint=LOST_HINT) from None
    return session


def _try_launch(
    request: BootRequest,
    preparation: Preparation,
    place: Place,
    directory: SessionDirectory,
    session: BareSession,
    *,
    accelerator: Accelerator,
    progress: Progress,
) -> RunningGuest | HiperisoError | Interrupted:
    try:
        return _launch(
            request, preparation, place, directory, session, accelerator=accelerator, progress=progress
        )
    except (HiperisoError, Interrupted) as error:
        return error
    except OSError as error:
        return directory.lost(error)
    except BaseException as bug:  # finalized like any other fault, then re-raised
        session.finalize(session.fault(HarnessFault(f"internal error: {bug!r}")))
        directory.release()
        raise


def _launch(
    request: BootRequest,
    preparation: Preparation,
    place: Place,
    directory: SessionDirectory,
    session: BareSession,
    *,
    accelerator: Accelerator,
    progress: Progress,
) -> RunningGuest:
    accelerator.check()
    settings = request.settings
    opened = _open(request, preparation, directory, session, progress)
    found, iso = opened.recognised, opened.image
    overlay, replaced = replaced_files(settings, opened, place, preparation.stack)
    facts = gather_facts(
        settings,
        accelerator.accel,
        iso.info,
        place,
        host_ram_mb=total_ram_mb(),
        kind=found.kind,
        form=found.format,
    )
    facts = replace(facts, overlay=overlay)
    facts = _with_entry(request, preparation, directory, facts, opened)
    plan = plan_machine(settings, facts)
    copy = plan.machine.find(RamCdrom)
    if overlay or copy:
        session.note(image_file=str(copy.image if copy else overlay))
    plan.machine.prepare(preparation)
    timeout_s = settings.timeout_in_force_s(emulated=accelerator.emulated)
    about = (
        *request.notes,
        found.text,
        *opened.notes,
        *replaced,
        *_loader_notes(settings, iso),
        *writing_notes(found),
    )
    planned = _note_plan(request, session, accelerator, plan, timeout_s=timeout_s, about=about)
    session.reach(LifecycleStage.TCG_EMULATION if accelerator.emulated else LifecycleStage.KVM_OK)
    session.reach(LifecycleStage.LAUNCHING_QEMU)
    launched = launch_qemu(plan.machine, preparation, directory, session.log)
    return RunningGuest(iso, plan, launched, timeout_s, planned)


def _with_entry(
    request: BootRequest,
    preparation: Preparation,
    directory: SessionDirectory,
    facts: Facts,
    opened: OpenedImage,
) -> Facts:
    """The facts with the entry of the boot menu that is started, and whether the system needs its medium."""
    settings, kind, iso = request.settings, opened.recognised.kind, opened.image
    if settings.boot_mode is BootMode.MEMDISK and kind is ImageKind.ISO:
        return replace(facts, needs_medium=needs_medium(iso.tree()))
    if not needs_entry(settings, kind, facts.answers):
        return facts
    efi = decide_firmware(settings, facts).kind is FirmwareKind.UEFI
    try:
        entry = extract_entry(iso.tree(), settings, directory.path, preparation.stack, efi=efi)
    except UsageError:
        seeded = facts.answers is not None and facts.answers.in_initramfs
        changed = settings.append is not None or settings.remove is not None
        if seeded or changed or settings.menu.mode is MenuMode.CHOOSE:
            raise
        return facts  # boot mode grub2: the host's GRUB runs what could not be read
    return replace(facts, entry=entry)


def _loader_notes(settings: Settings, iso: IsoImage) -> list[str]:
    if settings.secure_boot is Trust.OFF:
        return []
    from hiperiso.iso.efiloader import loader_notes  # few boots check signatures

    return loader_notes(iso)


def _open(
    request: BootRequest,
    preparation: Preparation,
    directory: SessionDirectory,
    session: BareSession,
    progress: Progress,
) -> OpenedImage:
    with_kernel = request.settings.kernel is not None
    opened = open_named(request.iso, directory.path, preparation.stack, progress, with_kernel=with_kernel)
    found = opened.recognised
    session.note(
        image_kind=found.kind,
        image_format=found.format,
        image_reason=found.reason,
        image_file=str(opened.image.path),
    )
    return opened


def _note_plan(
    request: BootRequest,
    session: BareSession,
    accelerator: Accelerator,
    plan: MachinePlan,
    *,
    timeout_s: float,
    about: tuple[str, ...],
) -> MachinePlanned:
    session.note(
        accel=accelerator.accel.value,
        accel_reason=accelerator.reason,
        firmware=plan.firmware.kind,
        firmware_reason=plan.firmware.reason,
        timeout_s=timeout_s,
        qemu_version=plan.qemu_version,
    )
    if trace := plan.machine.find(Trace):
        session.note(trace_missing=list(trace.missing), trace_unseen=list(trace.unseen))
    session.write()
    data = PlanData(
        accel=accelerator.accel,
        accel_reason=accelerator.reason,
        firmware=plan.firmware.kind,
        firmware_reason=plan.firmware.reason,
        vga=request.settings.vga,
        timeout_s=timeout_s,
        expect=",".join(request.settings.expect) or None,
        expect_text=request.settings.expect_text,
        notes=[*about, *plan.notes],
    )
    return session.log.emit(MachinePlanned(data=data))
