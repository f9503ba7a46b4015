"""The bootchain step ``hiperiso``: records the boots of one ISO after the other, then powers off, reboots or continues.

::

    waitdev -> mountfs -> hiperiso
                            data partition writable at /mnt/usb
                            kernel command line, /hiperiso/hiperiso.json -> settings
                            [no ISO named: the list of /ISOs]  <------------------.
                            start_boot, finish_boot -> /hiperiso/logs/<session>/  |
                            [directly: prepared, recorded, closed, then the ISO   |
                            takes over: kexec here, or the chain continues]    |
                            summary on the consoles                               |
                            a key, or hiperiso_after=  -> menu -------------------'
                                                       -> power off, reboot

Modules that most recordings do not need are imported on use: under emulation each one delays the guest.
"""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from bootchain.step import Step
from hiperiso.config.hiperiso_json import HiperisoConfig, config_error, read_bytes, usable_config
from hiperiso.config.menu import MenuList
from hiperiso.contract import files
from hiperiso.contract.settings import Settings
from hiperiso.contract.stick import CONFIG_PATH, DATA_MOUNT, LOG_FOLDER, SUMMARY_NAME
from hiperiso.contract.store import atomic_write
from hiperiso.contract.stored import StoredSession
from hiperiso.contract.words import NoKvm
from hiperiso.errors import HarnessFault, HiperisoError, UsageError
from hiperiso.session.recovery import recover_orphans
from hiperiso.session.request import BootOutcome, BootRequest
from hiperiso.session.start import StartedBoot, start_boot
from hiperiso.stick.console import Consoles, Line, Tone
from hiperiso.stick.direct.cause import Cause, cause_of
from hiperiso.stick.order import (
    AFTER_PARAMETER,
    ON_STICK,
    After,
    Order,
    asked_iso,
    cut_note,
    fit_to_host,
    read_order,
    settings_of,
    usable_order,
    without_machine,
)
from hiperiso.stick.partition import (
    available_mb,
    close_partition,
    expose,
    mute_kernel,
    open_partition,
    prepare_host,
    run,
)
from hiperiso.stick.shown import shown_guest
from hiperiso.stick.view import ConsoleView

if TYPE_CHECKING:
    from hiperiso.stick.direct.boot import HandOver

EFI: Final = Path("/sys/firmware/efi")
"""At the log root: the summary of the last session, which the boot menu shows."""

_KEYS: Final = {
    "p": After.POWEROFF,
    "r": After.REBOOT,
    "m": After.MENU,
    "d": After.DIRECT,
    "h": After.HYPERVISOR,
}
_AGAIN: Final = (After.DIRECT, After.HYPERVISOR)
_WORDS: Final = {
    After.POWEROFF: "power off",
    After.REBOOT: "reboot",
    After.MENU: "menu",
    After.DIRECT: "boot it directly, without a hypervisor",
    After.HYPERVISOR: "boot it under the hypervisor",
}
_MAX_SUMMARY_BYTES = 1 << 20


def main() -> int:
    """Run the step. Does not return on power-off or reboot."""
    step = Step()
    consoles = Consoles.of_this_machine()
    order = Order()
    level = mute_kernel()
    try:
        cmdline = _text(Path("/proc/cmdline"))
        if note := cut_note(cmdline):
            consoles.say(note, Tone.CAUTION)
        order = usable_order(cmdline)
        if not step.prevdir:
            raise UsageError("there is no data partition", hint="the chain is waitdev,mountfs,hiperiso")
        prepare_host()
        open_partition(step.prevdir)
        after = _run(step, _Recorder(DATA_MOUNT, consoles, order), cmdline)
    except (HiperisoError, OSError) as error:
        print_error(consoles, error)
        step.message(str(error))
        after = _ask(consoles, order, refused=After.MENU)
    except Exception as bug:  # a failed step would be retried, and record the same boot again
        print_error(consoles, HarnessFault(f"internal error: {bug!r}"))
        step.message(traceback.format_exc())
        after = _ask(consoles, order, refused=After.MENU)
    if after is None:
        consoles.close()
        mute_kernel(level)
        return 0  # the chain continues with the live system
    consoles.say(f"{_WORDS[after]}: unplug the stick when the machine is off")
    consoles.close()
    leave(after, step.prevdir)
    return 1


