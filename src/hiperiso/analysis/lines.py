"""The normal form of a line: what was printed, without what a kernel or a collector of logs put before it.

One cleaned line may hold several statements: a prompt that a kernel message interrupts, two kernel messages of which
the first lacks its newline. ``pieces`` takes it apart; everything that reads words of a boot works on pieces.

What is known:

- printk's stamps with and without the caller (``CONFIG_PRINTK_CALLER``), with ``<level>``, of any width; those of
  ``dmesg -T``, ``-x`` and ``-d``; ``** N printk messages dropped **`` before them;
- syslog and journal lines (``Jan 02 10:00:00 host kernel: ``);
- the CPU and the process, which vendors' kernels print behind it: ``c0   1234 ``, ``(0)[1234:demo]``;
- ``/dev/kmsg`` and logcat;
- collectors: ISO times (GitHub Actions, tuxrun, ``ts``), ``[10:00:01]``, console names (``ttyS0: ``), LAVA's YAML
  lines, ``gh run view --log`` and Docker Compose's columns.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

MAX_PIECES: Final = 8
_MAX_PREFIXES: Final = 5
_MAX_BRACKETS: Final = 500
_SCRIPTS: Final = ("dracut: ", "dracut-", "init: ", "live-boot: ", "casper: ")

_SECONDS: Final = r"\[\s{0,12}\+?(?P<s>\d{1,12}\.\d{1,9})s?\s?\]"
_STRICT_SECONDS: Final = r"\[(?:[ \d]{4}\d|\d{6,12})\.\d{6}\s?\]"

STAMP: Final = re.compile(
    rf"(?:<\d{{1,3}}>)?{_SECONDS}"
    r"(?:\s?\[\s{0,10}[TC]\d{1,10}(?:@C\d{1,5})?\s?\])?"
)
"""printk's time stamp and, with CONFIG_PRINTK_CALLER, the task or CPU."""

STAMP_IN_BYTES: Final = re.compile(STAMP.pattern.encode())

STRICT_STAMP: Final = re.compile(_STRICT_SECONDS.encode())
"""The same as printk alone prints it, in bytes."""

_STAMP_BYTES: Final = re.compile(_SECONDS.encode())
_STRICT: Final = re.compile(_STRICT_SECONDS)
_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY: Final = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_CLOCK: Final = r"\d{1,2}:\d{2}:\d{2}(?:[.,]\d{1,9})?"
_DATE: Final = r"\d{4}[-/]\d{2}[-/]\d{2}"
_PREFIX: Final = re.compile(
    r"(?:"
    rf"\[?{_DATE}[T _-]{_CLOCK} ?(?:Z|UTC|[+-]\d{{2}}:?\d{{2}})?\]?(?:[:|>] ?| {{1,4}}|\t|$)"  # ISO, and its kin
    rf"|\[{_CLOCK}\](?:[:|>] ?| {{1,4}}|\t|$)|{_CLOCK}(?:[:|>] ?| {{1,4}}|\t)"
    rf"|\[{_DAY} {_MONTH} {{1,2}}\d{{1,2}} {_CLOCK} \d{{4}}\] ?"  # dmesg -T, conserver
    rf"|{_MONTH} {{1,2}}\d{{1,2}} {_CLOCK} [\w.-]{{1,64}} (?=[\w.@/-]{{1,64}}(?:\[\d{{1,9}}\])?: )"  # syslog
    r"|kernel: |\S{1,64} kernel: (?=\[)"
    r"|(?:kern|user|daemon|syslog|auth) {0,6}:(?:emerg|alert|crit|err|warn|notice|info|debug) {0,6}: "  # dmesg -x
    r"|<\d{1,3}>(?=\S)"
    r"|\[?(?:tty[A-Z]{1,8}\d{1,3}|hvc\d{1,2}|console|serial|uart|com\d)\]?(?::|\||>|\]) {1,4}"
    r"|[\w.-]{1,40}-\d{1,3} {1,8}\| (?=\S)"  # Docker Compose
    r"|[^\t]{1,80}\t[^\t]{1,80}\t(?=\d{4}-\d{2}-\d{2}T)"  # gh run view --log
    r"|\[ {0,6}\d{1,6}s\] {1,2}|\d{10}\.\d{1,9}:? {1,4}"  # build services, seconds since 1970
    rf"|\d{{2}}-\d{{2}} {_CLOCK} {{1,6}}\d{{1,7}} {{1,6}}\d{{1,7}} [VDIWEF] \S{{1,30}} {{0,16}}: "  # Android's logcat
    r"|\d{1,3},\d{1,12},\d{1,18},[^;\s]{1,40};"  # /dev/kmsg
    r"|\ufeff"
    r")"
)
_CONTEXT: Final = re.compile(
    r"(?:c\d{1,2} {1,6}\d{1,7} (?:\([^)\s]{1,30}\) )?|C\d{1,2} |\[c\d{1,2}\] |\[\d{1,2}\] (?=\S)"
    r"|[-.]?\(\d{1,2}\)\[\d{1,7}:[^\]]{1,40}\]|[A-Z]?\[ {0,3}\d{1,2}: {0,20}[^\]]{1,40}: {0,8}\d{1,7}\] ?"
    r"|\[pid:\d{1,7},cpu\d{1,3},[^\]]{1,60}\])"
)
"""The CPU and the process that kernels of telephones and boards print behind the time stamp."""

