"""The kernel command line in the menu of a stick: which overrides it contains, and whether they fit. Pure.

::

    BOOT_IMAGE=... KERNEL_OPTIONS [SERIAL] root=bootchain ... [trace] [way] hiperiso_iso=PATH OVERRIDES

OVERRIDES are for that ISO alone: the recorder knows them from hiperiso.json. The rest is for all ISOs that are recorded
in this start of the machine.

A kernel holds `MAX_CHARS` of it, and GRUB cuts the rest. So the longest line that the menu can produce for an ISO is
measured when the menu is created.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from hiperiso.contract.kernel_cmdline import MAX_CHARS, word_as_grub
from hiperiso.contract.row import ISO, Carried, Row, Where
from hiperiso.contract.settings import ROWS
from hiperiso.contract.words import TraceLevel

SERIAL: Final = "console=ttyS0,115200 console=tty0"
DIRECTLY: Final = f"{ROWS['fallback'].parameter}=1"
EMULATED: Final = f"{ROWS['accel'].parameter}=tcg {ROWS['fallback'].parameter}=0"

_TRACE: Final = ROWS["trace"].parameter
_BOOT_IMAGE: Final = "BOOT_IMAGE=(hd99,gpt99)"  # as GRUB writes it in front, with room for many disks
_NOT_PLAIN: Final = frozenset(" '\"\\$*?[]")
"""Characters that are special to GRUB; such values are left to the recorder, which reads hiperiso.json."""


@dataclass(frozen=True)
class OverrideWord:
    """One ``parameter=value``."""

    row: Row
    text: str


@dataclass(frozen=True)
class KernelLine:
    """The common part of all command lines of a menu, as words separated by spaces.

    Attributes:
        kernel: path of the kernel on the EFI partition.
        options: options of the host kernel.
        fixed: the chain and its parameters.
    """

    kernel: str
    options: str
    fixed: str

    def length(self, iso_path: str, words: Iterable[OverrideWord] = ()) -> int:
        """The length of the longest line for an ISO, for any choice in the menu."""
        always, trace, way = 0, 0, 0
        for word in words:
            if word.row.carried is Carried.UNLESS_TRACE:
                trace += _room(word.text)
            elif word.row.carried is Carried.UNLESS_WAY:
                way += _room(word.text)
            else:
                always += _room(word.text)
        chosen_trace = max(_room(f"{_TRACE}={level}") for level in TraceLevel)
        chosen_way = max(_room(DIRECTLY), _room(EMULATED))
        iso = word_as_grub(f"{ISO.parameter}={iso_path}")
        parts = (_BOOT_IMAGE + self.kernel, self.options, SERIAL, self.fixed, iso)
        return sum(map(_room, parts)) - 1 + always + max(trace, chosen_trace) + max(way, chosen_way)

    def too_many(self, iso_path: str, words: list[OverrideWord]) -> list[OverrideWord]:
        """The words that do not fit; later ones are dropped first."""
        kept = list(words)
        while kept and self.length(iso_path, kept) > MAX_CHARS:
            kept.pop()
        return words[len(kept) :]


def override_words(settings: dict[str, Any]) -> list[OverrideWord]:
    """The settings of an ISO that a kernel command line can contain, in the order of the table.

    Args:
        settings: name -> raw value of hiperiso.json.
    """
    words: list[OverrideWord] = []
    for row in ROWS.values():
        if row.carried is not Carried.FILE and row.applies(Where.STICK) and row.name in settings:
            texts = _texts(row, settings[row.name])
            if texts and all(map(_is_plain, texts)):
                words += [OverrideWord(row, f"{row.parameter}={text}") for text in texts]
    return words


def _texts(row: Row, value: Any) -> list[str]:
    """A raw value as the values of kernel parameters; empty if it has no such form."""
    if isinstance(value, dict):
        try:
            return [row.kind.text(row.kind.parse(value))]
        except ValueError:
            return []
    if isinstance(value, list):
        items = [text for item in value if not isinstance(item, list) for text in _texts(row, item)]
        separator = getattr(row.kind, "separator", ",")
        if len(items) != len(value) or (not row.kind.repeated and any(separator in item for item in items)):
            return []
        return items if row.kind.repeated else [separator.join(items)]
    if isinstance(value, bool):
        return ["1" if value else "0"]
    return [str(value)] if isinstance(value, str | int | float) else []


def _is_plain(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and not _NOT_PLAIN & set(text)


def _room(text: str) -> int:
    return len(text.encode("utf-8", "replace")) + 1
