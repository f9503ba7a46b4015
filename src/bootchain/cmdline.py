"""The kernel command line: split as the kernel does it, and repeated parameters as arrays.

The kernel (lib/cmdline.c, ``next_arg``; documented in admin-guide/kernel-parameters.rst) knows double quotes only:
``a="x y"`` and ``"a=x y"`` both give ``x y``; there is no escape; quotes inside a value stay; ``--`` ends the
kernel's part. ``-`` and ``_`` are the same in a name.

Steps get each parameter as variables: ``NAME0``, ``NAME1``, ... are its values; ``NAME`` is their number when the
parameter is an array (one of a step), else the last value, ``1`` where it was given without one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MODES = {"bootchain": "native", "pipeline": "pipeline"}
"""The word after ``root=`` and the mode of operation it activates."""

_SPACES = " \t\n\v\f\r\0"
_IDENTIFIER = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_NO = ("", "0", "n", "no", "off", "false")
RESERVED = frozenset(
    (
        *("BASHOPTS", "BASH_ENV", "BASH_VERSINFO", "BASH_VERSION", "ENV", "EUID", "HOME", "IFS", "LINENO"),
        *("OLDPWD", "OPTARG", "OPTIND", "PATH", "PPID", "PS1", "PS2", "PS3", "PS4", "PWD", "SHELL"),
        *("SHELLOPTS", "TERM", "UID"),
    )
)
"""Variables that belong to the shell, whatever the command line says."""


def split(text: str) -> list[tuple[str, str | None]]:
    """Split a command line as the kernel does.

    Returns:
        (name, value) in order; value is None for a parameter without ``=``. What follows ``--`` is left out.
    """
    found: list[tuple[str, str | None]] = []
    position, end = 0, len(text)
    while True:
        while position < end and text[position] in _SPACES:
            position += 1
        if position >= end:
            return found
        name, value, position = _next_parameter(text, position)
        if name == "--" and value is None:
            return found
        found.append((name, value))


def _next_parameter(text: str, start: int) -> tuple[str, str | None, int]:
    quoted = text[start] == '"'
    if quoted:
        start += 1
    in_quotes = quoted
    equals = 0
    i = start
    while i < len(text):
        char = text[i]
        if char in _SPACES and not in_quotes:
            break
        if char == "=" and not equals and i > start:
            equals = i
        elif char == '"':
            in_quotes = not in_quotes
        i += 1
    stop = i
    if equals:
        name, value = text[start:equals], text[equals + 1 : stop]
        if value.startswith('"'):
            value = value[1:].removesuffix('"')
        elif quoted:
            value = value.removesuffix('"')
        return name, value, stop
    word = text[start:stop]
    return (word.removesuffix('"') if quoted else word), None, stop


def variable(name: str) -> str:
    """The name of the shell variable (and array) of a parameter: ``mountfs-opts`` -> ``MOUNTFS_OPTS``."""
    return name.replace("-", "_").replace(".", "_").upper()


class Parameters:
    """The boot parameters, by array.

    Attributes:
        arrays: array name (upper case, ``_``) -> its values in the order of the command line; a parameter
            without ``=`` has the value ``""``.
    """

    __slots__ = ("_bare", "_chain", "_root", "arrays")

    def __init__(
        self,
        arrays: dict[str, list[str]],
        *,
        root: str = "",
        chain: str = "",
        bare: frozenset[str] = frozenset(),
    ) -> None:
        self.arrays = arrays
        self._root = root
        self._chain = chain
        self._bare = bare

    @classmethod
    def parse(cls, text: str) -> Parameters:
        """Read a command line."""
        arrays: dict[str, list[str]] = {}
        root = chain = ""
        bare: dict[str, bool] = {}
        for name, value in split(text):
            arrays.setdefault(variable(name), []).append(value or "")
            bare[variable(name)] = value is None
            if name == "root":
                root = value or ""
            elif name in ("bootchain", "pipeline"):
                chain = value or ""
        return cls(
            arrays, root=root, chain=chain, bare=frozenset(name for name, alone in bare.items() if alone)
        )

    def get(self, name: str, callnum: int) -> str:
        """The value of a parameter at an index, or ``""`` when the array has none there."""
        values = self.arrays.get(variable(name), ())
        return values[callnum] if 0 <= callnum < len(values) else ""

    def last(self, name: str) -> str | None:
        """The last value of a parameter, as the kernel takes repeated scalars; None when it was not given."""
        values = self.arrays.get(variable(name))
        return values[-1] if values else None

    def flag(self, name: str) -> bool:
        """Whether a boolean parameter is on: given alone or with any value but ``0 n no off false``."""
        values = self.arrays.get(variable(name))
        if not values:
            return False
        return values[-1] == "" or values[-1].lower() not in _NO

    @property
    def mode(self) -> str:
        """``native``, ``pipeline``, or ``""`` when root= asks for neither."""
        return MODES.get(self._root, "")

    @property
    def chain(self) -> tuple[str, ...]:
        """The initial chain: the last ``bootchain=`` or ``pipeline=``, which is its alias."""
        return names(self._chain)

    def tries(self, default: int) -> int:
        """How often a step may be started in all: ``pipe-retry`` where it is a number, at least one."""
        text = self.last("pipe-retry") or ""
        return max(1, int(text[:9])) if text.isascii() and text.isdigit() else default

    def environment(self, counted: frozenset[str]) -> dict[str, str]:
        """The parameters as shell variables; ``counted`` names the arrays.

        Names that no shell accepts and those that belong to the shell itself are left out.
        """
        variables = {}
        for name, values in self.arrays.items():
            if not is_variable(name):
                continue
            for index, value in enumerate(values):
                variables[f"{name}{index}"] = value
            last = "1" if name in self._bare else values[-1]
            variables[name] = str(len(values)) if name in counted else last
        return variables


def is_variable(name: str) -> bool:
    """Whether a parameter can become a variable of this (upper-case) name."""
    return bool(name) and not name[0].isdigit() and _IDENTIFIER.issuperset(name) and name not in RESERVED


def arrays_of(steps: Iterable[str]) -> frozenset[str]:
    """The arrays among the variables: those named like a step, its ``-opts`` and its ``-timeout``."""
    return frozenset(variable(step) + suffix for step in steps for suffix in ("", "_OPTS", "_TIMEOUT"))


def names(text: str) -> tuple[str, ...]:
    """The step names of a chain written with commas (or white space) between them; empty ones are dropped."""
    for space in _SPACES:
        text = text.replace(space, ",")
    return tuple(name for name in text.split(",") if name)
