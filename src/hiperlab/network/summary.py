"""network.pcap -> `NetworkSummary`. Frames are the guest's: hostile, damaged, endless; nothing of them is trusted.

dpkt decodes the frames. It raises many kinds of exceptions on damaged ones, so every frame is read in a guard of its
own, and counted where it fails. Memory is bounded by `MAX_ENTRIES` per table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import dpkt

from hiperiso.contract import files
from hiperiso.contract.events import QemuStarted
from hiperiso.contract.network import NetworkSummary, Peer
from hiperiso.contract.stored import StoredSession
from hiperlab.network.asked import Asked
from hiperlab.network.streams import Streams

MAX_ENTRIES: Final = 300
_MAX_FRAMES: Final = 500_000
_ROUTER_MACS: Final = (b"\x52\x55", b"\x52\x56")
"""QEMU's user network: libslirp, slirp.h (``special_ethaddr``, in6 ``52:56``)."""


def read_session_network(directory: Path) -> NetworkSummary | None:
    """The traffic of a session; None where none was recorded.

    Raises:
        OSError: network.pcap cannot be read.
    """
    path = directory / files.NETWORK_PCAP
    if not path.is_file():
        return None
    started = next((event for event in StoredSession(directory).head if isinstance(event, QemuStarted)), None)
    return read_pcap(path, zero_s=int(started.data.wall_s or 0) if started else 0)


def read_pcap(path: Path, *, zero_s: int = 0) -> NetworkSummary:
    """The traffic in a file of tcpdump's format.

    Args:
        path: the file; a torn end is accepted.
        zero_s: QEMU's start, whole seconds since the epoch; 0: the first frame's.

    Raises:
        OSError: it cannot be read.
    """
    traffic = _Traffic()
    for t, raw in _frames(path):
        if traffic.frames >= _MAX_FRAMES:
            traffic.complete = False
            break
        traffic.zero_s = traffic.zero_s or zero_s or int(t)
        traffic.take(max(0.0, t - traffic.zero_s), raw)
    return traffic.summary()


def _frames(path: Path) -> Iterator[tuple[float, bytes]]:
    with path.open("rb") as file:
        try:
            reader = dpkt.pcap.Reader(file)
        except (ValueError, dpkt.Error):  # empty, or no recording
            return
        try:
            for t, raw in reader:
                yield float(t), raw
        except (ValueError, dpkt.Error):
            return


@dataclass
class _PeerCount:
    first_s: float
    sent_frames: int = 0
    sent_bytes: int = 0
    received_frames: int = 0
    received_bytes: int = 0


class _Traffic:
    """Collects frame by frame."""

    def __init__(self) -> None:
        self.zero_s = 0
        self.complete = True
        self.frames = self._bytes = self._damaged = self._left_out = 0
        self._first_s: float | None = None
        self._last_s = 0.0
        self._mac: bytes | None = None
        self._guest: dict[str, None] = {}
        self._peers: dict[str, _PeerCount] = {}
        self._services: dict[str, dict[str, None]] = {}
        self._asked = Asked(MAX_ENTRIES)
        self._streams = Streams(MAX_ENTRIES)

    def take(self, t: float, raw: bytes) -> None:
        self.frames += 1
        self._bytes += len(raw)
        self._first_s = t if self._first_s is None else self._first_s
        self._last_s = t
        try:
            self._read(t, raw)
        except Exception:  # dpkt raises whatever its slices raise; a bad frame costs itself alone
            self._damaged += 1

    def _read(self, t: float, raw: bytes) -> None:
        frame = dpkt.ethernet.Ethernet(raw)
        if self._mac is None and frame.src[:2] not in _ROUTER_MACS:
            self._mac = frame.src
        outward = frame.src == self._mac
        packet = frame.data
        if isinstance(packet, dpkt.arp.ARP):
            self._asked.arp(t, packet, outward=outward)
        elif isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6):
            self._on_packet(t, packet, len(raw), outward=outward)
        elif isinstance(packet, bytes) and frame.type in (0x0800, 0x86DD, 0x0806):
            self._damaged += 1

    def _on_packet(self, t: float, packet: Any, size: int, *, outward: bool) -> None:
        own, other = (packet.src, packet.dst) if outward else (packet.dst, packet.src)
        own_text, peer = str(ip_address(own)), str(ip_address(other))
        if _is_host(own_text) and len(self._guest) < 16:
            self._guest.setdefault(own_text)
        count = self._peers.get(peer)
        if count is None:
            if len(self._peers) >= MAX_ENTRIES:
                self._left_out += 1
                return
            count = self._peers[peer] = _PeerCount(t)
        if outward:
            count.sent_frames, count.sent_bytes = count.sent_frames + 1, count.sent_bytes + size
        else:
            count.received_frames, count.received_bytes = (
                count.received_frames + 1,
                count.received_bytes + size,
            )
        self._on_transport(t, packet.data, peer, outward=outward)

    def _on_transport(self, t: float, segment: Any, peer: str, *, outward: bool) -> None:
        if isinstance(segment, dpkt.udp.UDP):
            port = segment.dport if outward else segment.sport
            self._serve(peer, f"udp/{port}")
            self._asked.udp(t, segment, peer, outward=outward)
        elif isinstance(segment, dpkt.tcp.TCP):
            port = segment.dport if outward else segment.sport
            self._serve(peer, f"tcp/{port}")
            self._streams.take(t, segment, peer, outward=outward)
        elif isinstance(segment, dpkt.icmp.ICMP | dpkt.icmp6.ICMP6):
            self._serve(peer, "icmp")

    def _serve(self, peer: str, service: str) -> None:
        known = self._services.setdefault(peer, {})
        if len(known) < 16:
            known.setdefault(service)

    def summary(self) -> NetworkSummary:
        retransmits = self._streams.retransmits
        peers = [
            Peer(
                address=address,
                first_s=round(count.first_s, 3),
                sent_frames=count.sent_frames,
                sent_bytes=count.sent_bytes,
                received_frames=count.received_frames,
                received_bytes=count.received_bytes,
                retransmits=retransmits.get(address, 0),
                services=list(self._services.get(address, ())),
            )
            for address, count in self._peers.items()
        ]
        unanswered = [*self._asked.unanswered(), *self._streams.unanswered()]
        return NetworkSummary(
            frames=self.frames,
            bytes=self._bytes,
            damaged_frames=self._damaged,
            first_s=round(self._first_s or 0.0, 3),
            last_s=round(self._last_s, 3),
            guest=list(
                self._guest | dict.fromkeys(one.address for one in self._asked.dhcp if one.message == "ack")
            ),
            dhcp=self._asked.dhcp,
            dns=self._asked.queries(),
            tls=self._streams.tls,
            http=self._streams.requests(),
            peers=peers,
            unanswered=sorted(unanswered, key=lambda one: one.t)[:MAX_ENTRIES],
            left_out=self._left_out + self._asked.left_out + self._streams.left_out,
            complete=self.complete,
        )


def _is_host(address: str) -> bool:
    """Whether a machine can have this address."""
    parsed = ip_address(address)
    return not (parsed.is_unspecified or parsed.is_multicast or address == "255.255.255.255")
