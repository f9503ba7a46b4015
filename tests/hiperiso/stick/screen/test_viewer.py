"""A real QEMU's screen in a buffer, compared with QEMU's own screen dump pixel for pixel, and keys on their way back.

The guest is a boot sector that writes what is typed; ``m`` changes the resolution.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hiperiso.observe.screen.ppm import Picture
from hiperiso.stick.screen.devices import Devices
from hiperiso.stick.screen.hands import EVENT, LEFT_CTRL, RIGHT_CTRL
from hiperiso.stick.screen.pixels import XRGB, PixelFormat, Surface, place
from hiperiso.stick.screen.rfb import RfbFault
from hiperiso.stick.screen.viewer import Viewer
from integration.wire import Wire
from waiting import DEADLINE_S, wait_until

ECHO = bytes.fromhex(
    "b401b90020cd10"  # hide the cursor: it blinks
    "31c0cd16"  # wait for a key
    "3c6d7508"  # is it m?
    "b8024fbb1541cd10"  # then 800x600, linear
    "b40ebb0700cd10"  # write it
    "ebe7"
).ljust(510, b"\0")
SURFACES = {
    "as large": Surface(720, 400, 2880, XRGB),
    "twice as large": Surface(1700, 1250, 6912, XRGB),
    "smaller": Surface(500, 300, 2000, XRGB),
    "16 bits": Surface(1024, 768, 2048, PixelFormat(2, (11, 5), (5, 6), (0, 5))),
    "24 bits": Surface(1024, 768, 3072, PixelFormat(3, (16, 8), (8, 8), (0, 8))),
}
KEYS = {"a": 30, "h": 35, "i": 23, "m": 50, "q": 16}


class Console:
    """Replaces the text console, and records its calls."""

    def __init__(self) -> None:
        self.hidden: list[bool] = []

    def hide(self) -> None:
        self.hidden.append(True)

    def show(self) -> None:
        self.hidden.append(False)


class Screen:
    """One viewer with a keyboard of its own."""

    def __init__(self, server: Path, folder: Path, surface: Surface) -> None:
        self.surface = surface
        self.bytes = bytearray(b"\xaa" * surface.size_bytes)
        self.console = Console()
        self.reported: list[str] = []
        capabilities = folder / "sys/event0/device/capabilities"
        capabilities.mkdir(parents=True)
        (capabilities / "key").write_text("402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe\n")
        (folder / "dev").mkdir()
        os.mkfifo(folder / "dev/event0")
        self._keyboard = os.open(folder / "dev/event0", os.O_RDWR)
        self.devices = Devices(folder / "sys", folder / "dev")
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(server))
        self._connection = connection
        viewer = Viewer(
            connection,
            surface,
            memoryview(self.bytes),
            devices=self.devices,
            console=self.console,
            report=self.reported.append,
        )
        self.thread = threading.Thread(target=viewer.run, daemon=True)
        self.thread.start()

    def press(self, *codes: int) -> None:
        for value in (1, 0):
            for code in codes:
                os.write(self._keyboard, EVENT.pack(0, 0, 1, code, value) + EVENT.pack(0, 0, 0, 0, 0))

    def close(self) -> None:
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()
        self.devices.close()
        self._connection.close()
        os.close(self._keyboard)

    def shows(self, picture: Picture) -> bool:
        """Whether this very picture is on it, found pixel by pixel."""
        width, height, rgb = picture.width_px, picture.height_px, picture.rgb
        surface, form = self.surface, self.surface.format
        here = place(width, height, surface)
        pixels = {rgb[at : at + 3] for at in range(0, len(rgb), 3)}
        stored = {pixel: _stored(pixel, form) for pixel in pixels}
        columns = [x * width // here.width_px for x in range(here.width_px)]
        left, right = (bytes(form.size_bytes) * count for count in (here.left_px, surface.width_px))
        for y in range(surface.height_px):
            row = b""
            if 0 <= y - here.top_px < here.height_px:
                line = (y - here.top_px) * height // here.height_px * width
                row = left + b"".join([stored[rgb[(line + x) * 3 : (line + x) * 3 + 3]] for x in columns])
            row = (row + right)[: surface.width_px * form.size_bytes]
            start = y * surface.stride_bytes
            shown = self.bytes[start : start + len(row)]
            if form.size_bytes == 4:
                shown[3::4] = bytes(surface.width_px)  # the byte that means nothing
            if shown != row:
                return False
        return True


def _stored(pixel: bytes, form: PixelFormat) -> bytes:
    colours = zip(pixel, (form.red, form.green, form.blue), strict=True)
    return sum(value >> (8 - bits) << shift for value, (shift, bits) in colours).to_bytes(
        form.size_bytes, "little"
    )


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Wire, dict[str, Screen]]]:
    folder = tmp_path_factory.mktemp("vnc")
    (folder / "disk.img").write_bytes(ECHO + b"\x55\xaa" + bytes(1 << 16))
    ours, theirs = socket.socketpair()
    argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "pc,accel=tcg", "-m", "16"]
    argv += ["-display", "none", "-vnc", f"unix:{folder / 'vnc'},lock-key-sync=off", "-vga", "std"]
    argv += ["-drive", f"format=raw,file={folder / 'disk.img'}"]
    argv += ["-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control"]
    with ExitStack() as stack:
        qemu = stack.enter_context(
            subprocess.Popen(argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        )
        stack.callback(qemu.kill)
        theirs.close()
        stack.enter_context(ours)
        machine = Wire(ours, folder)
        screens = {}
        for name, surface in SURFACES.items():
            screens[name] = Screen(folder / "vnc", folder / name, surface)
        yield machine, screens
        qemu.kill()
        for screen in screens.values():
            screen.close()


@pytest.mark.boots
def test_the_screen_is_shown_and_keys_reach_the_guest(guest: tuple[Wire, dict[str, Screen]]) -> None:
    machine, screens = guest
    last = screens["24 bits"]

    def typed(screen: Screen, key: str) -> None:
        """The key changes the picture, and the new one comes to rest."""
        before = machine.picture()
        screen.press(KEYS[key])
        wait_until(lambda: machine.picture() != before, f"{key} did not reach the guest")

    def all_show_it() -> bool:
        picture = machine.picture()
        return all(screen.shows(picture) for screen in screens.values()) and machine.picture() == picture

    wait_until(lambda: machine.picture().width_px == 720, "no text mode")
    wait_until(all_show_it, "the firmware's screen is not shown")
    before = machine.picture()

    def answers() -> bool:
        """The boot sector may not run yet: the first key that it writes shows it."""
        last.press(KEYS["h"])
        return machine.picture() != before

    wait_until(answers, "no key reaches the guest", poll_s=0.5)
    typed(screens["smaller"], "i")
    wait_until(all_show_it, "what was typed is not shown everywhere")
    typed(last, "m")
    wait_until(lambda: machine.picture().width_px == 800, "no other resolution")
    typed(last, "a")
    wait_until(all_show_it, "the new resolution is not shown")
    assert last.reported == ["pressed"] and last.console.hidden == [True]


@pytest.mark.boots
def test_both_ctrl_keys_lead_to_the_log_and_back(guest: tuple[Wire, dict[str, Screen]]) -> None:
    machine, screens = guest
    screen, other = screens["as large"], screens["24 bits"]
    screen.press(LEFT_CTRL, RIGHT_CTRL)
    wait_until(lambda: screen.console.hidden == [True, False], "the log is not shown")
    seen = [machine.picture()]

    def rests() -> bool:
        """Keys that were typed before may still be drawn, late on a busy computer: five looks that are the same."""
        seen.append(machine.picture())
        return len(seen) > 4 and all(picture == seen[-1] for picture in seen[-5:])

    wait_until(rests, "the guest's picture does not come to rest", poll_s=1)
    picture, kept = seen[-1], bytes(screen.bytes)
    screen.press(KEYS["a"])
    screen.press(KEYS["q"])
    wait_until(lambda: screen.reported == ["pressed", "end"], "q does not end the guest")
    unchanged = machine.picture() == picture  # not in the assertion, which would print both
    assert unchanged, "a key for the log reached the guest"
    before = machine.picture()
    other.press(KEYS["i"])
    wait_until(lambda: machine.picture() != before, "another keyboard does not reach the guest")
    wait_until(lambda: other.shows(machine.picture()), "another screen does not go on")
    assert screen.bytes == kept, "the guest is painted over the log"
    screen.press(RIGHT_CTRL, LEFT_CTRL)
    wait_until(lambda: screen.console.hidden == [True, False, True], "the guest does not come back")
    wait_until(lambda: screen.shows(machine.picture()), "the guest's picture is not whole")


def test_a_server_that_is_none() -> None:
    ours, theirs = socket.socketpair()
    surface = SURFACES["smaller"]
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 400 Bad Request\r\n")
        viewer = Viewer(
            ours,
            surface,
            memoryview(bytearray(surface.size_bytes)),
            devices=Devices(Path("/nowhere"), Path("/nowhere")),
            console=Console(),
            report=pytest.fail,
        )
        with pytest.raises(RfbFault, match="RFB"):
            viewer.run()
