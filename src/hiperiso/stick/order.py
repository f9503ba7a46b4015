"""The order from the boot menu: parses the kernel command line and hiperiso.json into one recording. Pure.

In addition to the parameters of the contract there are two: ``hiperiso_after=poweroff|reboot|menu[,SECONDS]`` says
selects what follows the recording unless a key is pressed within that many seconds; ``hiperiso_show=1`` makes
``display=gtk`` the default, as users of a boot menu expect.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from dataclasses import replace as replace_fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from hiperiso.config.check import Place
from hiperiso.config.hiperiso_json import HiperisoConfig
from hiperiso.config.settings import Layer, Source, resolve_settings
from hiperiso.contract.kernel_cmdline import (
    MAX_CHARS,
    PARAMETERS,
    settings_of_cmdline,
    split_as_grub,
    word_as_grub,
)
from hiperiso.contract.row import ISO, LOG_ROOT, Where
from hiperiso.contract.settings import DEFAULTS, ROWS, Settings
from hiperiso.contract.stick import CONFIG_PATH, DATA_MOUNT, LOG_FOLDER
from hiperiso.contract.words import Display
from hiperiso.errors import UsageError

AFTER_PARAMETER: Final = "hiperiso_after"
SHOW_PARAMETER: Final = "hiperiso_show"
DEFAULT_WAIT_S: Final = 30.0
HOST_RESERVE_MB: Final = 192
"""The RAM that the recorder and QEMU need in addition to the guest's."""

_ISO_NAMES = (ISO.parameter, *ISO.aliases)
_MIN_GUEST_MB = 64
_MAX_WAIT_S = 86400.0
_WAIT = re.compile(r"\d{1,5}(?:\.\d{1,3})?")


class After(StrEnum):
    """What follows a recording."""

    POWEROFF = "poweroff"
    REBOOT = "reboot"
    MENU = "menu"
    DIRECT = "direct"
    HYPERVISOR = "hypervisor"
    """The last two: the same ISO once more, without a hypervisor or with one; by a key only."""


_BY_PARAMETER: Final = (After.POWEROFF, After.REBOOT, After.MENU)


@dataclass(frozen=True, kw_only=True)
class Order:
    """One boot as requested by the command line.

    Attributes:
        iso: absolute path on the data partition; empty when it is not chosen yet.
        log_root: absolute path on the data partition.
        values: the raw settings by name, for this ISO.
        for_all: those of them that stand before the ISO on the command line, where the menu puts none of its own.
        after: what follows.
        wait_s: how long a key can change what follows; 0 does not wait.
        show: the guest is shown on the machine's screen unless ``display`` is set.
    """

    iso: str = ""
    log_root: str = LOG_FOLDER
    values: dict[str, str | list[str]] = field(default_factory=dict)
    for_all: dict[str, str | list[str]] = field(default_factory=dict)
    after: After = After.POWEROFF
    wait_s: float = DEFAULT_WAIT_S
    show: bool = False


def read_order(cmdline: str) -> Order:
    """Read the kernel command line.

    Raises:
        UsageError: naming every value that cannot be used.
    """
    order, errors = _read(cmdline)
    if errors:
        raise UsageError("; ".join(errors), hint="the boot menu is made by hiperiso stick update")
    return order


def usable_order(cmdline: str) -> Order:
    """The usable part of a command line that `read_order` refuses; defaults for the rest, without an ISO."""
    return replace_fields(_read(cmdline)[0], iso="")


def asked_iso(cmdline: str) -> str:
    """The ISO in a command line, even if unusable; ``""`` without one."""
    path = str(settings_of_cmdline(cmdline).get(ISO.name, "")).replace("\0", "")
    return f"/{path.strip('/')}" if path.strip("/") else ""


def _read(cmdline: str) -> tuple[Order, list[str]]:
    values = settings_of_cmdline(cmdline)
    errors: list[str] = []
    iso = _path(str(values.pop(ISO.name, "")), ISO.parameter, errors)
    log_root = _path(str(values.pop(LOG_ROOT.name, LOG_FOLDER)), LOG_ROOT.parameter, errors)
    after, wait_s = _after(cmdline, errors)
    order = Order(
        iso=iso,
        log_root=log_root or LOG_FOLDER,
        values=values,
        for_all=_before_iso(cmdline),
        after=after,
        wait_s=wait_s,
        show=_words(cmdline, SHOW_PARAMETER)[-1:] == ["1"],
    )
    return order, errors


def settings_of(order: Order, iso: str, config: HiperisoConfig | None) -> tuple[Settings, dict[str, str]]:
    """The settings for an ISO: defaults, those of the boot menu, ``iso_overrides``, then the command line.

    Returns:
        The settings and the origin of each one that is not a default.

    Raises:
        UsageError: naming every value that cannot be used.
    """
    return resolve_settings(layers_of(order, iso, config), Where.STICK)


def layers_of(order: Order, iso: str, config: HiperisoConfig | None) -> list[Layer]:
    """What decides about an ISO on a stick, later ones win."""
    layers: list[Layer] = []
    if order.show:
        layers.append(Layer({"display": Display.GTK.value}, lambda _: SHOW_PARAMETER, source=Source.KERNEL))
    if config:
        layers.append(config.layer_for(iso, on_data_partition))
    values = order.values if iso == order.iso else _for_another(order, config)
    return [*layers, Layer(values, PARAMETERS.__getitem__, on_data_partition, source=Source.KERNEL)]


