"""waitdev: waits for the device that waitdev= names; the result is its ``DEVNAME`` (a file) and ``dev`` (its node).

It waits waitdev-timeout= seconds (of the same call), else rootdelay=, else BC_DEVICE_TIMEOUT; 0 looks once. When the
time is up it ends with 0 and an empty result: the next step may be the one that knows what else to try.
"""

from __future__ import annotations

import os
import sys

from bootchain.devices import Device, Finder, SpecError, parse_spec
from bootchain.step import Step
from bootchain.waiting import last_parameter, leave_device, seconds, wait_for_device

DEFAULT_TIMEOUT_S = 60.0


def main(step: Step) -> None:
    """Run the step; leaves by SystemExit when it fails."""
    text = step.check_parameter("WAITDEV")
    try:
        spec = parse_spec(text)
        limit = step.get_parameter("WAITDEV_TIMEOUT") or last_parameter(os.environ, "ROOTDELAY")
        timeout_s = seconds(limit, seconds(os.environ.get("BC_DEVICE_TIMEOUT", ""), DEFAULT_TIMEOUT_S))
    except (SpecError, ValueError) as error:
        step.fatal(str(error))
    finder = Finder(spec)
    step.debug(f"waiting {timeout_s:g} s at most for {text}")
    found = wait_for_device(
        finder, timeout_s, lambda waited_s: step.message(f"still waiting for {text}, {waited_s:.0f} s now")
    )
    if found is None:
        step.message(f"no device {text} after {timeout_s:g} s; there are: {_inventory(finder)}")
        step.message("going on without a result")
        return
    try:
        leave_device(found, step.destdir)
    except OSError as error:
        step.fatal(f"found {found.node}, but cannot leave it in {step.destdir}: {error.strerror}")
    step.message(f"{text} is {_describe(finder, found)}")


def _inventory(finder: Finder) -> str:
    return ", ".join(_describe(finder, device) for device in finder.devices()) or "none at all"


def _describe(finder: Finder, device: Device) -> str:
    identity = finder.identity(device)
    if identity is None:
        return f"{device.node} (unknown)"
    words = [identity.kind, *(f"LABEL={label!r}" for label in identity.labels)]
    if identity.uuid:
        words.append(f"UUID={identity.uuid}")
    return f"{device.node} ({' '.join(words)})"


if __name__ == "__main__":
    main(Step())
    sys.exit(0)
