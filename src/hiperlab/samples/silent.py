"""Silent twins: the same ISO without a serial console, derived by rules from a sample with serial output.

Most real ISOs are silent. A twin must have the same stage, result and domain as its sample: only the
observed channels differ. ``<name>-silent`` is the name of the twin; a catalogue entry of that name takes precedence.

::

    console=ttyS0,115200        removed from every command line; console=tty0, too: it is the default
    serial, terminal_*          removed from grub.cfg (the whole `if` for BIOS), SERIAL from isolinux.cfg
    ttyS0::respawn:...          removed from inittabs; settings that name /dev/ttyS0 get /dev/tty1
"""

from __future__ import annotations

import re
from dataclasses import is_dataclass, replace
from typing import Any

from hiperlab.samples.model import Built, Content, Initramfs, Recipe, Sample

SUFFIX = "-silent"

_CONSOLE = re.compile(r"[ \t]+console=tty(?:S\d|\d)\S*")
_LOADER_SERIAL = re.compile(
    r'^if \[ "\$grub_platform" = pc \]; then\n(?:[ \t]+(?:serial|terminal_)[^\n]*\n)+fi\n'
    r"|^[ \t]*(?:serial |terminal_(?:in|out)put [^\n]*\bserial\b)[^\n]*\n"
    r"|^SERIAL [^\n]*\n",
    re.MULTILINE,
)
_INITTAB_SERIAL = re.compile(r"^ttyS\d[^\n]*\n", re.MULTILINE)
_SERIAL_DEVICE = re.compile(r"/dev/ttyS\d")
_LINUX = re.compile(r"^([ \t]*(?:linux [^\n]*|APPEND[^\n]*))$", re.MULTILINE)


def speaks(sample: Sample) -> bool:
    """Returns whether a sample has a serial console, and thus a twin."""
    return not sample.serial_silent and silent_recipe(sample.recipe) != sample.recipe


def silent_twin(sample: Sample, arguments: str = "") -> Sample:
    """Returns the twin of a sample, with ``arguments`` added to the kernel's command lines."""
    return replace(
        sample,
        name=f"{sample.name}{SUFFIX}",
        description=f"the same without any serial console: {sample.description}",
        recipe=silent_recipe(sample.recipe, arguments),
        serial_silent=True,
    )


def silent_recipe(recipe: Recipe, arguments: str = "") -> Recipe:
    """Returns a recipe without serial consoles in boot loader, kernel and system."""
    return replace(recipe, files={name: _silent(item, arguments) for name, item in recipe.files.items()})


def _silent(content: Content, arguments: str) -> Content:
    match content:
        case str():
            text = _CONSOLE.sub("", _LOADER_SERIAL.sub("", content))
            return _LINUX.sub(lambda line: f"{line[1]} {arguments}", text) if arguments else text
        case Initramfs():
            files = {name: _INITTAB_SERIAL.sub("", text) for name, text in content.files.items()}
            return replace(content, files=files)
        case Built():
            parts: Content = _silent_parts(content)
            return parts
        case _:
            return content


def _silent_parts(part: Any) -> Any:
    """Returns built content with its systems and settings made silent."""
    changed: dict[str, Any] = {}
    for name, value in vars(part).items():
        if isinstance(value, Initramfs):
            changed[name] = _silent(value, "")
        elif name == "settings":
            changed[name] = {key: _SERIAL_DEVICE.sub("/dev/tty1", text) for key, text in value.items()}
        elif is_dataclass(value):
            changed[name] = _silent_parts(value)
    return replace(part, **changed) if changed else part