def _run(step: Step, recorder: _Recorder, cmdline: str) -> After | None:
    """Process the command line; returns what follows, None where the chain continues with another system.

    Raises:
        HiperisoError: nothing can be recorded, or a loaded kernel does not start.
    """
    result = recorder.run(cmdline)
    if isinstance(result, After):
        return result
    if fault := result.go(step):
        raise fault
    return None


def print_error(consoles: Consoles, error: Exception) -> None:
    """Print an error and its hint."""
    hint = error.hint if isinstance(error, HiperisoError) else ""
    consoles.say(f"hiperiso: {error}", Tone.BAD)
    if hint:
        consoles.say(f"  hint: {hint}")


def leave(after: After, mounted: str) -> None:
    """Release the stick and power off or reboot."""
    close_partition([mounted] if mounted else [])
    run(("reboot" if after is After.REBOOT else "poweroff", "-f"))


class _Recorder:
    """The recordings of one start of the machine."""

    def __init__(self, data: Path, consoles: Consoles, order: Order) -> None:
        self._data = data
        self._consoles = consoles
        self._order = order
        self._may_time_out = True  # only the first list: after a recording it would loop forever
        (data / order.log_root.lstrip("/")).mkdir(parents=True, exist_ok=True)
        self._log_root = expose(data, order.log_root)
        for folder in {order.log_root, LOG_FOLDER}:
            recover_orphans(expose(data, folder))
        self._again: After | None = None

    def run(self, cmdline: str) -> After | HandOver:
        """Record until the user or the command line ends it, or the machine is handed over to an ISO."""
        try:
            self._order = read_order(cmdline)
        except UsageError as error:
            self._refuse(asked_iso(cmdline), error)
            iso, after = "", _ask(self._consoles, self._order)
        else:
            iso, after = self._order.iso, After.MENU
            self._may_time_out = not iso
        while after in (After.MENU, *_AGAIN):
            self._again = None
            try:
                iso = iso or self._choose()
                if not iso:
                    return _ask(self._consoles, self._order, refused=After.MENU)
                if hand_over := self._record(iso, after):
                    return hand_over
            except HiperisoError as error:
                print_error(self._consoles, error)
            after = _ask(self._consoles, self._order, again=self._again)
            iso = iso if after in _AGAIN else ""
        return after

    def _record(self, iso: str, way: After) -> HandOver | None:
        """Boot and record an ISO; returns the hand-over for a direct boot."""
        try:
            settings, origins = settings_of(self._order, iso, self._config())
        except UsageError as error:
            self._refuse(iso, error)
            return None
        if way is After.DIRECT:
            settings = replace(settings, fallback=True)
        elif way is After.HYPERVISOR:
            settings = replace(settings, fallback=False, no_kvm=NoKvm.EMULATE)
        self._again = After.DIRECT
        if cause := cause_of(settings):
            self._again = After.HYPERVISOR
            return self._boot_directly(iso, settings, origins, cause)
        settings, notes = fit_to_host(settings, available_mb(), len(os.sched_getaffinity(0)))
        for note in notes:
            self._consoles.say(f"note: {note}", Tone.CAUTION)
        with shown_guest(settings, self._consoles.say, grace_s=self._order.wait_s) as shown:
            request = BootRequest(
                iso=expose(self._data, iso),
                log_root=self._log_root,
                settings=shown.settings,
                origins=origins,
                spectator=shown.spectator,
                hashed=False,
            )
            outcome = _finish(start_boot(request, ConsoleView(self._consoles)))
        self._end(outcome)
        return None

    def _boot_directly(
        self, iso: str, settings: Settings, origins: dict[str, str], cause: Cause
    ) -> HandOver | None:
        from hiperiso.stick.direct.boot import boot_directly
        from hiperiso.stick.direct.loopboot import partition_as_kernels_name_it
        from hiperiso.stick.direct.plan import DirectFacts

        request = BootRequest(
            iso=expose(self._data, iso), log_root=self._log_root, settings=settings, origins=origins
        )
        facts = DirectFacts(
            iso_path=iso,
            iso_device=partition_as_kernels_name_it(os.environ.get("WAITDEV0", "")),
            way=settings.direct,
            efi=EFI.is_dir(),
        )
        if lost := without_machine(settings):
            self._consoles.say(f"note: a direct boot has no virtual machine: no {', '.join(lost)}")
        outcome, hand_over = boot_directly(
            request, facts, cause, observer=ConsoleView(self._consoles), say=self._consoles.say
        )
        self._end(outcome)
        return hand_over

    def _refuse(self, iso: str, error: HiperisoError) -> None:
        """Record a request that cannot be carried out; not possible without an ISO."""
        if not iso:
            print_error(self._consoles, error)
            return
        from hiperiso.session.bare import record_refusal

        request = BootRequest(iso=Path(iso), log_root=self._log_root, settings=Settings())
        self._end(record_refusal(request, error, ConsoleView(self._consoles)))

    def _end(self, outcome: BootOutcome) -> None:
        self._keep_summary(outcome)
        if outcome.error is not None:
            print_error(self._consoles, outcome.error)
        os.sync()

    def _config(self) -> HiperisoConfig | None:
        """hiperiso.json. What is wrong in it is printed and left out, so that it does not prevent booting."""
        path = self._data / CONFIG_PATH.lstrip("/")
        if not path.exists():
            return None
        try:
            config, errors = usable_config(read_bytes(path), str(path), ON_STICK)
        except UsageError as error:
            print_error(self._consoles, error)
            return None
        if errors:
            print_error(self._consoles, config_error(str(path), errors))
        return config

    def _keep_summary(self, outcome: BootOutcome) -> None:
        name = files.REPORT_TXT if (outcome.path / files.REPORT_TXT).exists() else files.FAILURE_TXT
        summary = _text(outcome.path / name)
        if summary:
            try:
                atomic_write(self._log_root / SUMMARY_NAME, os.fsencode(summary))
            except OSError as error:  # the recording itself is complete
                self._consoles.say(f"note: the boot menu cannot show this summary: {error.strerror}")
        manifest = outcome.manifest
        end = f"{manifest.status}: {manifest.result}, recorded in {outcome.path}"
        self._consoles.show([Line(""), *self._shown(outcome.path, summary), Line("")])
        self._consoles.say(end)

    def _shown(self, path: Path, summary: str) -> list[Line]:
        report = StoredSession(path).report
        if report is None:
            return [Line(text) for text in summary.split("\n")]
        from hiperiso.stick.summary import summary_of

        return summary_of(report)

    def _choose(self) -> str:
        """The chosen ISO of the stick, or ``""``."""
        from hiperiso.stick.choice import choose_iso

        config = self._config()
        may_time_out, self._may_time_out = self._may_time_out, False
        return choose_iso(
            self._data,
            config.menu if config else MenuList(),
            consoles=self._consoles,
            may_time_out=may_time_out,
        )


