"""The guest's TCP connections: who answered, what was sent again, and the first words of TLS and HTTP in clear."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Final

import dpkt

from hiperiso.contract.network import HttpRequest, TlsName, Unanswered
from hiperiso.text import plain

_HEAD_BYTES: Final = 16 << 10
"""As much of a connection's beginning is kept: a TLS ClientHello, the head of a request."""
_MASK: Final = 0xFFFFFFFF
_METHODS: Final = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"OPTIONS ", b"DELETE ", b"CONNECT ", b"PROPFIND ")


@dataclass
class _Way:
    """One direction: the next expected sequence number, and the head of the stream as far as it is in order."""

    start: int | None = None
    next: int | None = None
    head: bytearray = field(default_factory=bytearray)


@dataclass
class _Connection:
    t: float
    peer: str
    port: int
    tries: int = 0
    answer: str = ""
    out: _Way = field(default_factory=_Way)
    back: _Way = field(default_factory=_Way)
    known: bool = False
    requests: list[int] = field(default_factory=list)
    requested_bytes: int = 0


class Streams:
    """Collects segment by segment; tables are cut at `limit` entries."""

    def __init__(self, limit: int) -> None:
        self.tls: list[TlsName] = []
        self.retransmits: dict[str, int] = {}
        self.left_out = 0
        self._limit = limit
        self._requests: list[HttpRequest] = []
        self._statuses: dict[int, int] = {}
        self._connections: dict[tuple[str, int, int], _Connection] = {}

    def take(self, t: float, segment: Any, peer: str, *, outward: bool) -> None:
        """Take a segment between the guest and `peer`."""
        own, port = (segment.sport, segment.dport) if outward else (segment.dport, segment.sport)
        syn = segment.flags & dpkt.tcp.TH_SYN
        key = (peer, own, port)
        connection = self._connections.get(key)
        opens = outward and syn and not segment.flags & dpkt.tcp.TH_ACK
        again = connection is not None and connection.out.start == segment.seq
        if connection is None or (opens and connection.answer and not again):
            if connection is None and len(self._connections) >= 20 * self._limit:
                self.left_out += 1
                return
            connection = self._connections[key] = _Connection(t, peer, port)
        if opens:
            connection.tries += 1
        if not outward and not connection.answer:
            connection.answer = "refused" if segment.flags & dpkt.tcp.TH_RST else "answered"
        way = connection.out if outward else connection.back
        if self._is_again(way, segment):
            self.retransmits[peer] = self.retransmits.get(peer, 0) + 1
        if outward and segment.data:
            self._read_out(t, connection)
        elif segment.data:
            self._read_back(connection)

    def requests(self) -> list[HttpRequest]:
        """The requests in plain HTTP, with the status of each answer."""
        return [
            HttpRequest(
                t=one.t,
                method=one.method,
                host=one.host,
                path=one.path,
                peer=one.peer,
                port=one.port,
                status=self._statuses.get(number, 0),
            )
            for number, one in enumerate(self._requests)
        ]

    def unanswered(self) -> list[Unanswered]:
        """Connections that were not made: one entry for each service."""
        found: dict[tuple[str, int, str], list[_Connection]] = {}
        for one in self._connections.values():
            if one.tries and one.answer != "answered":
                found.setdefault((one.peer, one.port, one.answer or "no answer"), []).append(one)
        return [
            Unanswered(
                t=round(ones[0].t, 3),
                what="tcp",
                asked=f"port {port}",
                peer=peer,
                tries=sum(one.tries for one in ones),
                why=why,
            )
            for (peer, port, why), ones in found.items()
        ][: self._limit]

    def _is_again(self, way: _Way, segment: Any) -> bool:
        """Whether the segment repeats what was seen; else its data is added to the way's head."""
        syn, fin = bool(segment.flags & dpkt.tcp.TH_SYN), bool(segment.flags & dpkt.tcp.TH_FIN)
        length = len(segment.data) + syn + fin
        if way.next is None:
            way.start, way.next = segment.seq, (segment.seq + length) & _MASK
            way.head += segment.data[:_HEAD_BYTES]
            return False
        if not length:
            return False
        ahead = (segment.seq - way.next) & _MASK
        if ahead == 0:
            way.next = (segment.seq + length) & _MASK
            way.head += segment.data[: max(0, _HEAD_BYTES - len(way.head))]
            return False
        if ahead > 1 << 31:  # behind; one byte at the end is a keep-alive, not data
            return syn or fin or len(segment.data) > 1 or ahead != _MASK
        way.next = (segment.seq + length) & _MASK  # a hole: frames that the recording lacks
        way.head += bytes(max(0, _HEAD_BYTES - len(way.head)))
        return False

    def _read_out(self, t: float, connection: _Connection) -> None:
        head = bytes(connection.out.head)
        if not connection.known and head[:1] == b"\x16":
            name = server_name(head)
            if name is not None:
                connection.known = True
            if name:
                self._keep_tls(t, connection, name)
        elif head.startswith(_METHODS) or connection.requests:
            self._read_requests(t, connection, head)

    def _keep_tls(self, t: float, connection: _Connection, name: str) -> None:
        if len(self.tls) < self._limit:
            self.tls.append(
                TlsName(t=round(t, 3), server_name=name, peer=connection.peer, port=connection.port)
            )
        else:
            self.left_out += 1

    def _read_requests(self, t: float, connection: _Connection, head: bytes) -> None:
        while True:
            begin = connection.requested_bytes
            end = head.find(b"\r\n\r\n", begin)
            if end < 0:
                return
            lines = head[begin:end].split(b"\r\n")
            connection.requested_bytes = end + 4
            words = lines[0].split(b" ")
            if not lines[0].startswith(_METHODS) or len(words) < 3:
                continue  # the body of a request
            if len(self._requests) >= self._limit:
                self.left_out += 1
                return
            host = next((line[5:].strip() for line in lines[1:] if line[:5].lower() == b"host:"), b"")
            connection.requests.append(len(self._requests))
            self._requests.append(
                HttpRequest(
                    t=round(t, 3),
                    method=_text(words[0]),
                    host=_text(host) or connection.peer,
                    path=_text(words[1]),
                    peer=connection.peer,
                    port=connection.port,
                )
            )

    def _read_back(self, connection: _Connection) -> None:
        """The status of the first answer; later ones of the connection stand behind bodies that are not kept."""
        head = bytes(connection.back.head[:64])
        if connection.requests and head.startswith(b"HTTP/1.") and head[9:12].isdigit():
            self._statuses.setdefault(connection.requests[0], int(head[9:12]))


