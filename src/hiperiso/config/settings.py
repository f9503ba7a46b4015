"""The settings of one boot, and how layers of raw values become them.

Layers, later ones win: defaults, ``iso_overrides`` of hiperiso.json, environment, command line. The same code serves
workstation and stick. Every bad value of every layer is reported at once, each with where it came from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from hiperiso.contract.environment import ENVIRONMENT
from hiperiso.contract.words import (
    AccelChoice,
    BootMode,
    BootStage,
    DirectWay,
    Display,
    FirmwareChoice,
    NoKvm,
    OcrChoice,
    TraceLevel,
    Vga,
)
from hiperiso.errors import Unsupported, UsageError
from hiperiso.machine.spec import MAX_CPUS

DEFAULT_TIMEOUT_S = 300.0
TCG_TIMEOUT_SCALE = 3.0
"""How much longer a boot may take when the guest's processor is emulated."""

_Word = TypeVar("_Word", bound=StrEnum)

_MIN_RAM_MB, _MAX_RAM_MB = 16, 1 << 22
_WAITING_STAGES = (
    BootStage.FIRMWARE,
    BootStage.BOOTLOADER,
    BootStage.KERNEL,
    BootStage.INITRAMFS,
    BootStage.USERSPACE,
    BootStage.LOGIN,
    BootStage.INSTALLER,
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides one boot. ``timeout_s`` is at native speed; see `timeout_in_force_s`.

    ``no_kvm`` and ``direct`` count on a stick alone: nowhere else can the machine be handed over to an ISO.
    """

    ram_mb: int = 2048
    cpus: int = 2
    trace: TraceLevel = TraceLevel.STANDARD
    display: Display = Display.NONE
    vga: Vga = Vga.STD
    firmware: FirmwareChoice = FirmwareChoice.AUTO
    net_dump: bool = False
    cpu_features: tuple[str, ...] = ()
    boot_mode: BootMode = BootMode.NORMAL
    accel: AccelChoice = AccelChoice.AUTO
    fallback: bool = False
    no_kvm: NoKvm = NoKvm.EMULATE
    direct: DirectWay = DirectWay.AUTO
    timeout_s: float = DEFAULT_TIMEOUT_S
    timeout_scale: float | None = None
    expect: BootStage | None = None
    expect_text: str | None = None
    ocr: OcrChoice = OcrChoice.OFF

    def timeout_in_force_s(self, *, emulated: bool) -> float:
        """The wall-clock bound of the boot: scaled where the guest runs emulated."""
        scale = self.timeout_scale
        if scale is None:
            scale = TCG_TIMEOUT_SCALE if emulated else 1.0
        return self.timeout_s * scale


@dataclass(frozen=True)
class Layer:
    """Raw values by setting name, and the words that tell a user where one came from."""

    values: Mapping[str, Any]
    origin: Callable[[str], str]


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """The contract's variables that are set and not empty."""
    values = {name: environ[variable] for name, variable in ENVIRONMENT.items() if environ.get(variable)}
    return Layer(values, lambda name: ENVIRONMENT[name])


def resolve_settings(layers: list[Layer]) -> tuple[Settings, dict[str, str]]:
    """Merge `layers`, later ones win.

    Returns:
        The settings and, for each that is not a default, where it came from.

    Raises:
        UsageError: naming every value that cannot be used.
        Unsupported: a setting that this version does not build was asked for.
    """
    chosen: dict[str, Any] = {}
    origins: dict[str, str] = {}
    errors: list[str] = []
    refused: list[str] = []
    for layer in layers:
        for name, raw in layer.values.items():
            if raw is None or name in _NOT_SETTINGS:
                continue
            origin = layer.origin(name)
            if name in _LATER:
                if _asks_for(raw):
                    refused.append(f"{origin}: {_LATER[name]}")
                continue
            field = _FIELDS.get(name)
            if field is None:
                errors.append(f"{origin}: unknown setting {name!r}; known: {', '.join(sorted(_FIELDS))}")
                continue
            try:
                chosen[field.attribute] = field.parse(raw)
                origins[field.attribute] = origin
            except ValueError as error:
                errors.append(f"{origin}: {error}")
    if errors:
        raise UsageError(
            "; ".join(errors), hint="see `hiperiso boot --help` for the values each option takes"
        )
    if refused:
        raise Unsupported("; ".join(refused), hint="leave it out, or use a version that has it")
    return Settings(**chosen), origins


# ── how each setting is read ──


def _integer(what: str, low: int, high: int) -> Callable[[Any], int]:
    def parse(raw: Any) -> int:
        text = str(raw).strip()
        if isinstance(raw, bool) or not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"{raw!r} is not a {what} from {low} to {high}")
        return int(text)

    return parse