def _ask(
    consoles: Consoles, order: Order, *, refused: After | None = None, again: After | None = None
) -> After:
    """What follows: the choice by key, else that of the command line; `refused` is not offered.

    `again`: how the last ISO can be booted again.
    """
    offered = [after for after in After if after is not refused and (after not in _AGAIN or after is again)]
    keys = {key: after for key, after in _KEYS.items() if after in offered}
    default = order.after if order.after is not refused else After.POWEROFF
    if order.wait_s <= 0:
        return default
    offer = ", ".join(f"{key}: {_WORDS[after]}" for key, after in keys.items())
    consoles.say(f"{offer}; {_WORDS[default]} in {order.wait_s:g} s ({AFTER_PARAMETER})")
    return keys.get(consoles.key("".join(keys), order.wait_s), default)


def _finish(started: StartedBoot) -> BootOutcome:
    """The observers of a guest are imported while QEMU starts."""
    import asyncio

    from hiperiso.session.interrupt import interrupted_by_signals
    from hiperiso.session.recorder import finish_boot

    async def finish() -> BootOutcome:
        with interrupted_by_signals() as interrupted:
            return await finish_boot(started, interrupted)

    return asyncio.run(finish())


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_SUMMARY_BYTES).decode(errors="surrogateescape")
    except OSError:
        return ""
