"""The exceptions of the recorder and the exit codes they map to.

::

    HiperisoError
    |-- UsageError      the request cannot be carried out (exit 2)
    |   `-- IsoError    the ISO is missing, empty, a directory, not an ISO (exit 2)
    |-- Unsupported     a known option that this version does not implement (exit 2)
    `-- HarnessFault    our side failed: QEMU, KVM, disk, log root (exit 4)
        `-- StorageFull no room on the disk of the sessions (exit 4)

Library code raises; the command line renders once, at the top.
"""

from __future__ import annotations

import errno
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of all commands. Stable; documented in the README."""

    SUCCESS = 0
    GUEST_FAILED = 1
    USAGE = 2
    INCOMPLETE = 3
    HARNESS_FAULT = 4


class HiperisoError(Exception):
    """An expected error: one clear line, its likely cause, and the next step.

    Args:
        message: what is wrong, naming the file or value.
        hint: what to do about it; may be empty.
    """

    exit_code: ExitCode = ExitCode.HARNESS_FAULT

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(HiperisoError):
    """The request itself cannot be carried out."""

    exit_code = ExitCode.USAGE


class IsoError(UsageError):
    """Not a readable ISO. ``missing`` distinguishes a path that does not exist from a file of another kind."""

    def __init__(self, message: str, *, hint: str = "", missing: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.missing = missing


class Unsupported(UsageError):
    """A known option that this version refuses rather than ignores."""


class HarnessFault(HiperisoError):
    """A harness fault; never attributed to the guest."""

    exit_code = ExitCode.HARNESS_FAULT


class StorageFull(HarnessFault):
    """The disk with the sessions, or a quota on it, is full."""


def write_fault(message: str, error: OSError, *, hint: str = "") -> HarnessFault:
    """The harness fault for a failed write: `message`, and the system's reason."""
    kind = StorageFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else HarnessFault
    return kind(f"{message}: {error.strerror}", hint=hint)