def _ram_mb(raw: Any) -> int:
    match = re.fullmatch(r"(\d{1,9})\s*([MG]?)I?B?", str(raw).strip(), re.IGNORECASE)
    megabytes = 0
    if match and not isinstance(raw, bool):
        megabytes = int(match[1]) * (1024 if match[2].upper() == "G" else 1)
    if not _MIN_RAM_MB <= megabytes <= _MAX_RAM_MB:
        raise ValueError(
            f"{raw!r} is not an amount of RAM in MB (or like 4G) from {_MIN_RAM_MB} to {_MAX_RAM_MB}"
        )
    return megabytes


def _seconds(raw: Any) -> float:
    return _positive(raw, "number of seconds")


def _factor(raw: Any) -> float:
    return _positive(raw, "factor")


def _positive(raw: Any, what: str) -> float:
    try:
        value = float(raw)
    except (TypeError, ValueError):
        value = 0.0
    if isinstance(raw, bool) or not 0 < value < 1e7:  # also refuses nan
        raise ValueError(f"{raw!r} is not a positive {what}")
    return value


def _flag(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    text = str(raw).strip().lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("", "0", "false", "no", "off"):
        return False
    raise ValueError(f"{raw!r} is neither 1 nor 0")


def _choice(words: type[_Word]) -> Callable[[Any], _Word]:
    def parse(raw: Any) -> _Word:
        try:
            return words(str(raw).strip().lower())
        except ValueError:
            raise ValueError(f"{raw!r} is not one of {', '.join(words)}") from None

    return parse


def _stage(raw: Any) -> BootStage:
    text = str(raw).strip().lower()
    if text not in _WAITING_STAGES:
        raise ValueError(f"{raw!r} is not a stage to wait for: {', '.join(_WAITING_STAGES)}")
    return BootStage(text)


def _cpu_features(raw: Any) -> tuple[str, ...]:
    names = raw if isinstance(raw, list | tuple) else str(raw).split(",")
    cleaned = tuple(str(name).strip().lower() for name in names if str(name).strip())
    for name in cleaned:
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,40}", name):
            raise ValueError(f"{name!r} is not the name of a CPU feature")
    return cleaned


def _pattern(raw: Any) -> str:
    try:
        re.compile(str(raw))
    except re.error as error:
        raise ValueError(f"{raw!r} is not a regular expression: {error}") from None
    return str(raw)


@dataclass(frozen=True)
class _Field:
    """A setting by another name: its attribute, and how its value is read."""

    attribute: str
    parse: Callable[[Any], Any]


_FIELDS: dict[str, _Field] = {
    "ram": _Field("ram_mb", _ram_mb),
    "cpus": _Field("cpus", _integer("number of vCPUs", 1, MAX_CPUS)),
    "trace": _Field("trace", _choice(TraceLevel)),
    "display": _Field("display", _choice(Display)),
    "vga": _Field("vga", _choice(Vga)),
    "firmware": _Field("firmware", _choice(FirmwareChoice)),
    "net_dump": _Field("net_dump", _flag),
    "cpu_features": _Field("cpu_features", _cpu_features),
    "boot_mode": _Field("boot_mode", _choice(BootMode)),
    "accel": _Field("accel", _choice(AccelChoice)),
    "fallback": _Field("fallback", _flag),
    "no_kvm": _Field("no_kvm", _choice(NoKvm)),
    "direct": _Field("direct", _choice(DirectWay)),
    "timeout": _Field("timeout_s", _seconds),
    "timeout_scale": _Field("timeout_scale", _factor),
    "expect": _Field("expect", _stage),
    "expect_text": _Field("expect_text", _pattern),
    "ocr": _Field("ocr", _choice(OcrChoice)),
}

_LATER = {
    "secure_boot": "Secure Boot firmware is not part of this version",
    "tpm": "a virtual TPM is not part of this version",
    "auto_install": "the auto-install plugin is not part of this version",
    "persistence": "the persistence plugin is not part of this version",
    "dud": "the driver update disk plugin is not part of this version",
    "injection": "the injection plugin is not part of this version",
    "conf_replace": "the configuration replacement plugin is not part of this version",
}
"""Settings of the contract that are refused rather than ignored, each with the words that say so."""

_NOT_SETTINGS = ("iso", "log_root", "config")
"""Where to read and write, not how to boot: the caller resolves these."""


def _asks_for(raw: Any) -> bool:
    return raw not in (None, False, 0, "", "0", "false", "no", "off", [], {})
