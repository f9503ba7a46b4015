"""How the arguments of trace events are written: the declarations of QEMU's ``trace-events-all``.

::

    ide_atapi_cmd_error(void *s, int sense_key, int asc) "IDEState: %p; sense=0x%x asc=0x%x"

A session with a binary trace keeps those of its events in ``trace.formats``, so that it can be read anywhere; the
first line there says how far the wall clock is ahead of the monotonic one, in which the trace counts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from hiperiso.contract.store import atomic_write

DECLARATIONS: Final = "trace-events-all"
_CLOCK: Final = re.compile(r"# wall clock ahead by (-?\d{1,12}\.\d{1,9}) s")
_LINE: Final = re.compile(r"((?:[a-z-]{1,20}\s+){0,3})(\w{1,128})\(([^()]{0,1000})\)\s*(.{0,1000})$")
_PART: Final = re.compile(r'"((?:[^"\\]|\\.){0,800})"|PRI([diouxX])(\d{1,2}|PTR|MAX)')
_SPEC: Final = re.compile(r"%([#0 +-]{0,5})(\d{0,3}|\*)(?:\.(\d{1,3}))?(hh|h|ll|l|j|z|t)?([diouxXpsc%])")
_ESCAPED: Final = re.compile(r"\\(.)")
_ESCAPES: Final = {"n": "\n", "t": "\t"}
WIDTH: Final = "*"
"""Instead of a letter: an argument that is the width of the next one."""
_BITS: Final = {"hh": 8, "h": 16, None: 32, "": 32}
_TYPE_BITS: Final = (
    *(("64", 64), ("32", 32), ("16", 16), ("8_t", 8), ("long", 64), ("size_t", 64), ("ptr", 64)),
    *(("short", 16), ("char", 8), ("bool", 1)),
)
_SIGNED: Final = re.compile(r"(?:const )?(?:int|long|short|ssize_t|ptrdiff_t|int\d{1,2}_t|off_t|char)\b")
_MAX_FILE_BYTES: Final = 4 << 20
_MAX_TEXT: Final = 2000


class EventFormat(msgspec.Struct, frozen=True):
    """One event's arguments.

    Attributes:
        name: of the event.
        arguments: their names.
        kinds: what each is: ``str``, ``int``, ``unsigned`` or ``pointer``.
        bits: how wide each is as declared; 0 for strings. In a trace all numbers have 64.
        template: QEMU's text around them, PRI macros replaced.
    """

    name: str
    arguments: tuple[str, ...]
    kinds: tuple[str, ...]
    bits: tuple[int, ...]
    template: str

    def text(self, values: Sequence[int | str]) -> str:
        """The record as QEMU's text backend writes it; what has no value keeps its ``%``."""
        left = iter(values)
        return _SPEC.sub(lambda match: _written(match, left), self.template)[:_MAX_TEXT]


def parse_formats(lines: Iterable[str]) -> dict[str, EventFormat]:
    """The declarations in `lines`; other lines are skipped."""
    found = {}
    for line in lines:
        match = _LINE.match(line.strip()) if len(line) < 2500 and not line.startswith("#") else None
        if match:
            declared = [part.strip() for part in match[3].split(",") if part.strip() not in ("", "void")]
            template = _template(match[4])
            if (
                "vcpu" in match[1].split()
            ):  # such events have the processor as an argument that is not written down
                declared, template = ["void *__cpu", *declared], f"cpu=%p {template}"
            found[match[2]] = EventFormat(
                name=match[2],
                arguments=tuple(re.split(r"[\s*]+", part)[-1] for part in declared),
                kinds=tuple(_kind(part) for part in declared),
                bits=tuple(_bits(part) for part in declared),
                template=template,
            )
    return found


def template_parts(template: str) -> tuple[list[str], list[tuple[str, str, str]]]:
    """A template as the words around its arguments, one more than there are arguments, and of each argument the flags
    (with the width), the precision and the letter (or `WIDTH`)."""
    literals, specs = [""], []
    at = 0
    for match in _SPEC.finditer(template):
        literals[-1] += template[at : match.start()]
        at = match.end()
        flags, width, precision, _, letter = match.groups()
        if letter == "%":
            literals[-1] += "%"
        else:
            if width == WIDTH:
                specs.append(("", "", WIDTH))
                literals.append("")
                width = ""
            specs.append((flags + width, precision or "", letter))
            literals.append("")
    literals[-1] += template[at:]
    return literals, specs


def write_formats(path: Path, qemu: Path, events: Collection[str], wall_ahead_s: float) -> None:
    """Write the declarations of `events`, as the QEMU at `qemu` has them beside it, to `path`.

    Raises:
        OSError: `path` cannot be written.
    """
    lines = [f"# wall clock ahead by {wall_ahead_s:.6f} s"]
    for line in _declarations(qemu):
        match = _LINE.match(line.strip()) if len(line) < 2500 else None
        if match and match[2] in events:
            lines.append(line.strip())
    atomic_write(path, "\n".join([*lines, ""]).encode())


def read_formats(path: Path) -> tuple[dict[str, EventFormat], float | None]:
    """The declarations of a file, and the lead of the wall clock if present; both empty without a file."""
    lines = _lines(path)
    clock = _CLOCK.match(lines[0]) if lines else None
    return parse_formats(lines), float(clock[1]) if clock else None


def declarations_file(qemu: Path) -> Path | None:
    """Where the QEMU at `qemu` has its declarations."""
    real = qemu.resolve()
    places = (real.parent / DECLARATIONS, real.parent.parent / "share" / "qemu" / DECLARATIONS)
    return next((place for place in places if place.is_file()), None)


def _declarations(qemu: Path) -> list[str]:
    path = declarations_file(qemu)
    return _lines(path) if path else []


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def _kind(declared: str) -> str:
    if re.match(r"(?:const )?char ?\*[^*]*$", declared):
        return "str"
    if "*" in declared:
        return "pointer"
    return "int" if _SIGNED.match(declared) else "unsigned"


def _bits(declared: str) -> int:
    if "*" in declared:
        return 0 if _kind(declared) == "str" else 64
    words = declared.rsplit(maxsplit=1)[0]
    return next((bits for word, bits in _TYPE_BITS if word in words), 32)


def _template(text: str) -> str:
    """String pieces and PRI macros as one format; the macros keep their width as a modifier."""
    pieces = []
    for piece, letter, bits in _PART.findall(text):
        wide = {"8": "hh", "16": "h", "32": ""}.get(bits, "ll")
        pieces.append(
            f"{wide}{letter}" if letter else _ESCAPED.sub(lambda one: _ESCAPES.get(one[1], one[1]), piece)
        )
    return "".join(pieces)


def _written(match: re.Match[str], values: Iterator[int | str]) -> str:
    flags, width, precision, size, letter = match.groups()
    if letter == "%":
        return "%"
    if width == WIDTH:
        width = str(next(values, 0))[:2]
    value = next(values, None)
    if value is None:
        return match[0]
    if isinstance(value, str) or letter == "s":
        text = str(value)
        return text.ljust(int(width or 0)) if "-" in flags else text.rjust(int(width or 0))
    if letter == "p":
        return f"0x{value & (1 << 64) - 1:x}" if value else "(nil)"
    bits = _BITS.get(size, 64)
    number = value & ((1 << bits) - 1)
    if letter == "c":
        return chr(number) if 32 <= number < 127 else "?"
    if letter in "di" and number >> (bits - 1):
        number -= 1 << bits
    kind = "d" if letter in "diu" else letter
    return f"%{flags}{width}{'.' + precision if precision else ''}{kind}" % number
