"""The accelerator of a boot: KVM if it was proven to work, else emulation, and the reason."""

from __future__ import annotations

import msgspec

from hiperiso.contract.settings import Settings
from hiperiso.contract.words import AccelChoice, KvmState
from hiperiso.errors import HarnessFault
from hiperiso.machine.facts import Accel
from hiperiso.machine.kvm import KvmProbeState, probe_kvm


class Accelerator(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the guest runs under KVM or is emulated, and why.

    Attributes:
        refused: why the requested accelerator is not available; empty when it is.
    """

    accel: Accel
    reason: str
    kvm_state: KvmState
    kvm_detail: str
    refused: str = ""

    @property
    def emulated(self) -> bool:
        """Whether the guest's processor is emulated."""
        return self.accel is Accel.TCG

    def check(self) -> None:
        """Refuse an accelerator that is not available.

        Raises:
            HarnessFault: KVM was requested and does not work.
        """
        if self.refused:
            raise HarnessFault(self.refused, hint="use --accel auto, or see `hiperiso doctor`")


def choose_accelerator(settings: Settings) -> Accelerator:
    """Probe KVM unless the settings rule it out; takes at most about two seconds."""
    if settings.fallback or settings.accel is AccelChoice.TCG:
        reason = "the fallback was requested" if settings.fallback else "emulation was requested"
        return Accelerator(
            accel=Accel.TCG, reason=reason, kvm_state=KvmState.UNKNOWN, kvm_detail="not probed: " + reason
        )
    probe = probe_kvm()
    if probe.usable:
        return Accelerator(
            accel=Accel.KVM,
            reason=f"KVM works: {probe.detail}",
            kvm_state=KvmState.AVAILABLE,
            kvm_detail=probe.detail,
        )
    why = {
        KvmProbeState.ABSENT: "KVM is not available",
        KvmProbeState.NO_PERMISSION: "no permission for KVM",
        KvmProbeState.UNUSABLE: "KVM is present but unusable",
    }.get(probe.state, "KVM cannot be used")
    reason = f"{why}: {probe.detail}"
    asked = settings.accel is AccelChoice.KVM
    return Accelerator(
        accel=Accel.KVM if asked else Accel.TCG,
        reason=reason,
        kvm_state=KvmState.UNAVAILABLE,
        kvm_detail=probe.detail,
        refused=f"KVM was requested, but {reason}" if asked else "",
    )
