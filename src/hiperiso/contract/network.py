"""``network.json``: what the guest did on its network, from network.pcap.

All times are seconds since QEMU started, exact to one second: the recording's clock has the second of the start alone.
"""

from __future__ import annotations

import msgspec


class DhcpMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One DHCP message: its kind (``discover``, ``offer``, ...), and what it carries."""

    t: float
    message: str
    address: str = ""
    server: str = ""
    host_name: str = ""
    vendor: str = ""


class DnsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """One name that was looked up: ``answer`` is the last result (``noerror``, ``nxdomain``), empty without one.

    ``tries`` counts the queries of that name, type and server; ``addresses`` are those in answers.
    """

    t: float
    name: str
    type: str
    server: str
    tries: int
    answer: str
    addresses: list[str]


class TlsName(msgspec.Struct, frozen=True, kw_only=True):
    """The name of a server in a TLS handshake (SNI): sent by the guest in clear."""

    t: float
    server_name: str
    peer: str
    port: int


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request in plain HTTP; ``status`` is 0 where it is not known: the first answer of
    a connection is read alone."""

    t: float
    method: str
    host: str
    path: str
    peer: str
    port: int
    status: int = 0


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """One address that frames were exchanged with. Bytes are of whole frames; ``services`` are like ``tcp/443``."""

    address: str
    first_s: float
    sent_frames: int
    sent_bytes: int
    received_frames: int
    received_bytes: int
    retransmits: int
    services: list[str]


class Unanswered(msgspec.Struct, frozen=True, kw_only=True):
    """What the guest asked for and did not get.

    ``what`` is ``dhcp``, ``arp``, ``dns``, ``tcp`` or ``udp``; ``asked`` the name or service; ``why`` is ``no answer``,
    ``refused``, or the answer's own word.
    """

    t: float
    what: str
    asked: str
    peer: str
    tries: int
    why: str


class NetworkSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file. Lists are cut at some hundred entries; ``left_out`` counts what is missing in them.

    ``guest`` are the guest's addresses; ``damaged_frames`` could not be read; ``complete`` is false where the recording
    goes on after the last frame that was read.
    """

    frames: int
    bytes: int
    damaged_frames: int
    first_s: float
    last_s: float
    guest: list[str]
    dhcp: list[DhcpMessage]
    dns: list[DnsQuery]
    tls: list[TlsName]
    http: list[HttpRequest]
    peers: list[Peer]
    unanswered: list[Unanswered]
    left_out: int = 0
    complete: bool = True


def network_lines(summary: NetworkSummary) -> list[str]:
    """The section of the report."""
    lines = [
        f"{summary.frames} frames, {summary.bytes} bytes; the guest is {', '.join(summary.guest) or 'unknown'}"
    ]
    lines += [
        f"{one.t:7.1f} s  DHCP {one.message}"
        + "".join(
            f", {what} {text}" for what, text in (("address", one.address), ("server", one.server)) if text
        )
        for one in summary.dhcp
    ]
    lines += [
        f"{one.t:7.1f} s  DNS {one.name} {one.type} at {one.server}: "
        + (", ".join(one.addresses) or one.answer or "no answer")
        for one in summary.dns
    ]
    lines += [f"{one.t:7.1f} s  TLS {one.server_name} at {one.peer} port {one.port}" for one in summary.tls]
    lines += [
        f"{one.t:7.1f} s  HTTP {one.method} http://{one.host}{one.path}: {one.status or 'no status'}"
        for one in summary.http
    ]
    lines += [
        f"{one.first_s:7.1f} s  {one.address}: {one.sent_bytes} bytes sent, {one.received_bytes} received, "
        f"{one.retransmits} retransmits ({', '.join(one.services) or 'no service'})"
        for one in summary.peers
    ]
    lines += [
        f"{one.t:7.1f} s  NOT ANSWERED: {one.what} {one.asked} at {one.peer}, {one.tries} times: {one.why}"
        for one in summary.unanswered
    ]
    return lines
