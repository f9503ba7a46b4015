"""What the boot menu asks for: from the kernel command line and hiperiso.json to one recording. Pure.

Beside the parameters of the contract there are two of our own: ``hiperiso_after=poweroff|reboot|menu[,SECONDS]`` says
what follows the recording unless a key is pressed within so many seconds; ``hiperiso_show=1`` makes ``display=gtk`` the
default, as a person at a boot menu expects it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from dataclasses import replace as replace_fields
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from hiperiso.config.hiperiso_json import HiperisoConfig
from hiperiso.config.settings import Layer, resolve_settings
from hiperiso.contract.kernel_cmdline import PARAMETERS, settings_of_cmdline, split_as_grub
from hiperiso.contract.row import ISO, LOG_ROOT, Where
from hiperiso.contract.settings import Settings
from hiperiso.contract.stick import DATA_MOUNT, LOG_FOLDER
from hiperiso.contract.words import Display
from hiperiso.errors import UsageError

AFTER_PARAMETER: Final = "hiperiso_after"
SHOW_PARAMETER: Final = "hiperiso_show"
DEFAULT_WAIT_S: Final = 30.0
HOST_RESERVE_MB: Final = 192
"""What the recorder and QEMU itself need beside the guest's RAM."""

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
    """The last two: the same ISO once more, without a hypervisor or with one; by a key alone."""


_BY_PARAMETER: Final = (After.POWEROFF, After.REBOOT, After.MENU)


@dataclass(frozen=True, kw_only=True)
class Order:
    """One boot as the command line asks for it.

    Attributes:
        iso: absolute path on the data partition; empty when it is yet to be chosen.
        log_root: absolute path on the data partition.
        values: the raw settings by name.
        after: what follows.
        wait_s: for so long a key changes what follows; 0 does not ask.
        show: the guest is shown on the machine's screen where nothing else is said of ``display``.
    """

    iso: str = ""
    log_root: str = LOG_FOLDER
    values: dict[str, str | list[str]] = field(default_factory=dict)
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
    """What can be used of a command line that `read_order` refuses; defaults stand for the rest, no ISO is named."""
    return replace_fields(_read(cmdline)[0], iso="")


def asked_iso(cmdline: str) -> str:
    """The ISO that a command line names, however unusable; ``""`` when it names none."""
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
        after=after,
        wait_s=wait_s,
        show=_words(cmdline, SHOW_PARAMETER)[-1:] == ["1"],
    )
    return order, errors


def settings_of(order: Order, iso: str, config: HiperisoConfig | None) -> tuple[Settings, dict[str, str]]:
    """The settings for an ISO: defaults, those of the boot menu, ``iso_overrides``, then the command line.

    Returns:
        The settings and where each that is not a default came from.

    Raises:
        UsageError: naming every value that cannot be used.
        Unsupported: a setting that this version does not build was asked for.
    """
    layers = [Layer({"display": Display.GTK.value}, lambda _: SHOW_PARAMETER)] if order.show else []
    layers += [config.layer_for(iso, on_data_partition)] if config else []
    layers.append(Layer(order.values, PARAMETERS.__getitem__, on_data_partition))
    return resolve_settings(layers, Where.STICK)


def on_data_partition(text: str, data: Path = DATA_MOUNT) -> Path:
    """The file that a path in a setting means on a stick: all of them count from the root of the data partition.

    `data` is where that is mounted.

    Raises:
        ValueError: it leaves the data partition.
    """
    if ".." in text.split("/"):
        raise ValueError(f"{text!r} leaves the data partition")
    return data / text.lstrip("/")


def fit_to_host(settings: Settings, available_mb: int) -> tuple[Settings, list[str]]:
    """The settings as this machine can carry them.

    Args:
        settings: what was asked for.
        available_mb: memory that can be had here in MB (MiB); 0 when unknown.

    Returns:
        The settings, and a line for each that had to be changed.
    """
    notes = []
    room_mb = max(_MIN_GUEST_MB, available_mb - HOST_RESERVE_MB)
    if available_mb and settings.ram_mb > room_mb:
        notes.append(
            f"the guest gets {room_mb} MB of RAM instead of {settings.ram_mb}: more is not free here"
        )
        settings = replace(settings, ram_mb=room_mb)
    if settings.display is Display.VNC:
        notes.append(
            f"nobody can reach this machine by VNC: {PARAMETERS['display']}=gtk shows the guest on its own screen"
        )
    return settings, notes


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
            f"{AFTER_PARAMETER}: {given[-1]!r} is not {'|'.join(_BY_PARAMETER)}, with seconds behind a comma"
        )
        return After.POWEROFF, DEFAULT_WAIT_S
    return After(name), float(wait) if comma else DEFAULT_WAIT_S


def _words(cmdline: str, parameter: str) -> list[str]:
    prefix = f"{parameter}="
    return [word[len(prefix) :] for word in split_as_grub(cmdline) if word.startswith(prefix)]
