"""Which of the machine's input devices are keyboards and mice, by their sysfs attributes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hiperiso.stick.screen.devices import Devices, find_devices
from hiperiso.stick.screen.hands import EVENT

# As the kernel shows them: a PS/2 keyboard, a USB mouse, a power button, a tablet, a keyboard with a touchpad.
KINDS = {
    "keyboard": ("402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe", "0"),
    "mouse": ("1f0000 0 0 0 0", "903"),
    "power": ("10000000000000 0", "0"),
    "tablet": ("70000 0 0 0 0", "100"),
    "both": ("1f0000 402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe", "143"),
}


class Machine:
    def __init__(self, root: Path) -> None:
        self.sys, self.dev = root / "sys", root / "dev"
        self.sys.mkdir()
        self.dev.mkdir()

    def plug(self, number: int, kind: str) -> int:
        """A device, and the end of it that events are written to."""
        folder = self.sys / f"event{number}/device/capabilities"
        folder.mkdir(parents=True)
        for name, mask in zip(("key", "rel"), KINDS[kind], strict=True):
            (folder / name).write_text(f"{mask}\n")
        os.mkfifo(self.dev / f"event{number}")
        return os.open(self.dev / f"event{number}", os.O_RDWR)

    def pull(self, number: int) -> None:
        (self.sys / f"event{number}").rename(self.sys / f"gone{number}")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_keyboards_and_mice(machine: Machine) -> None:
    for number, kind in enumerate(KINDS):
        os.close(machine.plug(number, kind))
    (machine.sys / "event9/device").mkdir(parents=True)
    assert find_devices(machine.sys) == ["event0", "event1", "event4"]
    assert find_devices(machine.sys / "nowhere") == []


def test_what_is_plugged_in_is_read_and_what_is_pulled_out_forgotten(machine: Machine) -> None:
    devices = Devices(machine.sys, machine.dev)
    devices.scan()
    assert devices.descriptors == []
    keyboard = machine.plug(1, "keyboard")
    devices.grab(on=True)
    devices.scan()
    (first,) = devices.descriptors
    assert devices.read(first) == b""
    os.write(keyboard, EVENT.pack(0, 0, 1, 30, 1))
    assert devices.read(first) == EVENT.pack(0, 0, 1, 30, 1)
    mouse = machine.plug(2, "mouse")
    machine.pull(1)
    devices.scan()
    (second,) = devices.descriptors
    assert second != first
    devices.grab(on=False)
    devices.close()
    assert devices.descriptors == []
    os.close(keyboard)
    os.close(mouse)


def test_a_device_that_cannot_be_read_any_more_is_forgotten(machine: Machine) -> None:
    devices = Devices(machine.sys, machine.dev)
    os.close(machine.plug(1, "keyboard"))
    devices.scan()
    (descriptor,) = devices.descriptors
    os.close(descriptor)
    assert devices.read(descriptor) == b""
    assert devices.descriptors == []
