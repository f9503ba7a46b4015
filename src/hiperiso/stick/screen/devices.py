"""The keyboards and mice of the machine, including those plugged in later.

Source: Documentation/input/input.rst; the capabilities of a device are in
``/sys/class/input/eventN/device/capabilities``: bit masks as 64-bit words in hexadecimal, the highest first. No one
else receives the events of a grabbed device (EVIOCGRAB): neither the text console nor SysRq nor Ctrl-Alt-Del of the
host reacts to input for the guest. The kernel releases it when the process ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from pathlib import Path
from typing import Final

from hiperiso.stick.screen.hands import EVENT, KEY_Q

CLASS: Final = Path("/sys/class/input")
NODES: Final = Path("/dev/input")
MOUSE_DRIVER: Final = "psmouse"
"""Probes for a mouse or touchpad for a second; loaded only when a guest's screen is shown."""

_GRAB = 0x40044590
_KEYBOARD_KEYS = (KEY_Q, 28, 57)  # with Enter and Space: no power button, no remote control
_MOUSE_AXES, _LEFT_BUTTON = (0, 1), 0x110
_READ_EVENTS = 64


def find_devices(folder: Path = CLASS) -> list[str]:
    """Names (``event3``) of the keyboards and mice there are."""
    return sorted(path.name for path in folder.glob("event*") if _is_wanted(path / "device/capabilities"))


def load_mouse_driver() -> None:
    """Load the driver for PS/2 mice and touchpads, which appear later. Without it only the keyboard works."""
    with contextlib.suppress(OSError):
        subprocess.run(["modprobe", "-q", MOUSE_DRIVER], stdin=subprocess.DEVNULL, check=False)


class Devices:
    """The open keyboards and mice."""

    def __init__(self, folder: Path = CLASS, nodes: Path = NODES) -> None:
        self._folder, self._nodes = folder, nodes
        self._open: dict[str, int] = {}
        self._grabbed = False

    @property
    def descriptors(self) -> list[int]:
        """The descriptors to wait for."""
        return list(self._open.values())

    def scan(self) -> None:
        """Open new devices, then drop those that are gone: no descriptor is reused within one call."""
        there = find_devices(self._folder)
        for name in there:
            if name not in self._open:
                with contextlib.suppress(OSError):
                    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
                    self._open[name] = os.open(self._nodes / name, flags)
                    self._set_grab(self._open[name])
        for name in [name for name in self._open if name not in there]:
            self._close(name)

    def grab(self, *, on: bool) -> None:
        """Grab (or release) the devices: no one else receives their events."""
        self._grabbed = on
        for descriptor in self.descriptors:
            self._set_grab(descriptor)

    def read(self, descriptor: int) -> bytes:
        """Events of one of `descriptors`; empty when there is none. An unplugged device is dropped."""
        try:
            return os.read(descriptor, EVENT.size * _READ_EVENTS)
        except BlockingIOError:
            return b""
        except OSError:
            for name in [name for name, number in self._open.items() if number == descriptor]:
                self._close(name)
            return b""

    def close(self) -> None:
        """Close all devices."""
        for name in list(self._open):
            self._close(name)

    def _set_grab(self, descriptor: int) -> None:
        with contextlib.suppress(OSError):  # grabbed by another program, or not grabbed
            fcntl.ioctl(descriptor, _GRAB, int(self._grabbed))

    def _close(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.close(self._open.pop(name))


def _is_wanted(capabilities: Path) -> bool:
    keys, axes = _mask(capabilities / "key"), _mask(capabilities / "rel")
    keyboard = all(keys >> key & 1 for key in _KEYBOARD_KEYS)
    mouse = all(axes >> axis & 1 for axis in _MOUSE_AXES) and bool(keys >> _LEFT_BUTTON & 1)
    return keyboard or mouse


def _mask(path: Path) -> int:
    try:
        words = path.read_text(encoding="ascii").split()
        return sum(int(word, 16) << 64 * at for at, word in enumerate(reversed(words)))
    except (OSError, ValueError):
        return 0
