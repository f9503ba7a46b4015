"""The software TPM: its process, and the relay between its control channel and QEMU's.

QEMU ends the TPM when it ends itself, and the PCRs with it. So QEMU does not talk to swtpm itself: a thread passes its
control messages on, and where QEMU shuts the TPM down (or is gone), reads the PCRs first.

::

    QEMU --control socket--> relay --socket pair (an open descriptor)--> swtpm
      `----------- data: QEMU's descriptor, passed on once -------------'

Sources: swtpm(8); swtpm's include/swtpm/tpm_ioctl.h (commands, big endian, a result of 4 bytes); TCG, *TPM 2.0 Library,
Part 3*, 22.4 (TPM2_PCR_Read).
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from socket import SCM_RIGHTS, SHUT_RDWR, SOL_SOCKET, socket, socketpair
from typing import Final

from hiperiso.contract.store import atomic_write

_SHUTDOWN, _SET_DATAFD = 3, 16
_MAX_MESSAGE: Final = 1 << 16
_TIMEOUT_S: Final = 10.0
_AGAIN_S: Final = 0.02
BANKS: Final = {"sha1": 0x04, "sha256": 0x0B, "sha384": 0x0C, "sha512": 0x0D}
"""TPM algorithm numbers (TCG Algorithm Registry)."""


def swtpm_argv(program: str, state: Path, control: int) -> list[str]:
    """The command: `control` is the descriptor of a connected socket; the state is a directory."""
    return [
        *(program, "socket", "--tpm2", "--tpmstate", f"dir={state},mode=0600"),
        *("--ctrl", f"type=unixio,clientfd={control}"),
        *("--log", f"file={state / 'swtpm.log'},level=1"),
    ]


class Relay:
    """Passes QEMU's control messages on to swtpm, and writes the PCRs at the end.

    Args:
        listening: a bound socket at which QEMU connects.
        backend: the connection to swtpm's control channel.
        pcrs: where the PCRs are written: bank -> PCR -> hexadecimal digest; ``{}`` for a TPM that was not started.
    """

    def __init__(self, listening: socket, backend: socket, pcrs: Path) -> None:
        self._listening, self._backend, self._pcrs = listening, backend, pcrs
        self._thread = threading.Thread(target=self._run, name="tpm", daemon=True)

    def start(self) -> None:
        """Wait for QEMU in a thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread, whether or not QEMU ever came."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(SHUT_RDWR)
        self._thread.join(_TIMEOUT_S)
        self._listening.close()
        self._backend.close()

    def _run(self) -> None:
        try:
            qemu, _ = self._listening.accept()
        except OSError:
            return  # closed: QEMU never came
        self._backend.settimeout(None)
        try:
            self._pass_on(qemu)
        except OSError:
            pass  # swtpm is gone; QEMU notices
        finally:
            qemu.close()
            with contextlib.suppress(OSError):
                self._backend.sendall(struct.pack(">I", _SHUTDOWN))

    def _pass_on(self, qemu: socket) -> None:
        while True:
            message, passed, _, _ = qemu.recvmsg(_MAX_MESSAGE, 64)
            descriptors = [
                number
                for level, kind, data in passed
                if (level, kind) == (SOL_SOCKET, SCM_RIGHTS)
                for (number,) in struct.iter_unpack("i", data)
            ]
            over = not message or message[:4] == struct.pack(">I", _SHUTDOWN)
            if over:
                if message:
                    qemu.sendall(bytes(4))
                self._write_pcrs()
                return
            rights = [(SOL_SOCKET, SCM_RIGHTS, struct.pack(f"{len(descriptors)}i", *descriptors))]
            self._backend.sendmsg([message], rights if descriptors else [])
            for number in descriptors:
                os.close(number)
            qemu.sendall(self._answer())

    def _answer(self) -> bytes:
        answer = self._backend.recv(_MAX_MESSAGE)
        if not answer:
            raise OSError("swtpm has closed its control channel")
        return answer

    def _write_pcrs(self) -> None:
        self._backend.settimeout(_TIMEOUT_S)
        banks: dict[str, dict[str, str]] = {}
        with contextlib.suppress(OSError, struct.error, IndexError):
            ours, theirs = socketpair()
            with contextlib.closing(ours), contextlib.closing(theirs):
                if self._take_over(theirs):
                    ours.settimeout(_TIMEOUT_S)
                    banks = read_pcrs(lambda command: _transact(ours, command))
        with contextlib.suppress(OSError):
            atomic_write(self._pcrs, json.dumps(banks).encode() + b"\n")

    def _take_over(self, data: socket) -> bool:
        """Make `data` swtpm's data channel, of which it has one: refused until it has seen QEMU close the other."""
        until = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < until:
            rights = [(SOL_SOCKET, SCM_RIGHTS, struct.pack("i", data.fileno()))]
            self._backend.sendmsg([struct.pack(">I", _SET_DATAFD)], rights)
            if self._answer() == bytes(4):
                return True
            time.sleep(_AGAIN_S)
        return False


def _transact(channel: socket, command: bytes) -> bytes:
    channel.sendall(command)
    return channel.recv(_MAX_MESSAGE)


def read_pcrs(transact: Callable[[bytes], bytes]) -> dict[str, dict[str, str]]:
    """All PCRs of a TPM: bank -> PCR -> hexadecimal digest; banks that are not allocated are left out.

    Args:
        transact: sends a command, and returns the response.

    Raises:
        OSError, struct.error, IndexError: the TPM does not answer as it should.
    """
    banks: dict[str, dict[str, str]] = {}
    for name, number in BANKS.items():
        for group in range(3):
            selection = struct.pack(">IHB", 1, number, 3) + bytes(
                0xFF if at == group else 0 for at in range(3)
            )
            body = struct.pack(">I", 0x17E) + selection
            response = transact(struct.pack(">HI", 0x8001, len(body) + 6) + body)
            if struct.unpack_from(">I", response, 6)[0] != 0:
                continue
            at = 10 + 4 + 4 + 2 + 1 + 3  # header, update counter, one selection
            (count,) = struct.unpack_from(">I", response, at)
            at += 4
            for pcr in range(count):
                (size,) = struct.unpack_from(">H", response, at)
                banks.setdefault(name, {})[str(group * 8 + pcr)] = response[at + 2 : at + 2 + size].hex()
                at += 2 + size
    return banks
