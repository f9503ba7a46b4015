"""Whether an ISO is booted directly, without a hypervisor: decided before the modules for it are imported."""

from __future__ import annotations

from dataclasses import dataclass

from hiperiso.contract.settings import Settings
from hiperiso.contract.words import AccelChoice, KvmState, NoKvm
from hiperiso.machine.accelerator import choose_accelerator


@dataclass(frozen=True)
class Cause:
    """Why an ISO is booted directly, and the state of KVM."""

    reason: str
    kvm: KvmState


def cause_of(settings: Settings) -> Cause | None:
    """Whether these settings require a direct boot here, and why; probes KVM only if the answer depends on it."""
    if settings.fallback:
        return Cause("it was requested", KvmState.UNKNOWN)
    if settings.no_kvm is NoKvm.DIRECT and settings.accel is AccelChoice.AUTO:
        accelerator = choose_accelerator(settings)
        if accelerator.emulated:
            return Cause(accelerator.reason, accelerator.kvm_state)
    return None
