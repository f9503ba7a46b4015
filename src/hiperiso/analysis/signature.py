"""What the judge knows, as data: a signature is one thing that a booting machine prints, and what it means.

Tables of them are in ``hiperiso.analysis.signatures``. A line is searched only with the signatures of which it holds a
literal (`hiperiso.analysis.anchors`): a catalogue of hundreds costs little more than one of ten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hiperiso.analysis.alike import distinguishes_digits, for_any_digits, form_of, form_of_text
from hiperiso.analysis.anchors import Anchors
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity


class Effect(StrEnum):
    """What a signature does to the verdict besides marking a stage."""

    NONE = "none"
    WAITING = "waiting"  # the system waits for a person: login, installer, shell
    SESSION = "session"  # a user was logged in without a person: what the session starts may be a desktop
    SHELL = "shell"  # a root prompt: a login unless it is the prompt of an emergency
    APPLICATION = "application"  # a stand-alone program runs, such as a memory test
    FATAL = "fatal"  # the boot failed; final unless the machine restarts
    STUCK = "stuck"  # the boot failed unless it continues by itself
    OVER = "over"  # the last line of a panic: nothing more will come
    RUNNING = "running"  # the service manager has finished starting the system
    STOPPING = "stopping"  # the system begins to shut down
    OFF = "off"  # the system switches the machine off
    IN_INITRAMFS = "in_initramfs"  # a service manager reports that it still runs from the initramfs
    ASKS = "asks"  # a secret is requested, which no one can enter
    ROOT_SWITCHED = "root_switched"  # the real root file system takes over


class Origin(StrEnum):
    """Who printed it, as far as a line shows."""

    ANY = "any"
    KERNEL = "kernel"  # behind a printk stamp
    USER = "user"  # not behind one


class On(StrEnum):
    """Where a signature may be seen."""

    ANY = "any"
    PROMPT = "prompt"  # an unfinished line, or the last row of a screen
    SCREEN = "screen"
    STDERR = "stderr"  # QEMU's own standard error


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One thing that a machine prints.

    Attributes:
        pattern: regular expression, searched in a cleaned line without its kernel time stamp; bounded repeats only.
        literals: the line must hold one of these, the words in it as whole words.
        examples: lines as really printed, which the tests match: in other words, of other versions. At least one.
        unlike: a line that looks alike, or is harmless, and must not match.
        shares: rules that read the examples, too, and mean to: by their kind, without one by their family or "stage".
        origin: who must have printed it.
        stage: reached when this is seen.
        kind: kind of the finding, None for none.
        summary: its one line; ``{0}`` is the match, ``{name}`` a named group.
        software: what is recognised; same placeholders.
        settle_s: how long the end waits for more, with an effect that ends the boot.
        reason: why the recording then ends.
        family: a recognised name; a longer one of the same family replaces a shorter.
        at_least: counts only from this stage on; boot menus promise much that has not come yet.
        requires: counts only when one of these families has been recognised before.
        noted: enters a finding; False for what other lines report too, which would be counted twice.
    """

    pattern: str
    literals: tuple[str, ...]
    examples: tuple[str, ...]
    unlike: str = ""
    shares: tuple[FindingKind | str, ...] = ()
    stage: BootStage | None = None
    kind: FindingKind | None = None
    severity: Severity = Severity.INFO
    domain: FailureDomain = FailureDomain.NONE
    summary: str = ""
    software: str = ""
    family: str = ""
    effect: Effect = Effect.NONE
    on: On = On.ANY
    settle_s: float = 0.7
    reason: EndReason | None = None
    at_least: BootStage = BootStage.UNKNOWN
    requires: tuple[str, ...] = ()
    origin: Origin = Origin.ANY
    noted: bool = True


@dataclass(frozen=True, slots=True)
class Hit:
    """A signature that matched, with its texts filled in."""

    signature: Signature
    groups: dict[str, str]
    match: str

    @property
    def summary(self) -> str:
        """The finding's line."""
        return _fill(self.signature.summary or "{0}", self)

    @property
    def software(self) -> str:
        """The name of what was recognised, empty for nothing."""
        return _fill(self.signature.software, self) if self.signature.software else ""