def on_data_partition(text: str, data: Path = DATA_MOUNT) -> Path:
    """The file for a path in a setting on a stick: always relative to the root of the data partition.

    `data` is where that is mounted.

    Raises:
        ValueError: it is outside of the data partition.
    """
    if ".." in text.split("/"):
        raise ValueError(f"{text!r} is outside of the data partition")
    return data / text.lstrip("/")


ON_STICK: Final = Place(where=Where.STICK, locate=on_data_partition)
"""Where a stick's hiperiso.json is used."""


def without_machine(settings: Settings) -> list[str]:
    """The names of the settings that have no effect in a direct boot, which has no virtual machine."""
    return [name for name in _OF_MACHINE if getattr(settings, name) != getattr(DEFAULTS, name)]


_OF_MACHINE: Final = (
    *("auto_install", "persistence", "dud", "injection", "conf_replace", "secure_boot", "tpm"),
    *("cpu_features", "boot_mode", "net_dump", "append", "remove", "disk"),
)


def fit_to_host(settings: Settings, available_mb: int, processors: int) -> tuple[Settings, list[str]]:
    """The settings, adapted to this machine.

    Args:
        settings: the requested settings.
        available_mb: available memory in MB (MiB); 0 when unknown.
        processors: its logical processors; 0 when unknown.

    Returns:
        The settings, and a line for each changed one.
    """
    notes = []
    room_mb = max(_MIN_GUEST_MB, available_mb - HOST_RESERVE_MB)
    if available_mb and settings.ram_mb > room_mb:
        notes.append(f"the guest gets {room_mb} MB of RAM instead of {settings.ram_mb}: no more is free")
        settings = replace(settings, ram_mb=room_mb)
    if 0 < processors < settings.cpus:
        notes.append(
            f"the guest gets {processors} of {settings.cpus} vCPUs: this machine has no more processors"
        )
        settings = replace(settings, cpus=processors)
    if settings.display is Display.VNC:
        notes.append(
            f"VNC cannot be reached on this machine: {PARAMETERS['display']}=gtk shows the guest on its own screen"
        )
    return settings, notes


def _for_another(order: Order, config: HiperisoConfig | None) -> dict[str, str | list[str]]:
    """The values of the command line for another ISO than the one on it: without what the menu took from
    hiperiso.json for that one.
    """
    own = config.layer_for(order.iso).values if config and order.iso else {}
    values: dict[str, str | list[str]] = {}
    for name, value in order.values.items():
        if not (name in own and _same(name, value, own[name])):
            values[name] = value
        elif name in order.for_all:
            values[name] = order.for_all[name]
    return values


def _same(name: str, first: Any, second: Any) -> bool:
    row = ROWS.get(name)
    try:
        return row is not None and bool(row.kind.parse(first) == row.kind.parse(second))
    except ValueError:
        return False


def _before_iso(cmdline: str) -> dict[str, str | list[str]]:
    """The settings in front of the ISO; all, without one."""
    words = split_as_grub(cmdline)
    isos = [at for at, word in enumerate(words) if word.partition("=")[0].replace("-", "_") in _ISO_NAMES]
    values = settings_of_cmdline(" ".join(map(word_as_grub, words[: isos[-1]]))) if isos else None
    values = settings_of_cmdline(cmdline) if values is None else values
    return {name: value for name, value in values.items() if name not in (ISO.name, LOG_ROOT.name)}


def cut_note(cmdline: str) -> str:
    """What to say of a command line that may have been cut; ``""`` for a whole one."""
    if len(cmdline.strip().encode(errors="surrogateescape")) < MAX_CHARS:
        return ""
    return (
        f"note: the kernel command line has all {MAX_CHARS} characters that a kernel takes: its end may be missing. "
        f"Settings in {CONFIG_PATH} have no such limit"
    )


def _path(text: str, parameter: str, errors: list[str]) -> str:
    parts = text.split("/")
    if text and (not text.startswith("/") or ".." in parts or "\0" in text):
        errors.append(f"{parameter}: {text!r} is not an absolute path on the data partition")
        return ""
    return "/" + "/".join(part for part in parts if part not in ("", ".")) if text else ""


def _after(cmdline: str, errors: list[str]) -> tuple[After, float]:
    given = _words(cmdline, AFTER_PARAMETER)
    if not given:
        return After.POWEROFF, DEFAULT_WAIT_S
    name, comma, wait = given[-1].partition(",")
    if name not in _BY_PARAMETER or (comma and not (_WAIT.fullmatch(wait) and float(wait) <= _MAX_WAIT_S)):
        errors.append(
            f"{AFTER_PARAMETER}: {given[-1]!r} is not {'|'.join(_BY_PARAMETER)}, with seconds after a comma"
        )
        return After.POWEROFF, DEFAULT_WAIT_S
    return After(name), float(wait) if comma else DEFAULT_WAIT_S


def _words(cmdline: str, parameter: str) -> list[str]:
    prefix = f"{parameter}="
    return [word[len(prefix) :] for word in split_as_grub(cmdline) if word.startswith(prefix)]
