"""The measured boot: logs put together event by event, and a real TPM that was extended by them."""

from __future__ import annotations

import hashlib
import json
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket, socketpair

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.machine.swtpm import Relay, swtpm_argv
from hiperiso.observe.memory.ram import Unreadable
from hiperiso.observe.tpm import compare, find_log, parse_log, replay, table_log_address
from waiting import DEADLINE_S

BANKS = {0x04: "sha1", 0x0B: "sha256"}


def head() -> bytes:
    sizes = b"".join(
        struct.pack("<HH", number, hashlib.new(name).digest_size) for number, name in BANKS.items()
    )
    data = b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(BANKS)) + sizes + b"\0"
    return struct.pack("<II20sI", 0, 3, b"", len(data)) + data


def event(pcr: int, kind: int, data: bytes, digests: dict[int, bytes] | None = None) -> bytes:
    made = digests or {number: hashlib.new(name, data).digest() for number, name in BANKS.items()}
    body = b"".join(struct.pack("<H", number) + digest for number, digest in made.items())
    return struct.pack("<III", pcr, kind, len(made)) + body + struct.pack("<I", len(data)) + data


LOG = (
    head()
    + event(0, 8, b"firmware")
    + event(4, 0x80000003, b"loader")
    + event(4, 0xD, b"menu")
    + event(7, 1, b"\0" * 4)
)


def registers(log: bytes = LOG) -> dict[str, dict[str, str]]:
    zeros = {
        bank: {str(pcr): bytes(hashlib.new(bank).digest_size).hex() for pcr in range(24)}
        for bank in BANKS.values()
    }
    for bank, pcrs in replay(parse_log(log)).items():
        zeros[bank] |= {str(pcr): digest.hex() for pcr, digest in pcrs.items()}
    return zeros


def test_a_log_leads_to_its_registers() -> None:
    events = parse_log(LOG + bytes(500))
    assert [(one.pcr, one.data) for one in events][:2] == [(0, b"firmware"), (4, b"loader")]
    once = hashlib.sha256(bytes(32) + hashlib.sha256(b"firmware").digest()).digest()
    assert replay(events)["sha256"][0] == once
    found = compare(events, registers())
    assert (found.equal, found.different, found.banks) == ((0, 4, 7), (), ("sha1", "sha256"))


def test_differences_are_of_the_firmware_or_of_later() -> None:
    real = registers()
    real["sha256"]["4"] = "ab" * 32  # extended, and not in the log
    real["sha256"]["2"] = "cd" * 32  # no event at all
    real["sha1"]["10"] = "01" * 20  # the system's: IMA
    found = compare(parse_log(LOG), real)
    assert (found.equal, found.different, found.extended_later) == ((0, 7), (2, 4), (10,))
    assert compare([], registers()).different == (0, 4, 7)  # measured, and no log was found
    assert compare([], {"sha256": {"0": "00" * 32, "17": "ff" * 32}}).different == ()


def test_what_the_kernel_measures_when_it_takes_over_is_known() -> None:
    log = LOG + event(5, 0x80000007, b"Calling EFI Application from Boot Option")
    leaving = event(5, 0x80000007, b"Exit Boot Services Invocation")
    done = event(5, 0x80000007, b"Exit Boot Services Returned with Success")
    assert compare(parse_log(log), registers(log + leaving + done)).equal == (0, 4, 5, 7)
    other = event(5, 0x80000007, b"something else")
    assert compare(parse_log(log), registers(log + other)).different == (5,)


def test_the_locality_of_the_start_counts() -> None:
    log = head() + event(
        0, 3, b"StartupLocality\0\x03", {n: bytes(hashlib.new(b).digest_size) for n, b in BANKS.items()}
    )
    log += event(0, 8, b"x")
    begin = bytes(31) + b"\x03"
    wanted = hashlib.sha256(begin + hashlib.sha256(b"x").digest()).digest()
    assert replay(parse_log(log))["sha256"][0] == wanted