class Row:
    """A signature and its pattern, compiled when a line first holds one of its literals: most never do."""

    __slots__ = (
        "_last",
        "_loose",
        "_pattern",
        "any_origin",
        "anywhere",
        "by_digits",
        "literals",
        "number",
        "signature",
    )

    def __init__(self, number: int, signature: Signature) -> None:
        self.number = number
        self.signature = signature
        self.literals = signature.literals
        self.anywhere = signature.on is On.ANY
        self.any_origin = signature.origin is Origin.ANY
        self.by_digits = distinguishes_digits(signature.pattern, signature.literals)
        self._pattern: re.Pattern[str] | None = None
        self._loose: re.Pattern[str] | None = None
        self._last: tuple[str, re.Match[str] | None] = ("", None)

    def might_match(self, text: str) -> bool:
        """Whether a piece of a line holds a literal."""
        return any(
            literal in text or (literal[-1] == "\n" and text.endswith(literal[:-1]))
            for literal in self.literals
        )

    def search(self, text: str) -> re.Match[str] | None:
        """Search a piece of a line; what was searched last, is not searched again."""
        last, match = self._last
        if last == text:
            return match
        match = None
        if self.might_match(text):
            if self._pattern is None:
                self._pattern = re.compile(self.signature.pattern)
            match = self._pattern.search(text)
        self._last = (text, match)
        return match

    def depends_on_digits(self, text: str) -> bool:
        """Whether a piece of a line that holds a literal matches, or would with other digits."""
        if not self.by_digits:
            return False
        if self._loose is None:
            self._loose = re.compile(for_any_digits(self.signature.pattern))
        return self._loose.search(text) is not None


class Catalogue:
    """Signatures to search lines with, found by the literals that a line holds."""

    def __init__(self, signatures: Iterable[Signature]) -> None:
        self.rows = tuple(Row(number, signature) for number, signature in enumerate(signatures))
        by_literal: dict[bytes, list[Row]] = {}
        for row in self.rows:
            for form in {form_of_text(literal).encode(): None for literal in row.literals}:
                by_literal.setdefault(form, []).append(row)
        self.literals = tuple(by_literal)
        self._by_literal = tuple(by_literal.values())
        self._anchors = Anchors(self.literals)

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """The signatures in it."""
        return tuple(row.signature for row in self.rows)

    def candidates(self, text: str) -> list[Row]:
        """The rows of which a line holds a literal, in order."""
        return self.rows_of(self._anchors.find(form_of(text.encode("utf-8", "replace"))))

    def rows_of(self, literals: Iterable[int]) -> list[Row]:
        """The rows with any of some literals, in order."""
        found = {row.number: row for literal in literals for row in self._by_literal[literal]}
        return [found[number] for number in sorted(found)] if found else []

    def hits(
        self,
        text: str,
        channel: On,
        *,
        prompt: bool,
        origin: Origin = Origin.ANY,
        candidates: Sequence[Row] | None = None,
    ) -> Iterator[Hit]:
        """Yield what a line means.

        Args:
            text: the line, or a piece of it.
            channel: where it was seen.
            prompt: whether it is unfinished.
            origin: who printed it.
            candidates: the rows to search with, by default those of which it holds a literal.
        """
        for row in self.candidates(text) if candidates is None else candidates:
            signature = row.signature
            if not (row.anywhere and channel is not On.STDERR) and not _applies(
                signature.on, channel, prompt
            ):
                continue
            if not row.any_origin and signature.origin is not origin is not Origin.ANY:
                continue
            if match := row.search(text):
                groups = {name: value or "" for name, value in match.groupdict().items()}
                yield Hit(signature, groups, match.group())


def _applies(on: On, channel: On, prompt: bool) -> bool:
    if channel is On.STDERR or on is On.STDERR:
        return on is channel
    if on is On.PROMPT:
        return prompt
    return on is On.ANY or on is channel


def _fill(template: str, hit: Hit) -> str:
    text = template.replace("{0}", hit.match)
    for name, value in hit.groups.items():
        text = text.replace("{" + name + "}", value.strip())
    return " ".join(text.split())


def join(*tables: Sequence[Signature]) -> tuple[Signature, ...]:
    """Return tables as one."""
    return tuple(signature for table in tables for signature in table)
