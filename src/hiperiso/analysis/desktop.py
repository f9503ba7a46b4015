"""Whether the graphical system is up: required processes, required screen content, and criteria of failure.

::

    started     a display manager, an X server or a compositor was seen, or its unit was: a text login is not the end
    up          a greeter, a session or a compositor lives, the same process for a while; the picture is drawn, and
                has come to rest: nothing new on it, hardly a read of the medium. Without a display manager, any
                program may draw on the X server: then its picture, after a longer time, is enough
    failed      manager, X server, greeter or shell die again and again; the unit could not be started; the session
                of an automatic login ended, and a greeter came in its place; or nothing has happened for a long
                time, and the screen is blank, or no such process runs

All waits are counted on the guest's clock (`hiperiso.analysis.guestclock`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from hiperiso.analysis.graphical import (
    DISPLAY_MANAGERS,
    DRAW_ALWAYS,
    LEADERS,
    TEXT_GREETERS,
    WITH_OWN_GREETER,
    Part,
    draws,
)
from hiperiso.analysis.guestclock import GuestClock
from hiperiso.analysis.pictures import is_console, is_dark
from hiperiso.analysis.processes import Kind, Role
from hiperiso.analysis.renderer import Renderer
from hiperiso.contract.events import (
    Event,
    IsoRead,
    ProcessChange,
    ProcessEnded,
    ScreenBlank,
    ScreenEvent,
    ScreenImage,
    ScreenText,
)
from hiperiso.contract.words import FindingKind

LEAST_S: Final = 6.0
"""How long a greeter or a session has to live; these and the further times in seconds of the guest at native speed."""

QUIET_S: Final = 3.0
"""For how long nothing is new on the screen once it has come to rest, and hardly anything is read."""

MOST_S: Final = 30.0
"""A screen that never rests (a clock, an animation) counts after this long."""

HOPE_S: Final = 30.0
"""After this long without changes, nothing more will be drawn."""

UNIT_S: Final = 4.0
"""A unit that could not be started may be started again."""

DEATHS: Final = 3
"""This many exits of one of them count as a failure."""

LOOP_S: Final = 10.0
"""They may go on to die for so long after that: one more start may be the one that lives."""

_SHORT_LIFE_S: Final = 40.0
_READ_BYTES: Final = 256 << 10  # in one event, of a second: less is housekeeping
_UNREST_MOST: Final = 3.0  # reads, and processes that start or end, extend the wait up to this factor
_UNIT: Final = re.compile(
    r"(?:Failed to start|Dependency failed for) .{0,60}?"
    rf"(?P<name>[Dd]isplay [Mm]anager|\b(?:{'|'.join(DISPLAY_MANAGERS)}|display-manager)\.service)"
)
_DRAWERS: Final = (Part.SESSION, Part.GREETER, Part.CLIENT)
"""Those that draw what a person shall see, the surest first."""

_CAUSES: Final = (Part.GREETER, Part.SESSION, Part.CLIENT, Part.SERVER, Part.MANAGER)
"""Whose death is the likeliest to have caused those of the others."""

_ADAPTERS: Final = {
    "std": "the standard VGA adapter",
    "virtio": "the virtio GPU",
    "none": "no display adapter",
}


@dataclass(frozen=True, slots=True)
class _Living:
    role: Role
    event: ProcessChange


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome if nothing changes until ``due_s``; ``event`` is the deciding event."""

    event: Event
    due_s: float
    words: str
    kind: FindingKind = FindingKind.DESKTOP_FAILED


