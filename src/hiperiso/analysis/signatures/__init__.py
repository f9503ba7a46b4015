"""Everything the judge recognises, one table a module."""

from __future__ import annotations

from functools import cache

from hiperiso.analysis.signature import Catalogue, Signature, join
from hiperiso.analysis.signatures import (
    boards,
    bootchain,
    bootloader,
    chainloaders,
    damage,
    firmware,
    graphics,
    hardware,
    harness,
    hypervisors,
    initramfs,
    initscripts,
    installer,
    kernel,
    loaders,
    login,
    passphrase,
    programs,
    realtime,
    screens,
    shutdown,
    stops,
    systems,
    trouble,
    userspace,
)


def everything() -> tuple[Signature, ...]:
    """Return all signatures; where several match a line, the earlier ones are applied first."""
    return join(
        firmware.SIGNATURES,
        boards.SIGNATURES,
        bootloader.SIGNATURES,
        loaders.SIGNATURES,
        chainloaders.SIGNATURES,
        programs.SIGNATURES,
        kernel.SIGNATURES,
        trouble.SIGNATURES,
        damage.SIGNATURES,
        hardware.SIGNATURES,
        systems.SIGNATURES,
        hypervisors.SIGNATURES,
        realtime.SIGNATURES,
        initramfs.SIGNATURES,
        initscripts.SIGNATURES,
        bootchain.SIGNATURES,
        userspace.SIGNATURES,
        login.SIGNATURES,
        passphrase.SIGNATURES,
        installer.SIGNATURES,
        screens.SIGNATURES,
        graphics.SIGNATURES,
        harness.SIGNATURES,
        shutdown.SIGNATURES,
        stops.SIGNATURES,
    )


@cache
def catalogue() -> Catalogue:
    """The catalogue of all signatures: made once, it is the same for every judge of a process."""
    return Catalogue(everything())
