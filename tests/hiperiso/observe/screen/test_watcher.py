"""From looks to observations; one test boots a guest."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiperiso.observe.screen.fonts import FontSet
from hiperiso.observe.screen.glyphs import GlyphReader
from hiperiso.observe.screen.ppm import Picture
from hiperiso.observe.screen.text import CP437, TextScreen
from hiperiso.observe.screen.watcher import (
    VGA_MEMORY_ADDRESS,
    VGA_MEMORY_BYTES,
    ScreenObservation,
    ScreenWatcher,
    read_dump,
    wants_vga_memory,
)
from property_tests import examples
from waiting import DEADLINE_S, wait_until

FONTS = FontSet()


def new_watcher() -> ScreenWatcher:
    return ScreenWatcher(glyphs=GlyphReader(FONTS))


def ppm_of(picture: Picture) -> bytes:
    return b"P6\n%d %d\n255\n" % (picture.width_px, picture.height_px) + picture.rgb


_CELLS = {character: struct.pack("BB", code, 7) for code, character in enumerate(CP437)}


def screen_memory(*lines: str) -> bytes:
    cells = "".join(line.ljust(80)[:80] for line in lines).ljust(VGA_MEMORY_BYTES // 2)
    return b"".join(_CELLS[character] for character in cells)


class Looks:
    """Feeds drawn text screens to one watcher, two a second."""

    def __init__(self, vga_card: Any) -> None:
        self._card = vga_card
        self.watcher = new_watcher()
        self.t = 0.0

    def see(self, *lines: str, cursor: int | None = None) -> list[ScreenObservation]:
        self.t += 0.5
        memory = screen_memory(*lines)
        return self.watcher.observe(self.t, ppm_of(self._card.draw(memory, cursor=cursor)), memory)

    def finish(self) -> list[ScreenObservation]:
        return self.watcher.finish(self.t)


@pytest.fixture
def looks(vga_card: Any) -> Looks:
    return Looks(vga_card)


def test_real_screens(screens: Any) -> None:
    for name in screens.names:
        screen = screens.load(name)
        watcher = new_watcher()
        found = watcher.observe(1.0, screen.ppm, screen.vga) + watcher.observe(2.0, screen.ppm, screen.vga)
        texts = [seen for seen in found if seen.kind == "text"]
        images = [seen for seen in found if seen.kind == "image"]
        expected = [] if name == "qemu_placeholder" or screen.text is None else [screen.text]
        assert [seen.text for seen in texts] == expected, name
        assert len(images) == (screen.vga is None and name != "qemu_placeholder"), name
        assert [seen.decoder for seen in texts] == ["glyphs" if screen.vga is None else "vga_text"] * len(
            texts
        )
        assert all(seen.png.startswith(b"\x89PNG") for seen in images)
        assert watcher.finish(3.0) == []


def test_the_placeholder_is_known_without_any_font(screens: Any) -> None:
    no_fonts = FontSet(vga_roms=(), grub_fonts=(), edk2_firmware=())
    watcher = ScreenWatcher(glyphs=GlyphReader(no_fonts))
    screen = screens.load("qemu_placeholder")
    assert watcher.observe(1.0, screen.ppm, bytes(VGA_MEMORY_BYTES)) == []
    assert watcher.finish(2.0) == []


def test_what_is_held_back_is_reported(looks: Looks, screens: Any) -> None:
    """Whoever looks less often while nothing is new must know that something is."""
    held = []
    for words in ("Please wait", "Please wait 1", "Please wait 2"):
        looks.see(words)
        held.append(looks.watcher.holds_back)
    assert held == [False, True, False]  # the second counts on, too soon after the first
    watcher, held = new_watcher(), []
    for t, name in ((1.0, "ovmf_logo"), (2.0, "ovmf_logo"), (2.2, "isolinux_vesamenu")):
        watcher.observe(t, screens.load(name).ppm)
        held.append(watcher.holds_back)
    assert held == [True, False, True]


def test_the_same_text_once_however_the_cursor_blinks(looks: Looks) -> None:
    found = [seen for k in range(10) for seen in looks.see("login: ", cursor=7 if k % 2 else None)]
    assert [seen.text for seen in found] == ["login:"]


def test_a_new_line_comes_at_once(looks: Looks) -> None:
    looks.see("Starting system")
    found = looks.see("Starting system", "debian login: ")
    assert [(seen.text, seen.minor) for seen in found] == [("Starting system\ndebian login:", False)]


def test_counters_are_rare_and_marked(looks: Looks) -> None:
    found = [
        seen
        for k in range(120)
        for seen in looks.see("Memtest", f"Pass {k}% {'#' * (k // 4)}  0x{k * 7919:08x}  {'|/-'[k % 3]}")
    ]
    assert not found[0].minor
    assert all(seen.minor for seen in found[1:])
    assert 4 <= len(found) <= 9
    last = looks.finish()
    assert [seen.text.split()[2] for seen in last] == ["119%"]
    assert looks.finish() == []


def test_a_text_after_counters_comes_at_once(looks: Looks) -> None:
    for k in range(60):
        looks.see(f"{k}%")
    assert [seen.text for seen in looks.see("done.")] == ["done."]


def test_the_scene_that_is_reported_last_is_the_guests(screens: Any) -> None:
    """QEMU's own picture comes back when the guest's display is gone."""
    watcher, logo = new_watcher(), screens.load("ovmf_logo").ppm
    assert watcher.observe(1, logo) == []  # not at rest yet
    placeholder = screens.load("qemu_placeholder").ppm
    watcher.observe(1.5, placeholder)
    (seen,) = watcher.finish(2)
    assert (seen.kind, seen.width_px, seen.height_px) == ("image", 1280, 800)


def test_a_restless_screen_is_bounded(looks: Looks) -> None:
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
    found = [
        seen for k in range(100) for seen in looks.see(words[k % 7], words[k % 5], words[k % 8], words[k % 3])
    ]
    assert 50 <= len(found) <= 72
    assert found[-1].t > 49


def test_a_cleared_screen_says_nothing(looks: Looks) -> None:
    assert looks.see("") == []
    assert looks.see("hello world")
    assert looks.see("") == []
    assert looks.see("hello world") == []


def test_torn_looks_are_not_a_scene(vga_card: Any) -> None:
    watcher = new_watcher()
    memory, other = (
        screen_memory("one", "two", "three"),
        screen_memory(*[f"line {k} {'x' * k}" for k in range(60)]),
    )
    picture = ppm_of(vga_card.draw(memory))
    assert watcher.observe(1, picture, memory)
    assert watcher.observe(2, picture, other) == []
    assert watcher.observe(3, picture, memory) == []


def test_from_text_to_graphics(screens: Any) -> None:
    watcher = new_watcher()
    boot, logo = screens.load("linux_vgacon_boot"), screens.load("ovmf_logo")
    kinds = [seen.kind for seen in watcher.observe(1, boot.ppm, boot.vga)]
    for t in (2, 3, 4):
        kinds += [seen.kind for seen in watcher.observe(t, logo.ppm)]
    assert kinds == ["text", "image"]


@given(
    data=st.lists(st.tuples(st.binary(max_size=60), st.sampled_from([0, 4, VGA_MEMORY_BYTES])), max_size=4)
)
@settings(max_examples=examples(30), deadline=None)
def test_random_bytes_never_raise(data: list[tuple[bytes, int]]) -> None:
    watcher = new_watcher()
    for t, (noise, size) in enumerate(data):
        pixels = (noise or b"\0") * (720 * 400 * 3)
        for ppm in (noise, b"P6\n720 400\n255\n" + pixels[: 720 * 400 * 3], b"P6\n3 2\n255\n" + pixels[:18]):
            watcher.observe(float(t), ppm, ((noise or b"\7") * size)[:size])
    watcher.finish(99)


def test_read_dump(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"12345")
    (tmp_path / "link").symlink_to(plain)
    os.mkfifo(tmp_path / "fifo")
    assert read_dump(plain) == b"12345"
    assert read_dump(plain, max_bytes=4) is None
    for name in ("missing", "link", "fifo", "."):
        assert read_dump(tmp_path / name) is None


# ── a live guest ──


@pytest.mark.boots
@pytest.mark.slow  # the sample memtest is always booted
def test_memtest_on_a_live_guest(tmp_path: Path) -> None:
    iso = Path("/usr/lib/memtest86+/memtest86+x64.iso")
    assert iso.exists(), "package memtest86+ is not installed"
    with LiveGuest(tmp_path, iso) as guest:
        watcher = new_watcher()
        seen: list[ScreenObservation] = []

        def is_testing() -> bool:
            ppm = guest.dump("screendump", "screen.ppm")
            width, height = (int(number) for number in ppm.split(maxsplit=3)[1:3])
            vga = None
            if wants_vga_memory(width, height):
                vga = guest.dump("pmemsave", "vga.bin", val=VGA_MEMORY_ADDRESS, size=VGA_MEMORY_BYTES)
            seen.extend(watcher.observe(guest.age_s(), ppm, vga))
            return any("Status: Testing" in one.text for one in seen)

        wait_until(is_testing, lambda: f"{seen}", poll_s=0.5)
    last = [one for one in seen if one.kind == "text"][-1]
    assert last.decoder == "vga_text"
    assert "Memtest86+ v" in last.text
    assert "<ESC> Exit  <F1> Configuration" in last.text
    assert not [one for one in seen if one.kind == "image"]


class LiveGuest:
    """QEMU with a QMP socket, ended at exit."""

    def __init__(self, folder: Path, iso: Path) -> None:
        self._folder = folder
        self._iso = iso
        self._begin = time.monotonic()

    def __enter__(self) -> LiveGuest:
        qemu = shutil.which("qemu-system-x86_64")
        assert qemu, "package qemu-system-x86 is not installed"
        ours, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [
                *(
                    qemu,
                    "-machine",
                    "q35,accel=tcg",
                    "-m",
                    "256",
                    "-display",
                    "none",
                    "-serial",
                    "none",
                    "-nic",
                    "none",
                ),
                *("-cdrom", str(self._iso)),
                *("-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control"),
            ],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        ours.settimeout(DEADLINE_S)
        self._socket = ours
        self._file = ours.makefile("rw", encoding="utf-8")
        self._file.readline()
        self._ask("qmp_capabilities")
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.kill()
        self._process.wait()
        self._file.close()
        self._socket.close()

    def age_s(self) -> float:
        return time.monotonic() - self._begin

    def dump(self, command: str, name: str, **arguments: int) -> bytes:
        self._ask(command, filename=str(self._folder / name), **arguments)
        data = read_dump(self._folder / name)
        assert data is not None
        return data

    def _ask(self, command: str, **arguments: Any) -> None:
        self._file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._file.flush()
        answer = json.loads(self._file.readline())
        while "event" in answer:
            answer = json.loads(self._file.readline())
        assert "return" in answer, answer


def test_a_console_is_reported_where_its_picture_cannot_be_read() -> None:
    watcher = new_watcher()
    noise = bytes(number * number * 7 % 251 for number in range(640 * 480 * 3))
    console = TextScreen(80, 30, ("Welcome", "", "sample login:"), "console")
    assert watcher.observe_console(0.0, console) == []  # no poll yet
    watcher.observe(0.5, ppm_of(Picture(640, 480, noise)))
    assert watcher.unread
    (reported,) = watcher.observe_console(0.6, console)
    assert (reported.text, reported.decoder, reported.columns, reported.png) == (
        "Welcome\n\nsample login:",
        "console",
        80,
        b"",
    )
    assert watcher.observe_console(1.1, console) == []
    watcher.observe(1.5, ppm_of(Picture(640, 480, bytes(640 * 480 * 3))))


def test_a_console_is_not_reported_where_the_picture_says_it(looks: Looks) -> None:
    looks.see("sample login:")
    assert not looks.watcher.unread
    assert looks.watcher.observe_console(looks.t, TextScreen(80, 25, ("other",), "console")) == []