def server_name(head: bytes) -> str | None:
    """The server name in a TLS ClientHello (RFC 8446 4.1.2, RFC 6066 3).

    Returns:
        ``""`` where it has none; None where the message is not complete yet.
    """
    body = bytearray()
    at = 0
    while at + 5 <= len(head) and head[at] == 0x16:  # records of the handshake
        (length,) = struct.unpack_from(">H", head, at + 3)
        body += head[at + 5 : at + 5 + length]
        at += 5 + length
    if len(body) < 4 or len(body) < 4 + int.from_bytes(body[1:4], "big"):
        return None
    try:
        return _sni(bytes(body[4 : 4 + int.from_bytes(body[1:4], "big")])) if body[0] == 1 else ""
    except (IndexError, struct.error):
        return ""


def _sni(hello: bytes) -> str:
    at = 34  # version and random
    at += 1 + hello[at]  # session id
    at += 2 + struct.unpack_from(">H", hello, at)[0]  # cipher suites
    at += 1 + hello[at]  # compression
    (total,) = struct.unpack_from(">H", hello, at)
    end = min(at + 2 + total, len(hello))
    at += 2
    while at + 4 <= end:
        kind, length = struct.unpack_from(">HH", hello, at)
        if kind == 0 and length >= 5:
            (size,) = struct.unpack_from(">H", hello, at + 7)
            return _text(hello[at + 9 : at + 9 + size])
        at += 4 + length
    return ""


def _text(raw: bytes) -> str:
    return plain(raw.decode("utf-8", "replace"), 500)
