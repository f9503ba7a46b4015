"""What a guest asks for in single packets: addresses (DHCP, ARP), names (DNS), other UDP services; and the answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final

import dpkt

from hiperiso.contract.network import DhcpMessage, DnsQuery, Unanswered
from hiperiso.text import plain

_DHCP: Final = {
    1: "discover",
    2: "offer",
    3: "request",
    4: "decline",
    5: "ack",
    6: "nak",
    7: "release",
    8: "inform",
}
_TYPES: Final = {
    1: "A",
    2: "NS",
    5: "CNAME",
    6: "SOA",
    12: "PTR",
    15: "MX",
    16: "TXT",
    28: "AAAA",
    33: "SRV",
    65: "HTTPS",
}
_RESULTS: Final = {0: "noerror", 1: "formerr", 2: "servfail", 3: "nxdomain", 4: "notimp", 5: "refused"}
_DNS_PORTS: Final = (53, 5353)


@dataclass
class _Query:
    t: float
    tries: int = 0
    answer: str = ""
    addresses: list[str] = field(default_factory=list)


@dataclass
class _Asking:
    t: float
    tries: int = 0
    answered: bool = False


class Asked:
    """Collects packet by packet; tables are cut at `limit` entries."""

    def __init__(self, limit: int) -> None:
        self.dhcp: list[DhcpMessage] = []
        self.left_out = 0
        self._limit = limit
        self._queries: dict[tuple[str, str, str], _Query] = {}
        self._askings: dict[tuple[str, str, str], _Asking] = {}

    def arp(self, t: float, packet: Any, *, outward: bool) -> None:
        """Take an ARP packet."""
        if outward and packet.op == dpkt.arp.ARP_OP_REQUEST and packet.spa != packet.tpa and any(packet.spa):
            address = str(ip_address(packet.tpa))
            self._ask("arp", address, address, t)
        elif not outward and packet.op == dpkt.arp.ARP_OP_REPLY:
            address = str(ip_address(packet.spa))
            self._answered("arp", address, address)

    def udp(self, t: float, datagram: Any, peer: str, *, outward: bool) -> None:
        """Take a UDP datagram between the guest and `peer`."""
        port = datagram.dport if outward else datagram.sport
        if port in (67, 68) and {datagram.sport, datagram.dport} == {67, 68}:
            self._on_dhcp(t, dpkt.dhcp.DHCP(datagram.data), peer, outward=outward)
        elif port in _DNS_PORTS:
            self._on_dns(t, dpkt.dns.DNS(datagram.data), peer, outward=outward)
        elif outward and not ip_address(peer).is_multicast and peer != "255.255.255.255":
            self._ask("udp", f"port {port}", peer, t)
        elif not outward:
            self._answered("udp", f"port {port}", peer)

    def queries(self) -> list[DnsQuery]:
        """The names that were looked up, in order."""
        return [
            DnsQuery(
                t=round(one.t, 3),
                name=name,
                type=kind,
                server=server,
                tries=one.tries,
                answer=one.answer,
                addresses=one.addresses,
            )
            for (name, kind, server), one in self._queries.items()
        ]

    def unanswered(self) -> list[Unanswered]:
        """What got no answer, or one that is none."""
        found = [
            Unanswered(t=round(one.t, 3), what=what, asked=asked, peer=peer, tries=one.tries, why="no answer")
            for (what, asked, peer), one in self._askings.items()
            if not one.answered
        ]
        return found + [
            Unanswered(
                t=round(one.t, 3),
                what="dns",
                asked=f"{name} {kind}",
                peer=server,
                tries=one.tries,
                why=one.answer or "no answer",
            )
            for (name, kind, server), one in self._queries.items()
            if one.tries and one.answer != "noerror" and not ip_address(server).is_multicast
        ]

    def _on_dhcp(self, t: float, message: Any, peer: str, *, outward: bool) -> None:
        options = dict(message.opts)
        kind = _DHCP.get(options.get(dpkt.dhcp.DHCP_OPT_MSGTYPE, b"\0")[0], "bootp")
        self._ask("dhcp", "an address", "broadcast", t) if kind in (
            "discover",
            "request",
            "bootp",
        ) and outward else None
        if kind in ("offer", "ack") and not outward:
            self._answered("dhcp", "an address", "broadcast")
        if len(self.dhcp) >= self._limit:
            self.left_out += 1
            return
        own = message.yiaddr or int.from_bytes(options.get(dpkt.dhcp.DHCP_OPT_REQ_IP, b""), "big")
        self.dhcp.append(
            DhcpMessage(
                t=round(t, 3),
                message=kind,
                address=str(ip_address(own)) if 0 < own < 1 << 32 else "",
                server="" if outward else peer,
                host_name=_text(options.get(dpkt.dhcp.DHCP_OPT_HOSTNAME, b"")),
                vendor=_text(options.get(dpkt.dhcp.DHCP_OPT_VENDOR_ID, b"")),
            )
        )

    def _on_dns(self, t: float, message: Any, peer: str, *, outward: bool) -> None:
        for question in message.qd:
            key = (plain(question.name, 255), _TYPES.get(question.type, str(question.type)), peer)
            is_answer = message.qr == dpkt.dns.DNS_R
            if is_answer == outward:
                continue  # the guest answers, or is asked (mDNS)
            query = self._queries.get(key)
            if query is None:
                if len(self._queries) >= self._limit:
                    self.left_out += 1
                    continue
                query = self._queries[key] = _Query(t)
            if not is_answer:
                query.tries += 1
                continue
            query.answer = _RESULTS.get(message.rcode, str(message.rcode))
            for record in message.an[:16]:
                address = getattr(record, "ip", None) or getattr(record, "ip6", None)
                if address and record.type in (1, 28):
                    text = str(ip_address(address))
                    if text not in query.addresses:
                        query.addresses.append(text)

    def _ask(self, what: str, asked: str, peer: str, t: float) -> None:
        key = (what, asked, peer)
        if key not in self._askings and len(self._askings) >= self._limit:
            self.left_out += 1
            return
        asking = self._askings.setdefault(key, _Asking(t))
        asking.tries += 1

    def _answered(self, what: str, asked: str, peer: str) -> None:
        asking = self._askings.get((what, asked, peer))
        if asking:
            asking.answered = True


def _text(raw: bytes) -> str:
    return plain(raw.decode("utf-8", "replace"), 255)
