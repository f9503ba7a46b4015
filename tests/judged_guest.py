"""A guest of whom a judge sees the processes and the screen, second by second."""

from __future__ import annotations

from itertools import count
from typing import Any

from hiperiso.analysis.expectation import Expectation
from hiperiso.analysis.judge import Judge
from hiperiso.analysis.verdict import Verdict, verdict_of
from hiperiso.contract.eventlines import event_of
from hiperiso.contract.expected import Expected
from hiperiso.contract.words import EndReason

MANAGER, SERVER = "/usr/sbin/lightdm", "/usr/lib/xorg/Xorg :0 -seat seat0"
GREETER = "/usr/sbin/lightdm-gtk-greeter"


class Guest:
    """A guest with a text login at 38 s, whose processes and screen are seen."""

    def __init__(self, *wanted: Expected, accel: str = "kvm", getty: bool = True) -> None:
        self.judge = Judge(Expectation(wanted))
        self._numbers = count()
        self.add(0, "harness", "plan", accel=accel, vga="std")
        self.process(20, 1, "/sbin/init", root="overlay")
        if getty:
            self.process(37, 300, "/sbin/agetty -o -p -- \\u --noclear tty1 linux")

    def add(self, t: float, source: str, kind: str, text: str = "", **data: Any) -> Guest:
        self.judge.feed(event_of(next(self._numbers), t, source, kind, text=text, data=data))
        return self

    def process(self, t: float, pid: int, argv: str, kind: str = "started", **data: Any) -> Guest:
        words = argv.split()
        facts = {"pid": pid, "ppid": 1, "comm": words[0].rsplit("/", 1)[-1][:15], "argv": words, "boot": 0}
        return self.add(t, "process", kind, f"{facts['comm']} ({pid}) {kind}", **(facts | data))

    def login(self) -> Guest:
        return self.add(38, "screen", "text", "Debian GNU/Linux 12 debian tty1\n\ndebian login: ", cols=80)

    def started(self) -> Guest:
        """With lightdm and its X server, on a black screen."""
        self.process(39, 400, MANAGER).login().process(44, 410, SERVER, ppid=400)
        return self.add(46, "screen", "blank", width=1280, height=800, colour="#000000")

    def picture(self, t: float) -> Guest:
        return self.add(t, "screen", "image", width=1280, height=800)

    def decision(self, t: float) -> tuple[EndReason, float] | None:
        found = self.judge.decide(t)
        return (found.reason, round(found.at_s, 2)) if found else None

    def verdict(self, t: float) -> Verdict:
        self.add(t, "harness", "end", EndReason.TIMEOUT.value)
        return verdict_of(self.judge)
