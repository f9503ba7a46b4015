"""The kernel parameters with which a boot menu configures the recorder on the stick.

Each variable of the contract is a parameter under its own name in lower case: ``HIPERISO_GUEST_RAM`` becomes
``hiperiso_guest_ram``. A row of the table of settings can override this.

GRUB quotes each argument by its own rules: a backslash before ``\\``, ``'`` and ``"``, and
double quotes around an argument with spaces. The kernel does not interpret backslashes, so these parameters are parsed
here and not by a parser of kernel parameters. Source: the GRUB manual, "Shell-like scripting", and what GRUB 2.06 hands
over.
"""

from __future__ import annotations

from typing import Final

from hiperiso.contract.settings import ALL_ROWS

MAX_CHARS: Final = 2047
"""How many characters of it a kernel holds. Source: ``COMMAND_LINE_SIZE`` of x86, which counts the zero byte, too."""

PARAMETERS: Final[dict[str, str]] = {row.name: row.parameter for row in ALL_ROWS}
"""Setting -> kernel parameter."""

_ROWS: Final = {parameter: row for row in ALL_ROWS for parameter in (row.parameter, *row.aliases)}
_SPACES = " \t\n\v\f\r\0"


def settings_of_cmdline(text: str) -> dict[str, str | list[str]]:
    """The settings in a kernel command line: setting name -> raw value.

    The last occurrence of a parameter wins; for a setting that takes a list with one parameter per
    item, the value is the list of all of them. Parameters of no setting are ignored, and so are those with an
    empty value.
    """
    found: dict[str, str | list[str]] = {}
    for word in split_as_grub(text):
        name, equals, value = word.partition("=")
        row = _ROWS.get(name.replace("-", "_"))
        if row is None or not equals or not value:
            continue
        if row.kind.repeated:
            found[row.name] = [*found.get(row.name, ()), value]
        else:
            found[row.name] = value
    return found


def split_as_grub(text: str) -> list[str]:
    """The arguments of a command line that GRUB wrote."""
    words: list[str] = []
    word: list[str] = []
    started = quoted = escaped = False
    for char in text:
        if escaped:
            word += [char] if char in "\\'\"" else ["\\", char]
            escaped = False
        elif char == "\\":
            started = escaped = True
        elif char == '"':
            started, quoted = True, not quoted
        elif char in _SPACES and not quoted:
            if started:
                words.append("".join(word))
            word, started = [], False
        else:
            started = True
            word.append(char)
    if started:
        words.append("".join([*word, "\\"] if escaped else word))
    return words


def word_as_grub(word: str) -> str:
    """One argument as GRUB writes it: the inverse of `split_as_grub` for a single word."""
    escaped = "".join(f"\\{char}" if char in "\\'\"" else char for char in word)
    return f'"{escaped}"' if " " in word else escaped
