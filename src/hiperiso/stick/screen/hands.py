"""Translates keyboard and mouse events into RFB messages for the guest. Pure.

Source: include/uapi/linux/input-event-codes.h; the codes of keys up to F12 are the XT scan codes themselves, those
of later keys are in the table here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum
from typing import Final

from hiperiso.stick.screen.rfb import key_event, pointer_event

EVENT: Final = struct.Struct("@llHHi")
"""``struct input_event``: seconds, microseconds, type, code, value."""

KEY_Q: Final = 16
LEFT_CTRL, RIGHT_CTRL = 29, 97

_SYNC, _KEY, _RELATIVE = 0, 1, 2
_REPORT, _DROPPED = 0, 3
_X, _Y, _WHEEL = 0, 1, 8
_SAME = frozenset(range(1, 89)) - {84, 85}  # up to F12; 84 is not a key, 85 is a later one
_LATER: Final = {
    # those prefixed with 0xe0 have 0x80 added
    **{
        96: 0x9C,
        97: 0x9D,
        98: 0xB5,
        99: 0xB7,
        100: 0xB8,
    },  # keypad Enter, right Ctrl, keypad /, Print, right Alt
    **{102: 0xC7, 103: 0xC8, 104: 0xC9, 105: 0xCB, 106: 0xCD},  # Home, up, page up, left, right
    **{107: 0xCF, 108: 0xD0, 109: 0xD1, 110: 0xD2, 111: 0xD3},  # End, down, page down, insert, delete
    **{113: 0xA0, 114: 0xAE, 115: 0xB0, 116: 0xDE, 117: 0x59, 119: 0xC6},  # sound, power, keypad =, Pause
    **{125: 0xDB, 126: 0xDC, 127: 0xDD},  # the two Windows keys, menu
    **{
        85: 0x76,
        89: 0x73,
        92: 0x79,
        93: 0x70,
        94: 0x7B,
        121: 0x7E,
        122: 0xF2,
        123: 0xF1,
        124: 0x7D,
    },  # East Asian
}
_BUTTONS: Final = {0x110: 0, 0x112: 1, 0x111: 2}  # left, middle, right: the bits of RFB
_WHEEL_UP, _WHEEL_DOWN = 1 << 3, 1 << 4
_REST = 0x7FFF  # RFB's value for no movement
_MAX_STEPS = 20


class Wish(Enum):
    """Requests of the person to the viewer rather than to the guest."""

    SWITCH = "switch"
    """Switch between guest and log. Both Ctrl keys together, when both are released again.

    Grabbing the devices in between would leave the keys pressed for the text console.
    """

    END = "end"
    """End this guest: q while the log is shown."""


@dataclass(frozen=True)
class Deeds:
    """The result of some events: bytes for the guest, requests, and whether a key or button was pressed."""

    to_guest: bytes
    wishes: tuple[Wish, ...]
    pressed: bool


class Hands:
    """All keyboards and mice together, as one keyboard and one mouse of the guest."""

    def __init__(self) -> None:
        self.guest_listens = False
        self.absolute = False
        self.size_px = (1, 1)
        self._held: dict[int, int] = {}  # key -> scan code, as sent to the guest
        self._ctrl: set[int] = set()
        self._both_ctrl = False
        self._buttons = 0
        self._sent_buttons = 0
        self._moved = [0, 0, 0]
        self._place = [0, 0]
        self._out = bytearray()
        self._wishes: list[Wish] = []
        self._pressed = False

    def feed(self, data: bytes) -> Deeds:
        """Process whole events of one device, as read from it."""
        for _, _, kind, code, value in EVENT.iter_unpack(data[: len(data) // EVENT.size * EVENT.size]):
            if kind == _KEY:
                self._key(code, value)
            elif kind == _RELATIVE and code in (_X, _Y, _WHEEL):
                self._moved[2 if code == _WHEEL else code] += value
            elif kind == _SYNC and code == _REPORT:
                self._send_pointer()
            elif kind == _SYNC and code == _DROPPED:
                self._let_go()
        return self._taken()

    def listen(self, *, guest: bool) -> bytes:
        """Start or stop forwarding events to the guest. Returns the bytes that release all pressed keys and buttons."""
        self._let_go()
        self.guest_listens = guest
        return self._taken().to_guest

    def _key(self, code: int, value: int) -> None:
        self._pressed |= value == 1
        if code in _BUTTONS:
            bit = 1 << _BUTTONS[code]
            self._buttons = self._buttons | bit if value else self._buttons & ~bit
            return
        if code in (LEFT_CTRL, RIGHT_CTRL):
            self._hold_ctrl(code, value)
        if self.guest_listens:
            self._send_key(code, value)
        elif code == KEY_Q and value == 1:
            self._wishes.append(Wish.END)

    def _hold_ctrl(self, code: int, value: int) -> None:
        if value:
            self._ctrl.add(code)
            self._both_ctrl |= len(self._ctrl) == 2
            return
        self._ctrl.discard(code)
        if self._both_ctrl and not self._ctrl:
            self._both_ctrl = False
            self._wishes.append(Wish.SWITCH)

    def _send_key(self, code: int, value: int) -> None:
        scan_code = code if code in _SAME else _LATER.get(code, 0)
        if not scan_code or (value == 0 and code not in self._held):
            return
        if value:
            self._held[code] = scan_code
        else:
            del self._held[code]
        self._out += key_event(scan_code, down=value != 0)

    def _send_pointer(self) -> None:
        (x, y, wheel), self._moved = self._moved, [0, 0, 0]
        if not self.guest_listens or (not x and not y and not wheel and self._buttons == self._sent_buttons):
            return
        if self.absolute:
            for axis, by in enumerate((x, y)):
                self._place[axis] = min(max(self._place[axis] + by, 0), self.size_px[axis] - 1)
            place, rest = (self._place[0], self._place[1]), (self._place[0], self._place[1])
        else:
            place, rest = (_clamped(_REST + x), _clamped(_REST + y)), (_REST, _REST)
        self._out += pointer_event(*place, self._buttons)
        turn = _WHEEL_UP if wheel > 0 else _WHEEL_DOWN
        for _ in range(min(abs(wheel), _MAX_STEPS)):
            self._out += pointer_event(*rest, self._buttons | turn) + pointer_event(*rest, self._buttons)
        self._sent_buttons = self._buttons

    def _let_go(self) -> None:
        for scan_code in self._held.values():
            self._out += key_event(scan_code, down=False)
        self._held.clear()
        self._ctrl.clear()
        self._both_ctrl = False
        self._buttons, self._moved = 0, [0, 0, 0]
        self._send_pointer()

    def _taken(self) -> Deeds:
        deeds = Deeds(bytes(self._out), tuple(self._wishes), self._pressed)
        self._out.clear()
        self._wishes.clear()
        self._pressed = False
        return deeds


def _clamped(value: int) -> int:
    return min(max(value, 0), 0xFFFF)
