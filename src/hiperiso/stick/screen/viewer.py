"""One guest's screen on one framebuffer: requests changes, paints them, and forwards keyboard and mouse."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable
from typing import Final, Protocol

from hiperiso.stick.screen.hands import Deeds, Hands, Wish
from hiperiso.stick.screen.pixels import Band, Painter, Surface
from hiperiso.stick.screen.rfb import PointerMode, Resized, RfbClient, Updated, wake

UPDATE_S: Final = 0.05
"""The minimum interval between update requests."""

WAKE_S: Final = 1.0
"""The poll interval of an unchanged screen."""

SCAN_S: Final = 2.0
"""The poll interval for new keyboards and mice."""

_READ_BYTES = 1 << 20
_SEND_TIMEOUT_S = 10.0


class InputDevices(Protocol):
    """Keyboards and mice: see `hiperiso.stick.screen.devices.Devices`."""

    @property
    def descriptors(self) -> list[int]:
        """The descriptors to wait for."""

    def scan(self) -> None:
        """Open new devices."""

    def grab(self, *, on: bool) -> None:
        """Whether they are grabbed."""

    def read(self, descriptor: int) -> bytes:
        """Events of one device."""


class Console(Protocol):
    """The text console under the picture: see `hiperiso.stick.screen.terminal.TextConsole`."""

    def hide(self) -> None:
        """Stop drawing."""

    def show(self) -> None:
        """Redraw."""


class Viewer:
    """Runs from the first byte of the connection to its last.

    ``report`` is called with ``pressed`` at the first key or button, and with ``end`` when the person ends the guest.
    """

    def __init__(
        self,
        connection: socket.socket,
        surface: Surface,
        buffer: memoryview,
        *,
        devices: InputDevices,
        console: Console,
        report: Callable[[str], None],
    ) -> None:
        connection.settimeout(_SEND_TIMEOUT_S)
        self._connection = connection
        self._painter = Painter(buffer, surface)
        self._client = RfbClient(surface.source)
        self._devices = devices
        self._console = console
        self._report = report
        self._hands = Hands()
        self._shows_guest = False
        self._pressed_reported = False
        self._waiting = False  # for the answer to a request
        self._asked_s = self._woken_s = self._scanned_s = float("-inf")
        self._watched: set[int] = set()

    def run(self) -> None:
        """View until the guest's side closes the connection, or is gone.

        Raises:
            RfbFault: it violates the protocol.
            OSError: it does not accept data any more.
        """
        with contextlib.suppress(
            ConnectionResetError, BrokenPipeError
        ):  # QEMU ended with unread data from us
            self._view()

    def _view(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            while True:
                self._watch_devices(selector)
                for key, _ in selector.select(self._pause_s()):
                    if key.fd != self._connection.fileno():
                        self._act(self._hands.feed(self._devices.read(key.fd)))
                    elif not self._receive():
                        return
                self._ask()

    def _receive(self) -> bool:
        data = self._connection.recv(_READ_BYTES)
        for news in self._client.feed(data):
            if isinstance(news, Band):
                if self._shows_guest:
                    self._painter.paint(news)
            elif isinstance(news, Resized):
                self._resized(news)
            elif isinstance(news, PointerMode):
                self._hands.absolute = news.absolute
            elif isinstance(news, Updated):
                self._waiting = False
        if answer := self._client.to_send():
            self._connection.sendall(answer)
        return bool(data)

    def _resized(self, news: Resized) -> None:
        first = self._hands.size_px == (1, 1)
        self._hands.size_px = (news.width_px, news.height_px)
        if first:
            self._connection.sendall(self._client.to_send())
            self._show(guest=True)
        elif self._shows_guest:
            self._painter.resize(news.width_px, news.height_px)
            self._request(incremental=False)

    def _show(self, *, guest: bool) -> None:
        self._connection.sendall(self._hands.listen(guest=guest))
        self._devices.grab(on=guest)
        self._shows_guest = guest
        if guest:
            self._console.hide()
            self._painter.resize(*self._hands.size_px)
            self._request(incremental=False)
        else:
            self._console.show()

    def _act(self, deeds: Deeds) -> None:
        if deeds.pressed and not self._pressed_reported:
            self._pressed_reported = True
            self._report("pressed")
        self._connection.sendall(deeds.to_guest)
        for wish in deeds.wishes:
            if wish is Wish.SWITCH and self._client.ready:
                self._show(guest=not self._shows_guest)
            elif wish is Wish.END:
                self._report("end")

    def _ask(self) -> None:
        if not (self._client.ready and self._shows_guest):
            return
        now_s = time.monotonic()
        if not self._waiting:
            if now_s - self._asked_s >= UPDATE_S:
                self._request(incremental=True)
        elif now_s - max(self._asked_s, self._woken_s) >= WAKE_S:
            self._woken_s = now_s
            self._connection.sendall(wake())

    def _request(self, *, incremental: bool) -> None:
        self._waiting = True
        self._asked_s = time.monotonic()
        self._connection.sendall(self._client.update_request(incremental=incremental))

    def _pause_s(self) -> float:
        """Wait until something is due."""
        now_s = time.monotonic()
        due_s = self._scanned_s + SCAN_S
        if self._client.ready and self._shows_guest:
            last_s = max(self._asked_s, self._woken_s)
            due_s = min(due_s, last_s + WAKE_S if self._waiting else self._asked_s + UPDATE_S)
        return max(0.0, due_s - now_s)

    def _watch_devices(self, selector: selectors.BaseSelector) -> None:
        self._watch_open_ones(selector)  # first: a new one may get the number of a closed one
        now_s = time.monotonic()
        if now_s - self._scanned_s >= SCAN_S:
            self._scanned_s = now_s
            self._devices.scan()
            self._watch_open_ones(selector)

    def _watch_open_ones(self, selector: selectors.BaseSelector) -> None:
        there = set(self._devices.descriptors)
        for gone in self._watched - there:
            selector.unregister(gone)
        for new in there - self._watched:
            selector.register(new, selectors.EVENT_READ)
        self._watched = there
