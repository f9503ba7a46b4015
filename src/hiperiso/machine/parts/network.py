"""The network: none, or user-mode networking that is recorded."""

from __future__ import annotations

from pathlib import Path

from hiperiso.contract import files
from hiperiso.contract.settings import Settings
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part, escape, require_absolute


class Network(Part, frozen=True):
    """`pcap`: None means no network card; else user-mode network recorded to this file."""

    pcap: Path | None = None

    def __post_init__(self) -> None:
        require_absolute(self.pcap)

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        if self.pcap is None:
            return ["-nic", "none"]
        return [
            *("-netdev", "user,id=net0"),
            # Without an option ROM: the BIOS does not try the network when the CD does not boot.
            *("-device", "virtio-net-pci,netdev=net0,romfile="),
            *("-object", f"filter-dump,id=pcap0,netdev=net0,file={escape(self.pcap)}"),
        ]


def plan_network(settings: Settings, facts: Facts) -> Network:
    """The network for these settings."""
    return Network(facts.place.directory / files.NETWORK_PCAP if settings.net_dump else None)
