"""The guest on the screen of a machine that was started from the payload: seen, typed at, left and ended."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

import waiting
from hiperiso.observe.screen.glyphs import GlyphReader
from hiperiso.observe.screen.ppm import Picture
from hiperlab.samples.store import build_sample
from integration.wire import Wire

from .test_boot import Machine

pytestmark = pytest.mark.boots

MODE = "vga=0x344"  # 1024x768 in 32 bits: QEMU, in the boot loader's place, hands it to the kernel
DEADLINE_S = 4 * waiting.DEADLINE_S


class ScreenMachine(Machine):
    """A machine with a screen and a keyboard."""

    def __init__(self, payload: Path, folder: Path) -> None:
        super().__init__(payload, folder)
        self._monitor = folder / "qmp"

    def _argv(self, parameters: str, serial: list[str], cpu: str = "max") -> list[str]:
        monitor = ["-qmp", f"unix:{self._monitor},server=on,wait=off", "-vga", "std"]
        return super()._argv(f"{MODE} console=tty0 console=ttyS0 {parameters}", [*serial, *monitor], cpu)

    def wire(self) -> Wire:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self._monitor))
        return Wire(connection, self._monitor.parent)


def guest(picture: Picture) -> Picture:
    """What a guest in VGA's text mode covers when it is shown in the middle."""
    width_px, height_px = 720, 400
    left, top = (picture.width_px - width_px) // 2, (picture.height_px - height_px) // 2
    rows = (
        picture.rgb[((top + y) * picture.width_px + left) * 3 :][: width_px * 3] for y in range(height_px)
    )
    return Picture(width_px, height_px, b"".join(rows))


@pytest.mark.slow  # its parts are always tried, on a framebuffer that is a file: tests/hiperiso/stick/screen
@pytest.mark.timeout(7200)
def test_the_guest_is_on_the_screen_of_the_machine(payload: Path, tmp_path: Path) -> None:
    machine = ScreenMachine(payload, tmp_path)
    reader = GlyphReader()

    def text(picture: Picture) -> str:
        read = reader.read(picture)
        return read.text if read else ""

    # Emulated: an emulated processor that virtualises another has been seen to stand still.
    parameters = (
        "hiperiso_iso=/ISOs/grub.iso hiperiso_display=gtk hiperiso_accel=tcg hiperiso_guest_ram=128 "
        "hiperiso_guest_cpus=1 hiperiso_after=poweroff,4000"
    )
    files: dict[str, bytes | Path] = {"ISOs/grub.iso": build_sample("missing-kernel")}
    with machine.interactive(files, parameters) as person, ExitStack() as stack:
        person.wait_for("both Ctrl keys", DEADLINE_S)
        wire = stack.enter_context(closing(machine.wire()))

        def wait_until(true: Callable[[Picture], bool], what: str) -> Picture:
            picture = wire.picture()

            def is_true() -> bool:
                nonlocal picture
                picture = wire.picture()
                return true(picture)

            waiting.wait_until(
                is_true,
                lambda: f"{what}:\n{text(picture)}\n{person.received}",
                deadline_s=DEADLINE_S,
                poll_s=2,  # reading costs time that the machine could have
            )
            return picture

        wait_until(lambda picture: "not found" in text(guest(picture)), "no complaint of GRUB on the screen")
        person.wait_for("bootloader", DEADLINE_S)
        wire.press("ret")
        wait_until(
            lambda picture: "fallback entries" in text(guest(picture)), "the key does not reach the guest"
        )
        wire.press("ret")
        wait_until(lambda picture: "GNU GRUB" in text(guest(picture)), "no menu of the guest")
        wire.press("c")
        wait_until(lambda picture: "grub>" in text(guest(picture)), "no command line of the guest")
        for key in "hello":
            wire.press(key)
        shown = wait_until(
            lambda picture: "grub> hello" in text(guest(picture)), "what was typed is not shown"
        )
        wire.press("ctrl", "ctrl_r")
        wait_until(lambda picture: "both Ctrl keys" in text(picture), "no way to the log")
        wire.press("ctrl", "ctrl_r")
        wait_until(lambda picture: "grub> hello" in text(guest(picture)), "no way back")
        wire.press("ctrl", "ctrl_r")
        wait_until(lambda picture: "both Ctrl keys" in text(picture), "no way to the log again")
        wire.press("q")
        person.wait_for("hiperiso_after", DEADLINE_S)
        wait_until(lambda picture: "hiperiso_after" in text(picture), "the console is not back")
        wire.press("p")
        person.wait_for("Power down", DEADLINE_S)
    path, manifest = machine.stick().session()
    assert (manifest["status"], manifest["result"]) == ("complete", "failure")
    assert manifest["analysis"]["boot_stage_final"] == "bootloader"
    assert "-vnc unix:" in (path / "qemu.cmdline").read_text()
    recorded = [event for event in events(path) if (event["source"], event["kind"]) == ("screen", "text")]
    assert recorded[-1]["text"].rstrip() == text(guest(shown)).rstrip()


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "events.jsonl").read_text().splitlines()]
