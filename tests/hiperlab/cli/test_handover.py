"""A guest's serial port at the user's terminal: what passes, and how one leaves."""

from __future__ import annotations

import asyncio
import os
import pty
import termios
from pathlib import Path

import pytest

from commands import run_command
from hiperiso.errors import UsageError
from hiperiso.session.request import GuestAccess
from hiperlab.cli.handover import LEAVE, SafeOutput, attach
from hiperlab.cli.kept import access_lines, check_terminal
from integration.conftest import environment
from waiting import DEADLINE_S, await_until


@pytest.mark.parametrize(
    "drawn",
    [
        "debian login: ",
        "ümläut ┌──┐\r\n\ttab\b\a",
        "\x1b[2J\x1b[1;1H\x1b[0;37;44mmenu\x1b[m",
        "\x1b[?25l\x1b[?1049hdialog\x1b[?1049l",
        "\x1b7\x1b8\x1bM\x1b(0lqqk\x1b(B",
    ],
)
def test_what_draws_passes(drawn: str) -> None:
    assert SafeOutput().feed(drawn.encode()) == drawn


@pytest.mark.parametrize(
    "acts",
    [
        "\x1b]0;title\x07",
        "\x1b]52;c;aGVsbG8=\x1b\\",
        "\x1bP+q544e\x1b\\",
        "\x1b_Gpicture\x1b\\",
        "\x1b[6n\x1b[c\x1b[>c",
        "\x1b[21t\x1b[?1003h\x1b[?2004h",
        "\x9b6n",
        "\x1b[" + "1;" * 100 + "n",
        "\x00\x05\x0e",
    ],
)
def test_what_acts_on_the_terminal_does_not(acts: str) -> None:
    shown = SafeOutput().feed(f"before{acts}after".encode())
    assert "\x1b" not in shown and "\x05" not in shown
    assert shown.startswith("before") and shown.endswith("after")


def test_a_sequence_in_pieces_is_the_same() -> None:
    text = "a\x1b]0;t\x1b\\b\x1b[31mé\x1b[6nc".encode()
    whole, safe = SafeOutput().feed(text), SafeOutput()
    assert "".join(safe.feed(bytes([byte])) for byte in text) == whole == "ab\x1b[31méc"


def test_a_terminal_and_a_port_until_ctrl_and_bracket(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    left: list[bool] = []

    async def talk() -> bytes:
        got = asyncio.get_running_loop().create_future()
        gone = asyncio.Event()

        async def guest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"login: \x1b]0;x\x07")
            got.set_result(await reader.readuntil(b"\r"))
            os.write(ours, LEAVE)
            await reader.read()
            writer.close()
            await writer.wait_closed()
            gone.set()

        server = await asyncio.start_unix_server(guest, str(tmp_path / "serial"))
        work = asyncio.create_task(
            attach(tmp_path / "serial", lambda: left.append(True), terminal=theirs, out=theirs)
        )
        await await_until(lambda: not termios.tcgetattr(theirs)[3] & termios.ICANON, "no raw terminal")
        os.write(ours, b"root\x03\r")
        async with asyncio.timeout(DEADLINE_S):
            await work
            typed: bytes = await got
            await gone.wait()
        server.close()
        await server.wait_closed()
        return typed

    assert asyncio.run(talk()) == b"root\x03\r"  # Ctrl-C is the guest's
    assert left == [True]
    shown = os.read(ours, 4096)
    assert b"login: " in shown and b"\x1b]" not in shown
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


def test_how_a_guest_is_reached() -> None:
    access = GuestAccess(
        vnc="127.0.0.1:5901", serial=Path("/run/x.serial"), monitor=Path("/logs/x/monitor.sock")
    )
    text = "\n".join(access_lines(access, takes_terminal=False))
    for words in (
        "127.0.0.1:5901",
        "UNIX-CONNECT:/run/x.serial",
        "UNIX-CONNECT:/logs/x/monitor.sock",
        "Ctrl-C",
    ):
        assert words in text
    taken = "\n".join(access_lines(access, takes_terminal=True))
    assert "Ctrl-]" in taken and "Ctrl-C" not in taken
    assert "VNC" not in "\n".join(access_lines(GuestAccess(monitor=Path("/m")), takes_terminal=False))


def test_a_hand_over_needs_a_terminal() -> None:
    with pytest.raises(UsageError, match="terminal"):
        check_terminal()


@pytest.mark.parametrize("words", [["--menu", "list"], ["--menu", "all"], ["--matrix", "ram=1G,2G"]])
def test_only_a_single_boot_keeps_its_guest(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "x.iso").touch()
    done = run_command(
        "boot", tmp_path / "x.iso", "--keep", "--log-root", tmp_path / "logs", *words, env=environment()
    )
    assert done.returncode == 2
    assert "by a single boot alone" in done.stderr
    assert not (tmp_path / "logs").exists()
