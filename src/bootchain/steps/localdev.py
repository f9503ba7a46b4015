"""localdev: finds a medium; the result is its device, as waitdev leaves it, or the content of an ISO file on it.

======================  ============================================================================================
``localdev=SPEC``       any form of waitdev=; ``LABEL=`` may be a pattern (``LABEL=ALT*``)
``localdev=DISK/FILE``  what holds this file (``/live/rescue``, ``sda1/iso/my.iso``); an ISO file is mounted
======================  ============================================================================================

A device that is the result before is the only one examined. When several fit, a dialog is shown; if that
is impossible, the first one is taken. It waits localdev-timeout= seconds, else rootdelay=, else BC_DEVICE_TIMEOUT; then
its result is empty.
"""

# ruff: noqa: PTH103, PTH110

from __future__ import annotations

import os
import sys
from fnmatch import fnmatchcase
from time import monotonic, sleep

from bootchain.devices import Device, Finder, Spec, SpecError, parse_spec
from bootchain.interactive.dialogs import OK, Choice
from bootchain.interactive.show import NoTerminal, show
from bootchain.step import Step, StepError
from bootchain.waiting import last_parameter, leave_device, seconds

LOOK_AGAIN_S = 1.0


class Wanted:
    """What is looked for: a form of root=, a pattern for labels, a file."""

    def __init__(self, text: str) -> None:
        self.label = self.file = ""
        self.spec: Spec | None = None
        if text.startswith("LABEL=") and any(char in text for char in "*?["):
            self.label = text.removeprefix("LABEL=")
            return
        disk, slash, file = text.removeprefix("/dev/").partition("/")
        if slash and not text.startswith("/dev/disk/") and "=" not in disk:
            self.file = file
            text = f"/dev/{disk}" if disk else ""
        if text:
            self.spec = parse_spec(text)


def main(step: Step) -> None:
    """Run the step; leaves by SystemExit when it fails."""
    try:
        wanted = Wanted(step.check_parameter("LOCALDEV"))
        limit = step.get_parameter("LOCALDEV_TIMEOUT") or last_parameter(os.environ, "ROOTDELAY")
        timeout_s = seconds(limit, seconds(os.environ.get("BC_DEVICE_TIMEOUT", ""), 60.0))
    except (SpecError, ValueError) as error:
        step.fatal(str(error))
    end_s = monotonic() + timeout_s
    while not (found := look(wanted, step)):
        if monotonic() >= end_s:
            step.message(f"nothing fits after {timeout_s:g} s; going on without a result")
            return
        sleep(min(LOOK_AGAIN_S, max(0.0, end_s - monotonic())))
    device = choose(found, step)
    if wanted.file.lower().endswith(".iso"):
        mount_iso(device, wanted.file, step)
        return
    try:
        leave_device(device, step.destdir)
    except OSError as error:
        step.fatal(f"found {device.node}, but cannot leave it in {step.destdir}: {error.strerror}")
    step.message(f"{device.node}")


def look(wanted: Wanted, step: Step) -> list[Device]:
    """All devices that fit."""
    finder = Finder(wanted.spec or Spec("any", ""))
    devices = finder.devices()
    before = _previous_device(step)
    if before:
        devices = [device for device in devices if device.node == before]
    elif wanted.spec is not None:
        meant = finder.find()
        devices = [device for device in devices if meant is not None and device.name == meant.name]
    if wanted.label:
        devices = [device for device in devices if _has_label(finder, device, wanted.label)]
    if wanted.file:
        devices = [
            device for device in devices if finder.identity(device) and _holds(device, wanted.file, step)
        ]
    return devices


def choose(found: list[Device], step: Step) -> Device:
    """One of them: by a dialog, if possible."""
    if len(found) == 1 or os.environ.get("NOASKUSER"):
        return found[0]
    items = [(device.node, f"{device.node} ({device.size_bytes >> 20} MiB)") for device in found]
    try:
        answer = show(Choice("", items, title="Which medium?"))
    except NoTerminal as error:
        step.message(f"{len(found)} devices fit, and {error}: taking {found[0].node}")
        return found[0]
    if answer.code != OK:
        step.fatal("no medium was chosen")
    return next(device for device in found if device.node == answer.text)


def mount_iso(device: Device, file: str, step: Step) -> None:
    """Mount an ISO file that lies on a device; the device stays mounted below it."""
    place = f"{step.datadir}/medium"
    os.makedirs(place, exist_ok=True)
    if step.run("mount", "-o", "ro", device.node, place):
        step.fatal(f"cannot mount {device.node}")
    if step.run("mount", "-o", "ro,loop", f"{place}/{file}", step.destdir):
        step.run("umount", place)
        step.fatal(f"cannot mount {file} on {device.node}")
    step.message(f"{file} on {device.node} is mounted")


def _previous_device(step: Step) -> str:
    try:
        return step.resolve_devname(step.prevdir) if step.prevdir else ""
    except StepError:
        return ""


def _has_label(finder: Finder, device: Device, pattern: str) -> bool:
    identity = finder.identity(device)
    return identity is not None and any(fnmatchcase(label, pattern) for label in identity.labels)


def _holds(device: Device, file: str, step: Step) -> bool:
    """Whether a file is on a device."""
    place = f"{step.datadir}/look"
    os.makedirs(place, exist_ok=True)
    if step.run("mount", "-o", "ro", device.node, place):
        return False
    try:
        return os.path.exists(f"{place}/{file}")
    finally:
        step.run("umount", place)


if __name__ == "__main__":
    main(Step())
    sys.exit(0)
