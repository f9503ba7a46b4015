"""network.pcap -> network.json: recordings put together packet by packet, damaged ones, and any bytes at all."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Any

import dpkt
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.contract.network import NetworkSummary, network_lines
from hiperlab.network.streams import server_name
from hiperlab.network.summary import read_pcap

GUEST, ROUTER = b"\x52\x54\x00\x12\x34\x56", b"\x52\x55\x0a\x00\x02\x02"
ME, GATEWAY, DNS, WEB = "10.0.2.15", "10.0.2.2", "10.0.2.3", "203.0.113.7"
START_S = 1_800_000_000


def frame(data: Any, *, outward: bool = True, kind: int = 0x0800) -> bytes:
    src, dst = (GUEST, ROUTER) if outward else (ROUTER, GUEST)
    return bytes(dpkt.ethernet.Ethernet(src=src, dst=dst, type=kind, data=data))


def ip(payload: Any, peer: str, *, outward: bool = True, own: str = ME) -> bytes:
    src, dst = (own, peer) if outward else (peer, own)
    proto = 17 if isinstance(payload, dpkt.udp.UDP) else 6
    packet = dpkt.ip.IP(src=socket.inet_aton(src), dst=socket.inet_aton(dst), p=proto, data=payload)
    packet.len = len(packet)
    return frame(packet, outward=outward)


def udp(
    data: bytes, port: int, peer: str, *, outward: bool = True, own_port: int = 5000, own: str = ME
) -> bytes:
    sport, dport = (own_port, port) if outward else (port, own_port)
    datagram = dpkt.udp.UDP(sport=sport, dport=dport, data=data)
    datagram.ulen = len(datagram)
    return ip(datagram, peer, outward=outward, own=own)


def tcp(
    data: bytes, flags: int, seq: int, *, outward: bool = True, port: int = 80, own_port: int = 40000
) -> bytes:
    sport, dport = (own_port, port) if outward else (port, own_port)
    segment = dpkt.tcp.TCP(sport=sport, dport=dport, flags=flags, seq=seq & 0xFFFFFFFF, data=data)
    return ip(segment, WEB, outward=outward)


def dns(name: str, *, number: int, answer: str = "", rcode: int = 0, response: bool = False) -> bytes:
    message = dpkt.dns.DNS(id=number, qd=[dpkt.dns.DNS.Q(name=name, type=1)])
    message.qr, message.rcode = int(response), rcode
    if answer:
        message.an = [
            dpkt.dns.DNS.RR(name=name, type=1, cls=1, ttl=60, rdata=socket.inet_aton(answer), ip=b"")
        ]
        message.an[0].ip = socket.inet_aton(answer)
    return bytes(message)


def dhcp(kind: int, address: int = 0) -> bytes:
    message = dpkt.dhcp.DHCP(chaddr=GUEST + bytes(10), yiaddr=address)
    message.opts = ((53, bytes([kind])), (12, b"box"))
    return bytes(message)


def hello(name: bytes) -> bytes:
    """A TLS ClientHello of two records, with a key share before the name, as browsers send it."""
    entry = b"\0" + struct.pack(">H", len(name)) + name
    share = struct.pack(">HH", 51, 1200) + bytes(1200)
    names = struct.pack(">HHH", 0, len(entry) + 2, len(entry)) + entry
    extensions = share + names
    body = b"\3\3" + bytes(32) + b"\0" + struct.pack(">H", 2) + b"\x13\x01" + b"\1\0"
    body += struct.pack(">H", len(extensions)) + extensions
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return b"".join(
        b"\x16\3\1" + struct.pack(">H", len(part)) + part for part in (message[:1000], message[1000:])
    )


def recorded(path: Path, frames: list[tuple[float, bytes]]) -> NetworkSummary:
    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file)
        for t, raw in frames:
            writer.writepkt(raw, ts=START_S + t)
    return read_pcap(path, zero_s=START_S)


def test_a_boot_with_everything(tmp_path: Path) -> None:
    syn, ack, push, rst = dpkt.tcp.TH_SYN, dpkt.tcp.TH_ACK, dpkt.tcp.TH_PUSH, dpkt.tcp.TH_RST
    get = b"GET /a?b HTTP/1.1\r\nHost: deb.example\r\n\r\n"
    tls = hello(b"secure.example")
    summary = recorded(
        tmp_path / "x.pcap",
        [
            (1.0, udp(dhcp(1), 67, "255.255.255.255", own_port=68, own="0.0.0.0")),
            (1.5, udp(dhcp(2, 0x0A00020F), 67, GATEWAY, own_port=68, outward=False)),
            (2.0, udp(dns("deb.example", number=1), 53, DNS)),
            (2.1, udp(dns("deb.example", number=1, answer=WEB, response=True), 53, DNS, outward=False)),
            (2.2, udp(dns("gone.example", number=2), 53, DNS)),
            (2.3, udp(dns("gone.example", number=2, rcode=3, response=True), 53, DNS, outward=False)),
            (2.4, udp(dns("mute.example", number=3), 53, DNS)),
            (7.4, udp(dns("mute.example", number=3), 53, DNS)),
            (8.0, tcp(b"", syn, 0xFFFFFFF0)),  # its sequence numbers wrap
            (8.1, tcp(b"", syn | ack, 9, outward=False)),
            (8.2, tcp(get[:20], push | ack, 0xFFFFFFF1)),
            (8.4, tcp(get[:20], push | ack, 0xFFFFFFF1)),  # once more
            (8.5, tcp(get[20:], push | ack, 0xFFFFFFF1 + 20)),
            (8.6, tcp(b"HTTP/1.1 404 Not Found\r\n\r\n", push | ack, 10, outward=False)),
            (9.0, tcp(b"", syn, 1, port=443, own_port=40001)),
            (9.1, tcp(b"", syn | ack, 1, port=443, own_port=40001, outward=False)),
            (9.2, tcp(tls[:700], ack, 2, port=443, own_port=40001)),
            (9.3, tcp(tls[700:], push | ack, 702, port=443, own_port=40001)),
            (10.0, tcp(b"", syn, 1, port=81, own_port=40002)),
            (11.0, tcp(b"", syn, 1, port=81, own_port=40002)),
            (12.0, tcp(b"", syn, 1, port=82, own_port=40003)),
            (12.1, tcp(b"", rst | ack, 0, port=82, own_port=40003, outward=False)),
            (13.0, udp(b"\x23" + bytes(47), 123, WEB)),
            (14.0, b"\0"),
        ],
    )
    assert [(one.message, one.address, one.host_name) for one in summary.dhcp] == [
        ("discover", "", "box"),
        ("offer", "10.0.2.15", "box"),
    ]
    assert [(one.name, one.answer, one.addresses, one.tries) for one in summary.dns] == [
        ("deb.example", "noerror", [WEB], 1),
        ("gone.example", "nxdomain", [], 1),
        ("mute.example", "", [], 2),
    ]
    assert [(one.server_name, one.port) for one in summary.tls] == [("secure.example", 443)]
    assert [(one.host, one.path, one.status) for one in summary.http] == [("deb.example", "/a?b", 404)]
    assert [(one.what, one.asked, one.tries, one.why) for one in summary.unanswered] == [
        ("dns", "gone.example A", 1, "nxdomain"),
        ("dns", "mute.example A", 2, "no answer"),
        ("tcp", "port 81", 2, "no answer"),
        ("tcp", "port 82", 1, "refused"),
        ("udp", "port 123", 1, "no answer"),
    ]
    web = next(one for one in summary.peers if one.address == WEB)
    assert (web.first_s, web.retransmits) == (8.0, 2)  # the request, and the second SYN
    assert web.services == ["tcp/80", "tcp/443", "tcp/81", "tcp/82", "udp/123"]
    assert (summary.frames, summary.damaged_frames, summary.guest) == (24, 1, [ME])
    text = "\n".join(network_lines(summary))
    assert "NOT ANSWERED: dns mute.example A at 10.0.2.3, 2 times: no answer" in text
    assert msgspec.json.decode(msgspec.json.encode(summary), type=NetworkSummary) == summary


@given(st.lists(st.binary(max_size=200), max_size=20), st.binary(max_size=40), st.data())
def test_any_bytes_are_a_summary(
    tmp_path_factory: Any, frames: list[bytes], tail: bytes, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("pcap") / "x.pcap"
    real = [
        udp(dns("a.example", number=1, answer=WEB, response=True), 53, DNS, outward=False),
        udp(dhcp(1), 67, "255.255.255.255", own_port=68),
        tcp(hello(b"x"), 24, 5),
    ]
    for raw in real:
        at = data.draw(st.integers(0, len(raw) - 1))
        frames.append(raw[:at] + data.draw(st.binary(max_size=4)) + raw[at + 2 :])
    summary = recorded(path, [(number * 0.1, raw) for number, raw in enumerate(frames)])
    assert summary.frames == len(frames)
    with path.open("ab") as file:
        file.write(tail)  # a torn record
    assert read_pcap(path).frames >= len(frames)
    network_lines(summary)


def test_what_is_no_recording_is_an_empty_summary(tmp_path: Path) -> None:
    for content in (b"", b"\xd4\xc3\xb2\xa1", bytes(100)):
        (tmp_path / "x").write_bytes(content)
        assert read_pcap(tmp_path / "x").frames == 0


@given(st.binary(max_size=3000))
def test_any_bytes_have_a_server_name_or_none(head: bytes) -> None:
    server_name(b"\x16\3\1" + head)
    assert server_name(hello(b"h.example")) == "h.example"
    assert server_name(hello(b"h.example")[:900]) is None
