"""The bootchain step ``hiperiso``: records the boot of one ISO after the other, then leaves as it was told.

::

    waitdev -> mountfs -> hiperiso
                            data partition writable at /mnt/usb
                            kernel command line, /hiperiso/hiperiso.json -> settings
                            [no ISO named: the list of /ISOs]  <------------------.
                            record_boot -> /hiperiso/logs/<session>/, last.txt    |
                            summary on the consoles                               |
                            a key, or hiperiso_after=  -> menu -------------------'
                                                       -> power off, reboot
"""

from __future__ import annotations

import asyncio
import os
import traceback
from pathlib import Path
from typing import Final

from bootchain.step import Step
from hiperiso.config.hiperiso_json import HiperisoConfig, read_config
from hiperiso.config.menu import MenuList
from hiperiso.contract import files
from hiperiso.contract.store import atomic_write
from hiperiso.errors import HarnessFault, HiperisoError, UsageError
from hiperiso.session.recorder import record_boot
from hiperiso.session.request import BootOutcome, BootRequest
from hiperiso.stick.choice import choose_iso
from hiperiso.stick.console import Consoles
from hiperiso.stick.order import AFTER_PARAMETER, After, Order, fit_to_host, read_order, settings_of
from hiperiso.stick.partition import (
    DATA_MOUNT,
    available_mb,
    close_partition,
    expose,
    open_partition,
    prepare_host,
    run,
)
from hiperiso.stick.screen.show import shown_guest
from hiperiso.stick.view import ConsoleView

CONFIG_PATH: Final = "/hiperiso/hiperiso.json"
LAST_SUMMARY: Final = "last.txt"
"""At the log root: the summary of the last session, which the boot menu shows."""

_KEYS: Final = {"p": After.POWEROFF, "r": After.REBOOT, "m": After.MENU}
_WORDS: Final = {After.POWEROFF: "power off", After.REBOOT: "reboot", After.MENU: "menu"}
_MAX_SUMMARY_BYTES = 1 << 20


def main() -> int:
    """Run the step. Does not return when the machine goes down."""
    step = Step()
    consoles = Consoles.of_this_machine()
    order = Order()
    try:
        order = read_order(_text(Path("/proc/cmdline")))
        if not step.prevdir:
            raise UsageError("there is no data partition", hint="the chain is waitdev,mountfs,hiperiso")
        prepare_host()
        open_partition(step.prevdir)
        after = _Recorder(DATA_MOUNT, consoles, order).run()
    except (HiperisoError, OSError) as error:
        tell_error(consoles, error)
        step.message(str(error))
        after = _ask(consoles, order, refused=After.MENU)
    except Exception as bug:  # a step that dies would be tried again, and record the same boot each time
        tell_error(consoles, HarnessFault(f"internal error: {bug!r}"))
        step.message(traceback.format_exc())
        after = _ask(consoles, order, refused=After.MENU)
    consoles.say(f"{_WORDS[after]}: the stick may be pulled out when the machine is off")
    consoles.close()
    leave(after, step.prevdir)
    return 1


def tell_error(consoles: Consoles, error: Exception) -> None:
    """Say what went wrong, and what to do about it."""
    hint = error.hint if isinstance(error, HiperisoError) else ""
    consoles.say(f"hiperiso: {error}" + (f"\n  hint: {hint}" if hint else ""))


def leave(after: After, mounted: str) -> None:
    """Let go of the stick and end the machine."""
    close_partition([mounted] if mounted else [])
    run(("reboot" if after is After.REBOOT else "poweroff", "-f"))


class _Recorder:
    """Recordings of one start of the machine."""

    def __init__(self, data: Path, consoles: Consoles, order: Order) -> None:
        self._data = data
        self._consoles = consoles
        self._order = order
        self._may_time_out = not order.iso  # only the first list: after a recording it would go on for ever
        (data / order.log_root.lstrip("/")).mkdir(parents=True, exist_ok=True)
        self._log_root = expose(data, order.log_root)

    def run(self) -> After:
        iso = self._order.iso
        after = After.MENU
        while after is After.MENU:
            try:
                iso = iso or self._choose()
                if not iso:
                    return _ask(self._consoles, self._order, refused=After.MENU)
                self._record(iso)
            except HiperisoError as error:
                tell_error(self._consoles, error)
            iso = ""
            after = _ask(self._consoles, self._order)
        return after

    def _record(self, iso: str) -> None:
        settings, origins = settings_of(self._order, iso, self._config())
        settings, notes = fit_to_host(settings, available_mb())
        for note in notes:
            self._consoles.say(f"note: {note}")
        with shown_guest(settings, self._consoles.say, grace_s=self._order.wait_s) as shown:
            request = BootRequest(
                iso=expose(self._data, iso),
                log_root=self._log_root,
                settings=shown.settings,
                origins=origins,
                spectator=shown.spectator,
            )
            outcome = asyncio.run(record_boot(request, ConsoleView(self._consoles)))
        self._keep_summary(outcome)
        if outcome.error is not None:
            tell_error(self._consoles, outcome.error)
        os.sync()

    def _config(self) -> HiperisoConfig | None:
        """hiperiso.json; a broken one is named and passed over, so that it keeps nobody from booting."""
        path = self._data / CONFIG_PATH.lstrip("/")
        if not path.exists():
            return None
        try:
            return read_config(path)
        except UsageError as error:
            tell_error(self._consoles, error)
            return None

    def _keep_summary(self, outcome: BootOutcome) -> None:
        name = files.REPORT_TXT if (outcome.path / files.REPORT_TXT).exists() else files.FAILURE_TXT
        summary = _text(outcome.path / name)
        if summary:
            atomic_write(self._log_root / LAST_SUMMARY, summary.encode())
        manifest = outcome.manifest
        self._consoles.say(f"\n{summary}\n{manifest.status}: {manifest.result}, recorded in {outcome.path}")

    def _choose(self) -> str:
        """An ISO of the stick, or ``""`` when none was chosen."""
        config = self._config()
        may_time_out, self._may_time_out = self._may_time_out, False
        return choose_iso(
            self._data,
            config.menu if config else MenuList(),
            consoles=self._consoles,
            may_time_out=may_time_out,
        )


def _ask(consoles: Consoles, order: Order, *, refused: After | None = None) -> After:
    """What follows: a key's choice, else the command line's; `refused` is not offered."""
    keys = {key: after for key, after in _KEYS.items() if after is not refused}
    default = order.after if order.after is not refused else After.POWEROFF
    if order.wait_s <= 0:
        return default
    offer = ", ".join(f"{key}: {_WORDS[after]}" for key, after in keys.items())
    consoles.say(f"{offer}; {_WORDS[default]} in {order.wait_s:g} s ({AFTER_PARAMETER})")
    return keys.get(consoles.key("".join(keys), order.wait_s), default)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_SUMMARY_BYTES).decode(errors="surrogateescape")
    except OSError:
        return ""
