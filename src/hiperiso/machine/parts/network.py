"""The network: none, or user-mode networking (QEMU routes and serves DHCP and DNS), recorded on request."""

from __future__ import annotations

from pathlib import Path

from hiperiso.contract import files
from hiperiso.contract.hardware import Net, Nic
from hiperiso.contract.settings import Settings
from hiperiso.errors import UsageError
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part, escape, require_absolute


class Network(Part, frozen=True):
    """User-mode networking.

    Attributes:
        pcap: traffic is recorded to this file; None for no recording.
        nic: the card; None for no network at all.
    """

    pcap: Path | None = None
    nic: Nic | None = None

    def __post_init__(self) -> None:
        require_absolute(self.pcap)

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        if self.nic is None:
            return ["-nic", "none"]
        recording = f"filter-dump,id=pcap0,netdev=net0,file={escape(self.pcap)}" if self.pcap else ""
        return [
            *("-netdev", "user,id=net0"),
            # Without an option ROM: the BIOS does not try the network when the CD does not boot.
            *("-device", f"{self.nic.value},netdev=net0,romfile="),
            *(("-object", recording) if recording else ()),
        ]


def plan_network(settings: Settings, facts: Facts) -> Network:
    """The network for these settings; recording it needs one.

    Raises:
        UsageError: a card without a network.
    """
    if settings.net is Net.NONE and not settings.net_dump:
        if settings.nic is not None:
            raise UsageError(
                f"a network card ({settings.nic.value}) without a network", hint="add --net user"
            )
        return Network()
    pcap = facts.place.directory / files.NETWORK_PCAP if settings.net_dump else None
    return Network(pcap=pcap, nic=settings.nic or Nic.VIRTIO)
