"""``hiperiso stick boot``: boots a stick under QEMU as a PC would, and records that like any other boot.

The stick is a disk on USB. What its own recorder writes to it is discarded with the machine: the stick stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace as with_settings

from hiperiso.config.settings import Layer
from hiperiso.contract.hardware import Medium
from hiperiso.contract.settings import ROWS
from hiperiso.machine.accelerator import choose_accelerator
from hiperiso.session.request import BootRequest
from hiperlab.stick.data import DataPartition
from hiperlab.stick.image import open_stick
from hiperlab.stick.layout import layout_of
from hiperlab.stick.listing import list_stick

RECORDED: Final = "recorded in /hiperiso/logs"
"""What the stick's system prints on its consoles when a recording has ended."""

NO_ISO: Final = "No ISO yet: copy files"
"""The entry of the menu of a stick without ISOs."""

WITHOUT_SVM: Final = (
    "the emulated machine has no SVM: where the stick uses KVM on a PC, it emulates its guest here"
)
"""A note of the report. KVM on QEMU's emulation of SVM panics or makes no progress in one boot of two."""

_RAM_MB: Final = 3072
_TIMEOUT_S: Final = 900
"""At native speed: a whole boot of an ISO is within, and the recorder of the stick has its own limit for that."""


def boot_defaults(target: Path) -> dict[str, Any]:
    """The settings with which a stick is booted: raw values by name.

    Success is a recording by the stick itself of the ISO that its menu starts; without ISOs, its menu.

    Raises:
        UsageError: `target` is not a stick, or cannot be read.
        HarnessFault: it is damaged.
    """
    with open_stick(target) as stick:
        layout_of({n: p.extent for n, p in stick.table.partitions.items()}, stick.size_bytes)
        expected = _expected(stick.data())
    return {
        "medium": Medium.USB.value,
        "ram": _RAM_MB,
        "timeout": _TIMEOUT_S,
        "expect_text": expected,
    }


def with_defaults(options: Layer, defaults: Mapping[str, Any], environ: Mapping[str, str]) -> Layer:
    """The options, and `defaults` for what neither they nor the environment set."""
    given = {name: value for name, value in options.values.items() if value is not None}
    if "expect" in given:
        defaults = {name: value for name, value in defaults.items() if name != "expect_text"}
    unset = {name: value for name, value in defaults.items() if not environ.get(ROWS[name].variable)}
    return Layer(unset | given, options.origin, options.locate)


def fit_to_accelerator(request: BootRequest) -> BootRequest:
    """The request with one processor and without SVM in a machine that is emulated, unless they were named."""
    settings = request.settings
    asked = any(feature.lstrip("+-") == "svm" for feature in settings.cpu_features)
    if asked or not choose_accelerator(settings).emulated:
        return request
    chosen: dict[str, Any] = {"cpu_features": (*settings.cpu_features, "-svm")}
    if "cpus" not in request.origins:
        chosen["cpus"] = 1
    return replace(
        request,
        settings=with_settings(settings, **chosen),
        origins=dict.fromkeys(chosen, "stick boot") | request.origins,
        notes=(*request.notes, WITHOUT_SVM),
    )


def _expected(data: DataPartition) -> str:
    return RECORDED if list_stick(data).isos else NO_ISO
