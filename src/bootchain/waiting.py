"""Waiting for a block device: woken by the kernel's uevents, looking again now and then all the same."""

# ruff: noqa: PTH108, PTH116, PTH211
# (pathlib costs more CPU at the start than the whole search.)

from __future__ import annotations

import os
import stat
from select import POLLIN, poll
from time import monotonic

from bootchain.devices import Device, Finder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LOOK_AGAIN_S = 1.0
"""Drives without uevents for a new medium, and kernels without any."""

_QUIET_S = 10.0
_KERNEL_UEVENTS = 1
_NETLINK_KOBJECT_UEVENT = 15
_MAX_EVENT = 16384


def wait_for_device(finder: Finder, timeout_s: float, report: Callable[[float], None]) -> Device | None:
    """Wait until there is the device.

    Args:
        timeout_s: 0 looks once.
        report: called now and then with the seconds waited so far.

    Returns:
        None when the time is over.
    """
    start_s = monotonic()
    next_report_s = _QUIET_S
    events = _Uevents()
    try:
        while True:
            found = finder.find()
            waited_s = monotonic() - start_s
            if found is not None or waited_s >= timeout_s:
                return found
            if waited_s >= next_report_s:
                report(waited_s)
                next_report_s += _QUIET_S
            for name in events.wait(min(LOOK_AGAIN_S, timeout_s - waited_s)):
                finder.forget(name)
    finally:
        events.close()


class _Uevents:
    """The kernel's own events, without udev."""

    def __init__(self) -> None:
        from _socket import socket

        self._socket = None
        try:
            made = socket(
                16, 3 | os.O_CLOEXEC | os.O_NONBLOCK, _NETLINK_KOBJECT_UEVENT
            )  # AF_NETLINK, SOCK_RAW
            made.bind((0, _KERNEL_UEVENTS))
        except OSError:
            return  # no netlink: looking again has to do
        self._socket = made

    def wait(self, timeout_s: float) -> list[str]:
        """Names of the block devices that something has happened to; ``""`` for any."""
        waiter = poll()
        if self._socket is not None:
            waiter.register(self._socket.fileno(), POLLIN)
        if not waiter.poll(max(1, int(timeout_s * 1000))) or self._socket is None:
            return []
        names: list[str] = []
        while True:
            try:
                event = self._socket.recv(_MAX_EVENT)
            except BlockingIOError:
                return names
            except OSError:
                return [""]  # too many at once
            fields = dict(part.partition(b"=")[::2] for part in event.split(b"\0"))
            if fields.get(b"SUBSYSTEM") == b"block":
                names.append(os.fsdecode(fields.get(b"DEVNAME", b"")).replace("/", "!"))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


def leave_device(device: Device, directory: str) -> None:
    """Leave a device as a result: ``DEVNAME`` with the name of its node, ``dev`` as a node of its own.

    Raises:
        OSError: they cannot be made.
    """
    node = f"{directory}/dev"
    if os.path.lexists(node):
        os.unlink(node)
    major, _, minor = device.number.partition(":")
    number = os.makedev(int(major), int(minor))
    try:
        os.mknod(node, 0o600 | stat.S_IFBLK, number)
        os.close(os.open(node, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        # The results are on a file system without devices.
        if os.path.lexists(node):
            os.unlink(node)
        os.symlink(device.node, node)
    try:
        present = os.stat(device.node).st_rdev == number
    except OSError:
        present = False
    if present:
        fd = os.open(f"{directory}/DEVNAME", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        os.write(fd, os.fsencode(f"{device.node}\n"))
        os.close(fd)


def seconds(text: str, default_s: float) -> float:
    """A timeout in the form of a parameter: seconds, ``""`` for the default. Raises ValueError."""
    if not text:
        return default_s
    try:
        number = float(text.removesuffix("s"))
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e7:
        raise ValueError(f"{text[:40]!r} is not a number of seconds")
    return number


def last_parameter(environment: Mapping[str, str], name: str) -> str:
    """The last value of a boot parameter that counts for all calls, ``""`` when it was not given."""
    value, index = environment.get(name, ""), 0
    while f"{name}{index}" in environment:
        value = environment[f"{name}{index}"]
        index += 1
    return value