_DROPPED: Final = re.compile(
    r"\*{2} (?:\d{1,9} printk messages dropped|replaying previous printk message) \*{2} ?"
)
_LAVA: Final = re.compile(
    r"- \{\"?dt\"?: [\"']?[\dT:.-]{10,32}[\"']?, \"?lvl\"?: \"?(?P<level>\w{1,20})\"?, "
    r"\"?msg\"?: (?P<q>[\"']?)(?P<msg>.*?)(?P=q)\}$"
)
_GITHUB: Final = re.compile(r"##\[(?:group|endgroup|command|section|debug|warning|error)\]")


class Piece(NamedTuple):
    """One statement of a line.

    Attributes:
        text: what was printed; a kernel message begins with its first word.
        kernel_s: the kernel's own time stamp in seconds, None where there is none.
        strict: the stamp is printed as only printk does.
        cut: something else was printed before the statement had ended: a prompt, most often.
    """

    text: str
    kernel_s: float | None = None
    strict: bool = False
    cut: bool = False

    @property
    def by_kernel(self) -> bool:
        """Behind a stamp stands the kernel's own message, or that of an init script that writes to the kernel log."""
        return self.kernel_s is not None and not self.text.startswith(_SCRIPTS)


@lru_cache(maxsize=8)  # several readers ask for the same line, one after the other
def pieces(line: str) -> tuple[Piece, ...]:
    """Take a cleaned line apart; at most ``MAX_PIECES``, the last one holds the rest."""
    text = without_collector(line)
    if "[" not in text:
        return (Piece(text),)
    marks = []
    for match in STAMP.finditer(text):
        marks.append(match)
        if len(marks) == MAX_PIECES:
            break
    if not marks:
        return (Piece(text),)
    out = []
    before = text[: marks[0].start()]
    if before.strip():
        out.append(Piece(before, cut=True))
    for number, mark in enumerate(marks):
        end = marks[number + 1].start() if number + 1 < len(marks) else len(text)
        strict = _STRICT.search(mark.group()) is not None
        body = text[mark.end() : end].lstrip()
        if context := _CONTEXT.match(body):
            body = body[context.end() :]
        body = without_collector(body)
        out.append(Piece(body, float(mark["s"]), strict=strict))
    return tuple(out)


def last_stamp(line: str) -> float | None:
    """The last of a kernel's time stamps in a line."""
    last = None
    if "[" in line:
        for match in STAMP.finditer(line):
            last = match
    return float(last["s"]) if last else None


def last_stamp_before(text: bytes, begin: int, end: int) -> float | None:
    """The last of a kernel's time stamps in the lines between two offsets."""
    at = end
    for _ in range(_MAX_BRACKETS):
        at = text.rfind(b"[", begin, at)
        if at < 0:
            return None
        if match := _STAMP_BYTES.match(text, at, end):
            return float(match["s"])
    last = None
    for last in _STAMP_BYTES.finditer(text, begin, at):  # noqa: B007 - one pass, whatever the text is
        pass
    return float(last["s"]) if last else None


def without_collector(line: str) -> str:
    """Remove what collectors of logs put before a line."""
    text = line
    for _ in range(_MAX_PREFIXES):
        match = None
        if text[:3] == "** ":
            match = _DROPPED.match(text)
        elif text[:3] == "- {":
            if lava := _LAVA.match(text):
                text = lava["msg"] if lava["level"] in ("target", "feedback") else ""
                continue
        elif text[:3] == "##[":
            match = _GITHUB.match(text)
        match = match or _PREFIX.match(text)
        if match is None:
            return text
        text = text[match.end() :]
    return text
