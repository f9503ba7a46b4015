"""wait-resume: waits until the attempt to resume from resume= is over, so that no later step touches those disks.

It makes the attempt itself unless that was done: the kernel takes over from /sys/power/resume and, when there is a
hibernated system, never comes back. Without resume= (or with noresume) there is nothing to wait for.
"""

from __future__ import annotations

import os
import sys

from bootchain.devices import Finder, SpecError, parse_spec
from bootchain.step import Step
from bootchain.waiting import last_parameter, seconds, wait_for_device

DEFAULT_TIMEOUT_S = 30.0
POWER = "/sys/power"


def main(step: Step) -> None:
    """Run the step. A system that cannot resume has to boot all the same, so only nonsense is a failure."""
    text = last_parameter(os.environ, "RESUME")
    if not text or "NORESUME0" in os.environ:
        step.debug("no resume is asked for")
        return
    done = f"{step.mntdir}/resume.done"
    if os.path.exists(done):  # noqa: PTH110
        step.debug("the attempt to resume is over already")
        return
    try:
        spec = parse_spec(text)
        timeout_s = seconds(last_parameter(os.environ, "ROOTDELAY"), DEFAULT_TIMEOUT_S)
    except (SpecError, ValueError) as error:
        step.fatal(str(error))
    if not os.access(f"{POWER}/resume", os.W_OK):
        step.message("this kernel cannot resume")
        return
    found = wait_for_device(
        Finder(spec),
        timeout_s,
        lambda waited_s: step.message(f"still waiting for {text}, {waited_s:.0f} s now"),
    )
    if found is None:
        step.message(f"no device {text} to resume from after {timeout_s:g} s")
        return
    offset = last_parameter(os.environ, "RESUME_OFFSET")
    _write(step, done, "")
    if offset.isdecimal():
        _write(step, f"{POWER}/resume_offset", offset)
    step.message(f"resuming from {found.node} ({found.number}), if a system sleeps there")
    _write(step, f"{POWER}/resume", found.number)
    step.message("no system sleeps there")


def _write(step: Step, path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(text)
    except OSError as error:
        step.message(f"{path}: {error.strerror}")


if __name__ == "__main__":
    main(Step())
    sys.exit(0)
