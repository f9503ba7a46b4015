"""How long each phase of a boot took, as ``systemd-analyze time`` would state it, without asking the guest.

::

    firmware     until the boot loader printed something, or the kernel began
    loader       until the kernel began: the zero of the clock in its messages
    kernel       until a program ran, of the initramfs or of the system itself
    initramfs    until the system's own root was there
    userspace    until the system waited for a person: its text login where it has one, else what it was to reach
    shutdown     from the first sign of it until the machine was off
    desktop      from the first program of a desktop until it stood; beside the end of userspace
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from hiperiso.contract.report import HostUse, Phase
from hiperiso.contract.words import BootStage

_NAMES: Final = (
    (BootStage.FIRMWARE, "firmware"),
    (BootStage.BOOTLOADER, "loader"),
    (BootStage.KERNEL, "kernel"),
    (BootStage.INITRAMFS, "initramfs"),
    (BootStage.USERSPACE, "userspace"),
)
_MOST_EARLY_S: Final = 120.0  # a first kernel line later than this does not show its beginning


def phases_of(
    times: Mapping[BootStage, float | None],
    *,
    kernel_began_s: float | None = None,
    desktop: tuple[float, float] | None = None,
    shutdown: tuple[float, float] | None = None,
) -> list[Phase]:
    """The phases that were seen to begin and to end.

    Args:
        times: the first sign of each stage, in seconds since QEMU started.
        kernel_began_s: the zero of the kernel's own clock.
        desktop: when the first program of a desktop was started, and when the desktop stood.
        shutdown: when the system began to shut down, and when the machine was off.
    """
    began = {stage: t for stage, t in times.items() if t is not None}
    if began:
        began[BootStage.FIRMWARE] = 0.0  # it runs from the start
    kernel_s = began.get(BootStage.KERNEL)
    if kernel_s is not None and kernel_began_s is not None and kernel_s - kernel_began_s < _MOST_EARLY_S:
        began[BootStage.KERNEL] = max(0.0, min(kernel_s, kernel_began_s))
    ends = [t for stage in (BootStage.LOGIN, BootStage.INSTALLER) if (t := began.get(stage)) is not None]
    rows = [(name, began[stage]) for stage, name in _NAMES if stage in began]
    ends += [shutdown[0]] if shutdown and rows else []
    rows += [("", min(ends))] if ends else []
    phases = [_phase(name, start_s, end_s) for (name, start_s), (_, end_s) in pairwise(rows)]
    beside = (("shutdown", shutdown), ("desktop", desktop))
    return [*phases, *(_phase(name, *span) for name, span in beside if span)]


def host_line(host: HostUse) -> str:
    """How busy the host was meanwhile, in one line."""
    waited, stolen = f"{host.waited_share:.0%}", f"{host.stolen_share:.0%}"
    return (
        f"The host: load up to {host.load_max:g} on {host.cpus} processors; the guest waited for one for {waited} "
        f"of the time, {stolen} was stolen"
    )


def _phase(name: str, start_s: float, end_s: float) -> Phase:
    return Phase(name=name, start_s=round(start_s, 3), duration_ms=round(max(0.0, end_s - start_s) * 1000))
