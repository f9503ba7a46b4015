"""Everything the judge recognises, one table a module."""

from __future__ import annotations

from hiperiso.analysis.signature import Signature, join
from hiperiso.analysis.signatures import (
    bootchain,
    bootloader,
    firmware,
    graphics,
    harness,
    initramfs,
    installer,
    kernel,
    programs,
    screens,
    userspace,
)


def everything() -> tuple[Signature, ...]:
    """Return all signatures; where several match a line, the earlier ones are applied first."""
    return join(
        firmware.SIGNATURES,
        bootloader.SIGNATURES,
        programs.SIGNATURES,
        kernel.SIGNATURES,
        initramfs.SIGNATURES,
        bootchain.SIGNATURES,
        userspace.SIGNATURES,
        installer.SIGNATURES,
        screens.SIGNATURES,
        graphics.SIGNATURES,
        harness.SIGNATURES,
    )
