"""Random numbers for the guest: without them systems wait minutes for entropy."""

from __future__ import annotations

from hiperiso.contract.settings import Settings
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part


class Entropy(Part, frozen=True):
    """A virtio random number generator."""

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        return ["-object", "rng-builtin,id=rng0", "-device", "virtio-rng-pci,rng=rng0"]


def plan_entropy(settings: Settings, facts: Facts) -> Entropy:
    """The same for all machines."""
    return Entropy()
