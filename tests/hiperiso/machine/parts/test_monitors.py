"""Sockets are bound before QEMU starts: who connects early waits, and nothing is left of a QEMU that never started."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from hiperiso.errors import HarnessFault
from hiperiso.machine.part import Preparation
from hiperiso.machine.parts.monitors import Monitors
from waiting import DEADLINE_S


def connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(DEADLINE_S)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def test_a_peer_finds_the_socket_before_qemu_is_there_and_loses_it_with_qemu(tmp_path: Path) -> None:
    monitors = Monitors(qmp=tmp_path / "q", human=tmp_path / "m")
    with ExitStack() as stack:
        preparation = Preparation(stack)
        monitors.prepare(preparation)
        early = connected(monitors.qmp)
        given = socket.socket(fileno=preparation.listening[monitors.qmp])
        peer, _ = given.accept()
        peer.sendall(b"hello")
        assert early.recv(16) == b"hello"
        peer.close()
        late = connected(monitors.human)
        given.detach()
        preparation.hand_over()
        preparation.hand_over()  # nothing is closed twice
        with pytest.raises(ConnectionResetError):  # the listener has gone
            late.recv(1)
        with pytest.raises(ConnectionRefusedError):
            connected(monitors.human)
        early.close()
        late.close()


def test_the_sockets_of_a_boot_that_never_came_to_qemu_are_closed(tmp_path: Path) -> None:
    monitors = Monitors(qmp=tmp_path / "q", human=tmp_path / "m")
    with ExitStack() as stack:
        monitors.prepare(Preparation(stack))
    with pytest.raises(ConnectionRefusedError):
        connected(monitors.qmp)


def test_a_socket_that_cannot_be_bound(tmp_path: Path) -> None:
    monitors = Monitors(qmp=tmp_path / "none" / "q", human=tmp_path / "m")
    with ExitStack() as stack, pytest.raises(HarnessFault, match=r"cannot listen at .*none/q: No such file"):
        monitors.prepare(Preparation(stack))
