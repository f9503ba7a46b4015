"""The boot menu channel: carries out what the pure `hiperiso.drive` decides about boot menus, and emits it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hiperiso.analysis.guestclock import rate
from hiperiso.contract.eventdata import FallbackData, KeysData, MenuData, OutcomeData
from hiperiso.contract.events import (
    Event,
    FallbackConfigured,
    HostLoad,
    KeysPressed,
    MenuLeft,
    MenuStands,
    SerialLine,
    StreamLine,
)
from hiperiso.contract.manifest import KeyPress
from hiperiso.contract.menupolicy import MenuMode, MenuPolicy
from hiperiso.contract.words import BootStage, EndReason
from hiperiso.drive.actions import Instruction, Press, Stands, Stop
from hiperiso.drive.configs import configs_of_image
from hiperiso.drive.hands import MenuHands
from hiperiso.drive.keys import typed
from hiperiso.drive.look import Look
from hiperiso.drive.recognise import Menu, MenuConfig
from hiperiso.drive.signs import MenuKind
from hiperiso.iso.image import IsoImage
from hiperiso.machine.qmp import Qmp
from hiperiso.session.eventlog import EventLog, Rank
from hiperiso.session.observer import Work
from hiperiso.session.serialkeys import SerialKeys
from hiperiso.text import plain

_MAX_ENTRIES = 60
_MAX_NOTED = 100
_MAX_EARLY = 5000
_MOST_PACE = 10.0


class MenuFeed:
    """Passes screens and facts to the hands, presses their keys, and emits what they did.

    Args:
        policy: what to do about boot menus.
        image: the medium, whose configuration files describe its menus.
        efi: whether the firmware is UEFI.
        stage: returns the stage that the guest has reached.
        note: sets fields of the manifest.
        serial: the input of the serial port, for boot loaders that take keys from there alone.
        has_disk: a disk with something on it was given to the guest.
    """

    def __init__(
        self,
        qmp: Qmp,
        log: EventLog,
        policy: MenuPolicy,
        image: IsoImage,
        *,
        efi: bool,
        stage: Callable[[], BootStage],
        note: Callable[..., Any],
        serial: SerialKeys,
        has_disk: bool,
    ) -> None:
        self._qmp = qmp
        self._log = log
        self._policy = policy
        self._image = image
        self._efi = efi
        self._stage_of = stage
        self._note = note
        self._serial = serial
        self._has_disk = has_disk
        self._hands: MenuHands | None = None
        self._early: dict[str, float] = {}
        self._shared: dict[str, tuple[str, ...]] = {}
        self._stage = BootStage.UNKNOWN
        self._pace = 1.0
        self._pressed: list[KeyPress] = []
        self._unsubscribe = log.subscribe(self._take, Rank.CHANNEL)

    def start(self) -> Sequence[Work]:
        """Read the configuration files of the medium; screens are evaluated from then on."""
        return () if self._policy.mode is MenuMode.HANDS_OFF else (self._read_configs(),)

    async def finish(self, reason: EndReason, *, alive: bool) -> None:
        """Nothing to do at the end."""

    async def close(self) -> None:
        """Unsubscribe."""
        self._unsubscribe()
        self._serial.close()

    async def _read_configs(self) -> None:
        configs, self._shared = await asyncio.to_thread(self._examine)
        hands = MenuHands(self._policy, configs, has_disk=self._has_disk)
        for path, t in self._early.items():
            self._read(hands, path, t)
        self._early.clear()
        self._pass_stage(hands)
        self._hands = hands
        for config in configs:
            if config.fallbacks:
                entries, source = [plain(one, 200) for one in config.fallbacks], plain(config.source, 200)
                text = f"where its default entry fails, {config.kind.value} goes on with {entries[0]!r}"
                self._log.emit(
                    FallbackConfigured(text=text, data=FallbackData(entries=entries, config=source))
                )

    def _examine(self) -> tuple[tuple[MenuConfig, ...], dict[str, tuple[str, ...]]]:
        return configs_of_image(self._image, efi=self._efi), self._image.tree().shared()

    def _read(self, hands: MenuHands, path: str, t: float) -> None:
        """A read names one of the files that share the content: it may be any of them."""
        for name in self._shared.get(path, (path,)):
            hands.read(name, t)

    @property
    def wants_look_s(self) -> float | None:
        """The time to the next wanted screen poll, in seconds; None when no menu is expected."""
        return self._hands.wants_look_s if self._hands else None

    def take_reads(self, reads: list[tuple[str, float]]) -> None:
        """Take the paths of files of the medium that were read, each with the time of its last read."""
        for path, t in reads:
            if self._hands:
                self._read(self._hands, path, t)
            elif len(self._early) < _MAX_EARLY:
                self._early[path] = t

    def _take(self, event: Event) -> None:
        if isinstance(event, SerialLine) and self._hands:
            self._hands.serial(event.text, event.t)
        elif isinstance(event, StreamLine) and self._hands:
            self._hands.line(event.text)
        elif isinstance(event, HostLoad):
            self._pace = 1 / max(rate(event.data), 1 / _MOST_PACE)
        stage = self._stage_of()
        if stage is self._stage:
            return
        fell = stage.rank < self._stage.rank
        self._stage = stage
        if self._hands and fell:
            self._hands.reset()
        if self._hands:
            self._pass_stage(self._hands)

    def _pass_stage(self, hands: MenuHands) -> None:
        if self._stage.rank >= BootStage.KERNEL.rank:
            hands.started()
        elif self._stage is BootStage.BOOTLOADER:
            hands.loader()

    async def look(self, look: Look) -> None:
        """Evaluate a screen, and do what is decided.

        Raises:
            QmpFault: a key could not be pressed.
        """
        if self._hands is None:
            return
        # In a thread: recognising a picture takes longer than the other channels may wait.
        for instruction in await asyncio.to_thread(self._hands.look, replace(look, pace=self._pace)):
            await self._do(instruction)

    async def _do(self, instruction: Instruction) -> None:
        match instruction:
            case Stands(menu):
                self._log.emit(MenuStands(text=plain(describe(menu), 200), data=_menu_data(menu)))
            case Press(chords):
                if instruction.serial:
                    await self._serial.send(typed(chords))
                else:
                    await self._qmp.press(chords)
                self._emit_press(instruction)
            case Stop(outcome, detail, menu):
                entries = [plain(entry, 200) for entry in menu.entries[:_MAX_ENTRIES]] if menu else None
                data = OutcomeData(outcome=outcome.value, entries=entries)
                self._log.emit(MenuLeft(text=plain(detail, 400), data=data))

    def _emit_press(self, press: Press) -> None:
        keys = ["-".join(chord) for chord in press.chords][:_MAX_NOTED]
        entry, kind = plain(press.menu.title, 200), press.menu.kind.value
        why = f"{press.why}, on the serial port" if press.serial else press.why
        data = KeysData(keys=keys, entry=entry or None, menu=kind, answers=press.answers)
        event = self._log.emit(KeysPressed(text=plain(why, 200), data=data))
        if len(self._pressed) < _MAX_NOTED:
            self._pressed.append(KeyPress(t=event.t, keys=keys, why=event.text, menu=kind, entry=entry))
            self._note(keys_pressed=list(self._pressed))


def describe(menu: Menu) -> str:
    """A description of a menu: its boot loader, and the highlighted entry."""
    what = "a boot prompt" if menu.kind is MenuKind.PROMPT else f"a menu of {menu.kind.value}"
    if menu.kind in (MenuKind.UNKNOWN, MenuKind.KEY_PAGE):
        what = f"a {menu.kind.value}" if menu.kind is MenuKind.UNKNOWN else menu.kind.value
    highlighted = f", {menu.title!r} is highlighted" if menu.title else ""
    counting = f", counting down from {menu.counting_s} s" if menu.counting_s is not None else ""
    return f"{what} is shown{highlighted}{counting}"


def _menu_data(menu: Menu) -> MenuData:
    return MenuData(
        kind=menu.kind.value,
        entries=[plain(entry, 200) for entry in menu.entries[:_MAX_ENTRIES]],
        chosen=menu.chosen,
        counting_s=menu.counting_s,
        seen_by=menu.seen_by,
    )
