"""The hands at the boot menu: screens and facts of the boot in, keys out.

Pure. The caller passes in every screen (`MenuHands.look`) and what else is known (`loader`, `read`, `reset`,
`started`), presses the returned keys, and records the reports. Never more than `MAX_KEYS` answers per attempt to
boot: a menu that comes back after its entry was started is a failure of the boot loader, not a reason for more keys.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from hiperiso import rows
from hiperiso.contract.menupolicy import MenuMode, MenuOutcome, MenuPolicy
from hiperiso.drive.actions import Instruction, Press, Stands, Stop
from hiperiso.drive.keys import ENTER, chords_of
from hiperiso.drive.look import Look
from hiperiso.drive.recognise import Menu, MenuConfig, recognise, recognise_lines
from hiperiso.drive.signs import PROMPT, MenuKind, Refusal
from hiperiso.drive.walk import Missing, Walk

MAX_KEYS: Final = 2
STAND_S: Final = 1.2
"""How long a readable menu has to be stable before it is answered."""

STAND_UNREAD_S: Final = 2.0
"""The same for a picture that can only be the configured menu."""

COUNT_S: Final = 2.2
"""A number of seconds unchanged for this long is not a countdown; nor is a zero, once it has been stable."""

REACT_S: Final = 4.0
"""How long a menu may take to react to a key, on a host that is not busy (`Look.pace`)."""

LATER_S: Final = 30.0
"""How long another unreadable picture after an answer has to be stable: a kernel is seen long before."""

UNSEEN_S: Final = 60.0
"""A kernel that was read is seen to run by then, on the busiest host: before, its menu may be a leftover."""

PASSPHRASE_S: Final = 4.0
_ASKED: Final = "was asked for"
_NO_DISK: Final = "starts a system; the highlighted entry boots a disk, and there is none"
_BOOTS_DISK: Final = re.compile(rows.BOOTS_DISK)
_STARTS: Final = re.compile(rows.UEFI_STARTS)
_FAILED: Final = re.compile(rows.UEFI_FAILED)
_EAGER_S: Final = 0.3
_CALM_S: Final = 1.0
_SERIAL_LINES: Final = 40
_TOGETHER_S: Final = 1.0  # a menu that is drawn on the screen as well


@dataclass(frozen=True)
class _Answer:
    t: float
    menu: Menu
    look: Look


class MenuHands:
    """Decides about the boot menus of one recording.

    Args:
        policy: the user's choice.
        configs: the menus in the configuration files of the medium.
        has_disk: the machine has a disk to boot, beside the medium.
    """

    def __init__(
        self, policy: MenuPolicy, configs: Sequence[MenuConfig] = (), *, has_disk: bool = True
    ) -> None:
        self._asked = policy
        self._has_disk = has_disk
        self._configs = tuple(configs)
        self._paths = {path.lower() for config in configs for path in config.kernels}
        self._finished = policy.mode is MenuMode.HANDS_OFF
        self._begin()

    def _begin(self) -> None:
        self._policy = self._asked
        self._over = False  # a kernel runs: the screen is not a menu any more
        self._loader = False
        self._read: set[str] = set()
        self._kernel_t = float("-inf")
        self._busy_t = float("-inf")
        self._lines: deque[str] = deque(maxlen=_SERIAL_LINES)
        self._line_t = float("-inf")
        self._look: Look | None = None
        self._since_t = 0.0
        self._numbers_t = float("-inf")
        self._reported: Menu | None = None
        self._answers: list[_Answer] = []
        self._left = False  # the screen has changed since the last answer
        self._stale = False  # the serial lines are from before the last answer
        self._walk: Walk | None = None

    @property
    def wants_look_s(self) -> float | None:
        """The time to the next wanted screen, in seconds; None when no menu is expected any more."""
        if self._finished or self._over:
            return None
        return _EAGER_S if self._walk else _CALM_S if not self._loader else 0.5

    # ── other facts ──

    def loader(self) -> None:
        """A boot loader was seen."""
        self._loader = True

    def serial(self, text: str, t: float) -> None:
        """A line of the serial port came, or the beginning of one."""
        self.line(text)
        if self._stale:
            self._lines.clear()
            self._stale = False
        if self._lines and text.startswith(self._lines[-1]):
            self._lines.pop()  # it goes on
        self._lines.append(text)
        self._line_t = t
        self._left |= bool(self._answers) and not PROMPT.match(text)  # the echo of the answered one

    def line(self, text: str) -> None:
        """A line of the serial port or of the firmware's log."""
        if _STARTS.search(text):
            self._loader = True
        elif _FAILED.search(text):
            self._loader = False

    def read(self, path: str, t: float) -> None:
        """The file `path` of the medium was read at `t` seconds."""
        self._busy_t = max(self._busy_t, t)
        self._read.add(path)
        if path.lower() in self._paths:
            self._kernel_t = t
        self._loader |= any(config.source == path for config in self._configs)

    def started(self) -> None:
        """A kernel runs: no more keys."""
        self._over = True

    def reset(self) -> None:
        """The machine was reset: the firmware starts again."""
        self._begin()

    # ── screens ──

    def look(self, look: Look) -> list[Instruction]:
        """Process the next screen; return the actions, in order."""
        if self._finished or self._over:
            return []
        self._take(look)
        found = self._found(look)
        if isinstance(found, Refusal):
            return self._refused(found, look)
        if found is None:
            self._left |= bool(self._answers)
            return []
        menu = self._counting(found, look)
        if self._answers and not self._walk:
            return [] if self._may_have_started(menu, look) else self._after_answer(menu, look)
        if self._policy.mode is MenuMode.AUTO and (title := self._instead_of_disk(menu)):
            self._policy = MenuPolicy(MenuMode.CHOOSE, (title,))
        if self._policy.mode is MenuMode.CHOOSE:
            return self._choose(menu, look)
        return self._first_time(menu, look)

    def _found(self, look: Look) -> Menu | Refusal | None:
        if self._answers and self._asks_for_password():
            return Refusal.PASSPHRASE
        found = recognise(look, self._live_configs(), loader_runs=self._loader and not self._kernel_loads)
        return self._on_serial(look) if found is None and self._lines else found

    def _on_serial(self, look: Look) -> Menu | None:
        """The menu on the serial port, once its output has stopped and nothing else has happened since.

        What a loader starts may be silent there: then the screen changes, or the medium is read.
        """
        happened_t = max(self._since_t, self._busy_t)
        if look.t - self._line_t < STAND_S or happened_t > self._line_t + _TOGETHER_S or self._kernel_loads:
            return None
        found = recognise_lines(tuple(self._lines), self._live_configs())
        return found if isinstance(found, Menu) else None

    def _take(self, look: Look) -> None:
        last = self._look
        if last is None or not look.shows_the_same_as(last):
            self._since_t = look.t
            if last is not None and look.counts_since(last):
                self._numbers_t = look.t
        self._look = look
        if self._answers:
            answered = self._answers[-1].look
            self._left |= not (look.shows_the_same_as(answered) or look.counts_since(answered))

    @property
    def _kernel_loads(self) -> bool:
        return self._kernel_t > (self._answers[-1].t if self._answers else float("-inf"))

    def _live_configs(self) -> tuple[MenuConfig, ...]:
        """The configurations that were read; all of them if reads are not observed."""
        if not self._read:
            return self._configs
        return tuple(config for config in self._configs if config.source in self._read or not config.observed)

    def _counting(self, menu: Menu, look: Look) -> Menu:
        """A number in a menu is a countdown when it was seen to change, or when what it counted to is being read."""
        if menu.counting_s is None or menu.seen_by == "configuration" or self._kernel_loads:
            return menu
        still_s = look.t - max(self._since_t, self._numbers_t, self._busy_t if menu.counting_s == 0 else 0.0)
        needed_s = COUNT_S if menu.counting_s else STAND_S
        return replace(menu, counting_s=None) if still_s >= needed_s else menu

    def _stands(self, menu: Menu, look: Look) -> bool:
        if menu.at_once:
            return True
        needed_s = STAND_UNREAD_S if menu.seen_by == "configuration" else STAND_S
        since_t = max(self._since_t, self._busy_t if menu.seen_by == "configuration" else self._since_t)
        if menu.counting_s is not None:
            return menu.other_on_timeout or self._policy.mode in (
                MenuMode.WAIT,
                MenuMode.LIST,
                MenuMode.CHOOSE,
            )
        return look.t - since_t >= needed_s

    def _first_time(self, menu: Menu, look: Look) -> list[Instruction]:
        if not self._stands(menu, look):
            return []
        done: list[Instruction] = []
        if self._reported != replace(menu, counting_s=None):
            self._reported = replace(menu, counting_s=None)
            done.append(Stands(menu))
        if self._policy.mode is MenuMode.LIST:
            return [*done, self._stop(MenuOutcome.LISTED, f"the menu of {menu.kind.value} is listed", menu)]
        if self._policy.mode is MenuMode.WAIT:
            return [*done, self._stop(MenuOutcome.WAITS, f"{_name(menu)} waits for a person", menu)]
        return [*done, self._answer(menu, look, f"{_name(menu)} waited for a person")]

    def _answer(self, menu: Menu, look: Look, why: str) -> Press:
        serial = menu.serial_input or (menu.seen_by == "serial" and bool(self._answers))
        self._answers.append(_Answer(look.t, menu, look))
        self._left = False
        self._stale = True
        if menu.seen_by != "serial":
            self._lines.clear()
        return Press((ENTER,), why, menu, serial=serial)

    def _after_answer(self, menu: Menu, look: Look) -> list[Instruction]:
        last = self._answers[-1]
        if menu.at_once and menu.kind is last.menu.kind:
            return []  # its line stays on the screen, and may get one more dot, when it has its key
        if not self._left:
            return self._unmoved(menu, look, since_s=look.t - last.t)
        if not self._stands(menu, look) or (self._kernel_loads and not self._drawn_again(look, last)):
            return []
        if (_same_menu(menu, look, last) and not self._revealed(menu)) or self._kernel_t > last.t:
            return self._came_back(menu) if look.t - last.t >= REACT_S else []  # reads are reported later
        if len(self._answers) >= MAX_KEYS:
            return [
                self._stop(
                    MenuOutcome.WAITS, f"{_name(menu)} waits for a person, after {MAX_KEYS} keys", menu
                )
            ]
        return [Stands(menu), self._answer(menu, look, f"{_name(menu)} waited for a person")]

    def _revealed(self, menu: Menu) -> bool:
        """Whether the last key made the menu visible, and did no more: what it answered was not the menu yet."""
        before = self._answers[-1].menu
        drawn_since = before.seen_by == "configuration" != menu.seen_by or (menu.listed and not before.listed)
        return drawn_since or (before.hidden and len(self._answers) == 1)

    def _may_have_started(self, menu: Menu, look: Look) -> bool:
        """Whether another picture than the one that was answered may be what a silent kernel has left on the screen."""
        if menu.seen_by != "configuration" or look.picture == self._answers[-1].look.picture:
            return False
        if self._revealed(menu):
            return False
        still_s = look.t - max(self._since_t, self._busy_t)
        return len(self._answers) >= MAX_KEYS or still_s < LATER_S * look.pace

    def _unmoved(self, menu: Menu, look: Look, *, since_s: float) -> list[Instruction]:
        """The menu is unchanged since the key press."""
        last = self._answers[-1]
        if since_s < REACT_S * look.pace or self._kernel_t > last.t:
            return []
        if self._busy_t > last.t:  # a loader that reads files has accepted the key, whatever is on the screen
            return self._came_back(menu) if look.t - self._busy_t >= LATER_S * look.pace else []
        if len(self._answers) >= MAX_KEYS:
            if since_s < LATER_S * look.pace:
                return []  # what it reads may not be seen
            return [self._stop(MenuOutcome.NO_REACTION, f"{_name(menu)} does not react to keys", menu)]
        return [self._answer(menu, look, f"{_name(menu)} did not react")]

    def _choose(self, menu: Menu, look: Look) -> list[Instruction]:
        done: list[Instruction] = []
        if self._walk is None:
            if menu.counting_s is None and not self._stands(menu, look):
                return []
            done.append(Stands(menu))
            if menu.kind is MenuKind.PROMPT:
                return [*done, self._type_entry(menu, look)]
            self._walk = Walk(self._policy.path, _ASKED if self._policy is self._asked else _NO_DISK)
        step = self._walk.look(menu, look)
        match step:
            case None:
                return done
            case Missing() if self._policy is not self._asked:
                self._policy, self._walk, self._has_disk = self._asked, None, True
                return done
            case Missing():
                return [
                    *done,
                    self._stop(MenuOutcome.NO_ENTRY, step.detail, replace(menu, entries=step.entries)),
                ]
        if step.starts:
            self._walk = None
            self._answers.append(_Answer(look.t, menu, look))
            self._left = False
        return [*done, Press(step.chords, step.why, menu, answers=step.starts)]

    def _instead_of_disk(self, menu: Menu) -> str:
        """The first entry that starts a system, where the highlighted one boots a disk; else ``""``."""
        config = next((one for one in self._live_configs() if one.kind is menu.kind and one.rows), None)
        if self._has_disk or config is None or menu.hidden:
            return ""
        rows_of_page = [row for row in config.rows if len(row.path) == 1]
        chosen = menu.title or next(iter(config.titles[config.chosen :]), "")
        boots_disk = any(_BOOTS_DISK.search(row.runs) for row in rows_of_page if row.path == (chosen,))
        starts = [row.path[0] for row in rows_of_page if row.entry and "memtest" not in row.entry.kernel]
        return starts[0] if boots_disk and starts else ""

    def _type_entry(self, menu: Menu, look: Look) -> Instruction:
        step = self._policy.path[-1]
        label = step
        if step.isdigit() and menu.entries:
            if int(step) > len(menu.entries):
                return self._stop(
                    MenuOutcome.NO_ENTRY, f"the menu has {len(menu.entries)} entries, not {step}", menu
                )
            label = menu.entries[int(step) - 1]
        try:
            chords = (*chords_of(label), ENTER)
        except ValueError as error:
            return self._stop(MenuOutcome.NO_ENTRY, str(error), menu)
        self._answers.append(_Answer(look.t, menu, look))
        self._left = False
        return Press(chords, f"{label!r} was asked for", menu)

    def _refused(self, why: Refusal, look: Look) -> list[Instruction]:
        self._left = bool(self._answers)
        if why is Refusal.SYSTEM:
            self._over = True
        if why is Refusal.PASSPHRASE and look.t - self._since_t >= PASSPHRASE_S:
            asked = look.last_words[:120] or "the entry of the boot menu is guarded by one"
            return [self._stop(MenuOutcome.PASSPHRASE, f"waits for a passphrase: {asked}", None)]
        return []

    def _drawn_again(self, look: Look, last: _Answer) -> bool:
        """Whether the menu was drawn after its kernel was read, rather than left on the screen by a silent kernel."""
        drawn_since = self._since_t > self._busy_t and look.t - self._busy_t >= UNSEEN_S * look.pace
        return drawn_since and not look.has_rows_beyond(last.look)

    def _asks_for_password(self) -> bool:
        """Whether the entry that was started is a guarded one; its prompt may be a picture."""
        last = self._answers[-1]
        return last.menu.title in last.menu.guarded and self._left and self._kernel_t <= last.t

    def _came_back(self, menu: Menu) -> list[Instruction]:
        title = self._answers[-1].menu.title
        entry = f" after {title!r} was started" if title else ""
        return [self._stop(MenuOutcome.RETURNED, f"{_name(menu)} came back{entry}", menu)]

    def _stop(self, outcome: MenuOutcome, detail: str, menu: Menu | None) -> Stop:
        self._finished = True
        return Stop(outcome, detail, menu)


def _name(menu: Menu) -> str:
    if menu.kind is MenuKind.PROMPT:
        return "the boot prompt"
    if menu.kind is MenuKind.KEY_PAGE:
        return menu.kind.value
    return f"the boot menu ({menu.kind.value})" if menu.kind is not MenuKind.UNKNOWN else "the boot menu"


def _same_menu(menu: Menu, look: Look, last: _Answer) -> bool:
    if menu.seen_by == "configuration":
        return look.picture == last.look.picture
    return menu.kind is last.menu.kind and menu.entries == last.menu.entries
