"""Automatic logins: whether the session that one starts is still awaited, lives, or ends again and again.

::

    awaited   a getty or a login program logs a user in by itself, and nothing of the session has stayed yet; or it
              has just ended, and may be started again
    lives     the login program, or what it became, has stayed; or the prompt of its shell was seen
    fails     it ended often enough, or ended and was not started again

All waits are counted on the guest's clock (`hiperiso.analysis.guestclock`).
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from hiperiso.analysis.desktop import DEATHS, HOPE_S, LOOP_S, QUIET_S, Outcome
from hiperiso.analysis.guestclock import GuestClock
from hiperiso.analysis.processes import automatic_user
from hiperiso.analysis.progress import SESSION_S
from hiperiso.contract.events import Event, ProcessChange, ProcessEnded
from hiperiso.contract.words import FindingKind

AGAIN_S: Final = 5.0
"""A service manager starts what ended again within this time."""

STAYS_S: Final = 2 * SESSION_S
"""A login program waits some seconds before it ends after a failure: one that has stayed for so long has not failed."""


class AutoLogins:
    """What is known of the automatic logins of the current attempt to boot."""

    def __init__(self, clock: GuestClock) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """The machine was reset."""
        self._trying: dict[int, Event] = {}  # by pid, since when
        self._sessions: dict[int, tuple[int, Event]] = {}  # their children: of which pid, since when
        self._announced: Counter[str] = Counter()  # by channel
        self._user = ""
        self._deaths = 0
        self._last_death: Event | None = None
        self._enough_s = float("inf")  # since when there are deaths enough
        self.lived: Event | None = None
        """Since when a session lives; None before."""

    def process(self, event: ProcessChange) -> None:
        """Take a change of a process."""
        data, pid = event.data, event.data.pid or 0
        if isinstance(event, ProcessEnded):
            self._sessions.pop(pid, None)
            if self._trying.pop(pid, None):
                self._died(event)
            return
        user = automatic_user(data.comm or "", data.argv or ())
        if user is not None:
            self._user = user or self._user
            self._trying.setdefault(pid, event)
        elif (parent := next((one for one in (pid, data.ppid) if one in self._trying), None)) is not None:
            self._sessions.setdefault(pid, (parent, event))  # a child, or what the login program became

    def announced(self, event: Event) -> bool:
        """Take a line about an automatic login, where no process is seen; returns whether it came before.

        Each one but the first on the same channel shows that the session before has ended.
        """
        self._announced[event.source] += 1
        again = self._announced[event.source] > 1
        if self._announced[event.source] >= DEATHS:
            self._deaths = max(self._deaths, DEATHS - 1)
            self._died(event)
        return again

    def time_passed(self, t: float) -> None:
        """Take as living what has stayed long enough."""
        for pid, since in list(self._trying.items()):
            children = [event.t for parent, event in self._sessions.values() if parent == pid]
            stays_s = self._clock.after(since.t, STAYS_S)
            due_s = min([stays_s, *(self._clock.after(child_s, SESSION_S) for child_s in children)])
            if t >= due_s:
                self._live(pid)

    def prompted(self, *, on_screen: bool) -> None:
        """The prompt of a shell was seen: on a serial console it may be that of another login."""
        self._announced.clear()
        if self._deaths and not self._trying:
            self._deaths, self._last_death = 0, None
        if on_screen or len(self._trying) == 1:
            for pid in list(self._trying):
                self._live(pid)

    def is_awaited(self, t: float) -> bool:
        """Whether a session may still come, or its failure is not certain yet."""
        if self._trying or self._deaths >= DEATHS:
            return True
        last = self._last_death
        return last is not None and t < self._clock.after(last.t, AGAIN_S)

    def failure(self) -> Outcome | None:
        """How it fails if nothing changes; None without evidence for that."""
        last = self._last_death
        if last is None or self.lived:
            return None
        who = f"the automatic login of {self._user}" if self._user else "the automatic login"
        if self._deaths >= DEATHS:
            loop_s = self._clock.after(self._enough_s, LOOP_S)
            next_s = self._clock.after(last.t, SESSION_S if self._announced else QUIET_S)
            due_s = loop_s if self._trying else min(next_s, loop_s)
            words = f"{who} was tried {self._deaths} times, and its session ended each time"
        elif not self._trying:
            due_s = self._clock.after(last.t, HOPE_S)
            words = f"the session of {who} ended, and was not started again"
        else:
            return None
        return Outcome(last, due_s, words, FindingKind.LOGIN_FAILED)

    def _live(self, pid: int) -> None:
        self.lived = self.lived or self._trying[pid]
        del self._trying[pid]
        self._deaths, self._last_death = 0, None

    def _died(self, event: Event) -> None:
        self._deaths += 1
        self._last_death = event
        if self._deaths == DEATHS:
            self._enough_s = event.t
