"""The kernel parameters by which a boot menu tells the recorder on the stick what to do.

Each variable of the contract is a parameter under its own name in lower case: ``HIPERISO_GUEST_RAM`` becomes
``hiperiso_guest_ram``. The one exception is the contract's own: the ISO is ``hiperiso_iso`` ("Build Architecture"
there); ``hiperiso_iso_path`` is read as well.

GRUB writes each argument so that only its own rules read it back: a backslash before ``\\``, ``'`` and ``"``, and
double quotes around an argument with spaces. The kernel knows no backslash, so these parameters are read here and not
by a reader of kernel parameters. Source: the GRUB manual, "Shell-like scripting", and what GRUB 2.06 hands over.
"""

from __future__ import annotations

from typing import Final

from hiperiso.contract.environment import ENVIRONMENT

ISO_PARAMETER: Final = "hiperiso_iso"

PARAMETERS: Final[dict[str, str]] = {
    setting: ISO_PARAMETER if setting == "iso" else variable.lower()
    for setting, variable in ENVIRONMENT.items()
}
"""Setting -> kernel parameter."""

_ALIASES: Final = {ENVIRONMENT["iso"].lower(): "iso"}
_SPACES = " \t\n\v\f\r\0"


def settings_of_cmdline(text: str) -> dict[str, str]:
    """The settings that a kernel command line asks for: setting name -> raw value; the last of repeated ones wins.

    Parameters under other names are none of ours, and left out; so are ours with an empty value.
    """
    by_parameter = {parameter: setting for setting, parameter in PARAMETERS.items()} | _ALIASES
    found: dict[str, str] = {}
    for word in split_as_grub(text):
        name, equals, value = word.partition("=")
        setting = by_parameter.get(name.replace("-", "_"))
        if setting and equals and value:
            found[setting] = value
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