class Desktop:
    """What is known of the graphical part of the current attempt to boot."""

    def __init__(self, clock: GuestClock) -> None:
        self._clock = clock
        self.renderer = Renderer(clock)
        self.adapter = ""
        """The guest's display adapter, a word of `Vga`; empty where that is not known."""
        self.reset()

    def reset(self) -> None:
        """The machine was reset."""
        self.renderer.reset()
        self.first: Event | None = None
        """The first sign that something graphical is started."""
        self._living: dict[int, _Living] = {}
        self._deaths: Counter[tuple[Part, str]] = Counter()
        self._ended_first: list[tuple[Role, Event]] = []  # sessions, before a greeter was seen
        self._last_death: Event | None = None
        self._enough_s = float("inf")  # since when one of them has died often enough
        self._names: dict[Part, str] = {}
        self._news: Event | None = None  # the last event that shows progress
        self._shown: ScreenEvent | None = None  # the last picture or text
        self._shown_first_s = float("inf")  # since when something has been drawn
        self._blank: ScreenBlank | None = None  # when the screen is blank now
        self._read_s = float("-inf")
        self._change_s = float("-inf")  # of any process
        self._unit: tuple[Event, str] | None = None

    # ── events ──

    def process(self, event: ProcessChange, after: Role | None) -> None:
        """Process a change of a process, with its current role."""
        pid = event.data.pid or 0
        self._change_s = max(self._change_s, event.t)
        was = self._living.pop(pid, None)
        if was and isinstance(event, ProcessEnded):
            self._died(was, event)
        if after is None or after.kind is not Kind.GRAPHICAL or after.part is None:
            return
        if was is None or was.role != after:
            self.first = self.first or event
            self._names[after.part] = after.name
            self._news = event
        self._living[pid] = was if was and was.role == after else _Living(after, event)

    def announce(self, event: Event) -> None:
        """Take that a unit of something graphical is started."""
        if self.first is None:
            self.first = self._news = event

    def unit_failed(self, event: Event, words: str) -> None:
        """Process a service manager's message about a unit that it could not start."""
        if _UNIT.search(words):
            self.first = self.first or event
            self._unit = self._unit or (event, words)

    def screen(self, event: ScreenEvent) -> None:
        """Take a change of the screen."""
        if isinstance(event, ScreenBlank):
            self._blank = event
            self._shown_first_s = float("inf")
        elif isinstance(event, ScreenImage) or (isinstance(event, ScreenText) and not event.data.minor):
            self._blank, self._shown = None, event
            self._shown_first_s = min(self._shown_first_s, event.t)
            if self.first:
                self._news = event

    def read(self, event: IsoRead) -> None:
        """Take reads of the medium."""
        if (event.data.bytes or 0) >= _READ_BYTES:
            self._read_s = max(self._read_s, event.t)

    # ── what it comes to ──

    @property
    def started(self) -> bool:
        """Whether the system starts anything graphical."""
        return self.first is not None

    def standing(self) -> Outcome | None:
        """The outcome that it is up; None if not. The last picture decides: until then it was not complete."""
        return None if self._lost_session() or self._alarm() else self._drawn()

    def _drawn(self) -> Outcome | None:
        drawer = self._drawer()
        if drawer is None:
            return self._drawn_by_any_program()
        if self._blank and self._is_meant(self._blank, drawer):
            due_s = self._clock.after(max(self._blank.t, drawer.event.t), HOPE_S)
            words = f"the desktop is up: {_called(drawer)}, on an empty screen of one colour"
            return Outcome(self._blank, due_s, words)
        if self._blank_or_stale(drawer):
            return None
        since_s, shown = drawer.event.t, self._shown
        shown_s = shown.t if shown else since_s
        quiet_s = max(since_s, shown_s, self._read_s)
        most_s = self._clock.after(max(since_s, min(self._shown_first_s, shown_s)), MOST_S)
        due_s = max(self._clock.after(since_s, LEAST_S), min(self._clock.after(quiet_s, QUIET_S), most_s))
        event: Event = shown if shown and shown.t > since_s else drawer.event
        what = "a login waits" if drawer.role.name in TEXT_GREETERS else "the desktop is up"
        return Outcome(event, due_s, f"{what}: {_called(drawer)}, drawn and still")

    def _drawn_by_any_program(self) -> Outcome | None:
        """Whether something is drawn on an X server that no display manager has started: a kiosk's program."""
        servers = [living for living in self._living.values() if living.role.part is Part.SERVER]
        shown = self._shown
        if not servers or self._blank or Part.MANAGER in self._names or not isinstance(shown, ScreenImage):
            return None
        server = min(servers, key=lambda living: living.event.t)
        if shown.t <= server.event.t:
            return None
        due_s = self._clock.after(max(shown.t, self._read_s), HOPE_S)
        return Outcome(shown, due_s, f"the desktop is up: a program has drawn on {_called(server)}")

    def _is_meant(self, blank: ScreenBlank, drawer: _Living) -> bool:
        """Whether a blank screen is all that is to be seen.

        Somebody has chosen its colour; or a bare window manager runs, which draws nothing but its pointer.
        """
        names = {living.role.name for living in self._living.values()}
        if not is_dark(blank):
            return names.isdisjoint(DRAW_ALWAYS - LEADERS)
        bare = drawer.role.part is Part.SESSION and names.isdisjoint(DRAW_ALWAYS)
        return bare and bool(blank.data.detail)

    def failure(self) -> Outcome | None:
        """How it fails if nothing changes; None without evidence for that."""
        if self.first is None:
            return None
        if (
            not self._drawer() and (dying := self._dying()) and self._last_death
        ):  # one that lives now has its chance
            loop_s = self._clock.after(self._enough_s, LOOP_S)
            due_s = min(self._clock.after(self._last_death.t, QUIET_S), loop_s)
            kind = self._kind_of_death()
            on = self._on() if kind is FindingKind.COMPOSITOR_FAILED else ""
            return Outcome(self._last_death, due_s, f"{dying}{on}", kind)
        if replaced := self._replaced():
            return replaced
        if self._unit and not self._drawer():
            event, words = self._unit
            return Outcome(event, self._clock.after(event.t, UNIT_S), words)
        return self._hopeless()

    def _replaced(self) -> Outcome | None:
        """What cannot draw any more, or has something else in its place."""
        if crash := self.renderer.crash_after(self._shown.t if self._shown else 0.0):
            words = "llvmpipe, which draws the desktop without a GPU, crashed on the emulated CPU"
            return Outcome(crash, self._clock.after(crash.t, LEAST_S), words)
        if alarm := self._alarm():
            words = f"{alarm.role.name} shows an error message in place of the desktop"
            return Outcome(alarm.event, self._clock.after(alarm.event.t, LEAST_S), words)
        if (lost := self._lost_session()) and (drawn := self._drawn()):
            return replace(drawn, event=lost[1], words=lost[0], kind=self._kind_of_death())
        return None

    def _kind_of_death(self) -> FindingKind:
        """A session without an X server drives the display adapter itself: it may run on another one."""
        own = any(part is Part.SESSION and count >= DEATHS for (part, _), count in self._deaths.items())
        return (
            FindingKind.COMPOSITOR_FAILED
            if own and Part.SERVER not in self._names
            else FindingKind.DESKTOP_FAILED
        )

    def _dying(self) -> str:
        """What dies again and again, the likeliest cause first; empty for nothing."""
        dead = [(part, name) for (part, name), count in self._deaths.items() if count >= DEATHS]
        if not dead:
            return ""
        first = min(dead, key=lambda one: _CAUSES.index(one[0]) if one[0] in _CAUSES else 0)
        others = _listed(_named(one) for one in dead if one != first)
        words = f"{_named(first)} was started {self._deaths[first]} times and ended each time"
        return f"{words}, as did {others}" if others else words

    def _hopeless(self) -> Outcome | None:
        """The outcome after a long time without changes: the processes, and the screen content."""
        drawer, last = self._drawer(), self._news or self.first
        if last is None or self.standing():
            return None
        event: Event = self._blank if self._blank and self._blank.t > last.t else last
        unrest_s = max(self._read_s, self._change_s)
        due_s = max(
            self._clock.after(event.t, HOPE_S),
            min(self._clock.after(unrest_s, HOPE_S), self._clock.after(event.t, _UNREST_MOST * HOPE_S)),
        )
        kind = FindingKind.DESKTOP_BLANK if self._blank and self._living else FindingKind.DESKTOP_FAILED
        return Outcome(self._blank or event, due_s, self._complaint(drawer), kind)

    def _complaint(self, drawer: _Living | None) -> str:
        alive = dict.fromkeys(map(_called, self._living.values()))
        they_run = f"{_listed(alive)} run{'s' * (len(alive) == 1)}"
        if self._blank and alive:
            colour = "black" if is_dark(self._blank) else "blank"
            return f"the screen stays {colour}: {they_run}{self._on()}"
        if drawer:
            return f"{they_run}, but nothing was drawn{self._on()}"
        if not alive:
            gone = _listed(map(_named, self._names.items()))
            return f"{gone or 'the display manager'} ended, and nothing graphical is left"
        if lost := self._lost(1):
            return f"{_listed(map(_named, lost))} ended, and nothing else was drawn: {they_run}{self._on()}"
        return f"{they_run}, but no greeter and no session{self._on()}"

    def _on(self) -> str:
        return f" (on {_ADAPTERS.get(self.adapter, self.adapter)})" if self.adapter else ""

    @property
    def is_blank(self) -> bool:
        """Whether the screen is blank now."""
        return self._blank is not None

    # ── who lives ──

    def _drawer(self) -> _Living | None:
        """Who draws what a person shall see: the one that has lived longest.

        Where what a session has started ended, the session alone draws nothing; where what draws dies again and again,
        nor does any program that has started it and lives on.
        """
        found = [
            living
            for living in self._living.values()
            if living.role.part in _DRAWERS or living.role.name in WITH_OWN_GREETER
        ]
        if self._lost(DEATHS):
            found = [living for living in found if draws(living.role.part, living.role.name)]
        elif any(part is Part.SESSION for part, _ in self._lost(1)):
            found = [living for living in found if living.role.name not in LEADERS]
        return min(found, key=_surest, default=None)

    def _alarm(self) -> _Living | None:
        """What has replaced the desktop because that failed."""
        return next((living for living in self._living.values() if living.role.part is Part.ALARM), None)

    def _lost_session(self) -> tuple[str, Event] | None:
        """A session that ended before there was any greeter, in whose place there is one now: in words, and its end.

        A compositor that was started again for the greeter is none.
        """
        names = {living.role.name for living in self._living.values()}
        greeters = [living for living in self._living.values() if living.role.part is Part.GREETER]
        for ended, event in self._ended_first:
            if greeters and ended.name not in names:
                greeter = _called(min(greeters, key=_surest))
                return f"the {ended.part} {ended.name} ended, and {greeter} came in its place", event
        return None

    def _lost(self, least: int) -> list[tuple[Part, str]]:
        """What draws, and ended so many times."""
        return [one for one, count in self._deaths.items() if count >= least and draws(*one)]

    def _blank_or_stale(self, drawer: _Living) -> bool:
        """Whether there is a screen to look at, and nothing on it that was drawn since the desktop was started."""
        if self._blank:
            return True
        if self._shown is None:
            return False  # the screen is not observed: only the processes count
        graphical = drawer.role.part in (Part.SESSION, Part.GREETER) and drawer.role.name not in TEXT_GREETERS
        if graphical and is_console(self._shown):
            return True  # which a compositor has not taken yet
        began = min((living.event.t for living in self._living.values()), default=drawer.event.t)
        return self._shown.t < began

    def _died(self, was: _Living, event: ProcessEnded) -> None:
        self._news = event
        part = was.role.part
        if part in (None, Part.ALARM) or event.t > self._clock.after(was.event.t, _SHORT_LIFE_S):
            return
        self._deaths[part, was.role.name] += 1
        if part in (Part.SESSION, Part.CLIENT) and Part.GREETER not in self._names:
            self._ended_first = [*self._ended_first, (was.role, event)][:DEATHS]
        if self._deaths[part, was.role.name] == DEATHS:
            self._enough_s = min(self._enough_s, event.t)
        self._last_death = event


def _surest(living: _Living) -> tuple[int, float]:
    part = living.role.part
    return (_DRAWERS.index(part) if part in _DRAWERS else len(_DRAWERS), living.event.t)


def _called(living: _Living) -> str:
    return f"the {living.role.part} {living.role.name}"


def _named(one: tuple[Part, str]) -> str:
    return f"the {one[0]} {one[1]}"


def _listed(names: Iterable[str]) -> str:
    *others, last = [*names] or [""]
    return f"{', '.join(others)} and {last}" if others else last