class Ram:
    """A memory of bytes, with a hole at its end."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, address: int, size: int) -> bytes:
        if address < 0 or address + size > len(self._content):
            raise Unreadable("outside")
        return self._content[address : address + size]

    def find(self, pattern: bytes) -> Iterator[int]:
        at = self._content.find(pattern)
        while at >= 0:
            yield at
            at = self._content.find(pattern, at + 1)


def table(address: int, size: int) -> bytes:
    made = bytearray(b"TPM2" + struct.pack("<IBB", 76, 4, 0) + b"BOCHS BXPC    ".ljust(26, b"\0"))
    made += bytes(76 - len(made))
    struct.pack_into("<IQ", made, 64, size, address)
    made[9] = -sum(made) & 0xFF
    return bytes(made)


def test_the_log_is_found_by_its_table_or_by_its_head() -> None:
    assert table_log_address(table(0x1000, 0x10000)) == (0x1000, 0x10000)
    assert table_log_address(b"TPM2" + bytes(72)) is None
    by_table = Ram(b"TPM2".ljust(64) + table(0x1000, 0x2000).ljust(0x1000 - 64) + LOG.ljust(0x2000, b"\0"))
    assert len(find_log(by_table)) == 4
    alone = Ram(bytes(300) + LOG.ljust(0x3000, b"\0"))
    assert len(find_log(alone)) == 4
    assert find_log(Ram(b"Spec ID Event03\0" * 100)) == []


@given(st.binary(max_size=400), st.integers(0, len(LOG)))
def test_damaged_logs_end_early(tail: bytes, cut: int) -> None:
    events = parse_log(LOG[:cut] + tail)
    replay(events)
    compare(events, registers())


@pytest.mark.parametrize("closed_first", [True, False])
def test_the_relay_reads_the_registers_of_a_tpm_that_was_extended(tmp_path: Path, closed_first: bool) -> None:
    """As QEMU does: start the TPM, hand over a data channel, extend, shut down before or after closing that channel."""
    listening, client = socket(AF_UNIX, SOCK_STREAM), socket(AF_UNIX, SOCK_STREAM)
    listening.bind(str(tmp_path / "control"))
    listening.listen(1)
    ours, theirs = socketpair()
    argv = swtpm_argv("swtpm", tmp_path, theirs.fileno())
    process = subprocess.Popen(argv, pass_fds=(theirs.fileno(),), stderr=subprocess.DEVNULL)
    theirs.close()
    relay = Relay(listening, ours, tmp_path / "pcrs.json")
    relay.start()
    client.connect(str(tmp_path / "control"))
    client.settimeout(DEADLINE_S)
    client.sendall(struct.pack(">II", 2, 0))
    assert client.recv(100) == bytes(4)
    data, passed = socketpair()
    data.settimeout(DEADLINE_S)
    client.sendmsg([struct.pack(">I", 16)], [(1, 1, struct.pack("i", passed.fileno()))])
    passed.close()
    assert client.recv(100) == bytes(4)
    digest = hashlib.sha256(b"loader").digest()
    session = struct.pack(">IHBH", 0x40000009, 0, 0, 0)
    extend = struct.pack(">II", 4, len(session)) + session + struct.pack(">IH", 1, 0x0B) + digest
    for tag, code, body in ((0x8001, 0x144, b"\0\0"), (0x8002, 0x182, extend)):
        data.sendall(struct.pack(">HII", tag, len(body) + 10, code) + body)
        assert data.recv(4096)[6:10] == bytes(4)
    if closed_first:
        data.close()
    client.sendall(struct.pack(">I", 3))
    assert client.recv(100) == bytes(4)
    data.close()
    client.close()
    relay.close()
    pcrs = json.loads((tmp_path / "pcrs.json").read_bytes())
    assert pcrs["sha256"]["4"] == hashlib.sha256(bytes(32) + digest).hexdigest()
    assert set(pcrs["sha256"]["5"]) == {"0"}
    assert process.wait(DEADLINE_S) == 0
