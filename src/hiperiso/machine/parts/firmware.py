"""The firmware: the user's choice, else what the ISO needs, with a private copy of its variables.

The available images: :mod:`hiperiso.machine.firmware`.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import ClassVar, Final

import msgspec
from msgspec.structs import replace

from hiperiso.contract.hardware import ImageKind, Medium
from hiperiso.contract.secureboot import Trust
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import FirmwareChoice, FirmwareKind
from hiperiso.errors import HarnessFault, Unsupported, UsageError
from hiperiso.iso.eltorito import Platform
from hiperiso.iso.inspect import IsoInfo
from hiperiso.machine.facts import Facts
from hiperiso.machine.firmware import FirmwareImage
from hiperiso.machine.part import Part, Preparation, escape, require_absolute
from hiperiso.packages import install_hint

VARIABLES_FILE: Final = "firmware-vars.fd"


class Bios(Part, frozen=True, kw_only=True):
    """QEMU's own SeaBIOS, or the image in `image`."""

    smm: ClassVar[bool] = False
    image: Path | None = None

    def __post_init__(self) -> None:
        require_absolute(self.image)

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        return ["-bios", str(self.image)] if self.image else []


class Uefi(Part, frozen=True, kw_only=True):
    """UEFI firmware.

    Attributes:
        code: the executable image, opened read-only.
        variables: this machine's private, writable copy of the variable store; None for an image that holds both
            (loaded with ``-bios``: variables are then only in memory).
        template: the source of the copy; None if the copy exists already.
        code_format: ``raw`` or ``qcow2``.
        variables_format: ``raw`` or ``qcow2``.
        smm: the image needs System Management Mode (Secure Boot builds).
        trust: what is trusted; where it is not the template's, the variable store is built from that.
    """

    code: Path
    variables: Path | None = None
    template: Path | None = None
    code_format: str = "raw"
    variables_format: str = "raw"
    smm: bool = False
    trust: Trust = Trust.OFF

    def __post_init__(self) -> None:
        require_absolute(self.code, self.variables, self.template)

    def prepare(self, preparation: Preparation) -> None:
        """See `Part.prepare`."""
        if self.template is None or self.variables is None:
            return
        if self.trust.built:
            _build_store(self.template, self.variables, self.trust)
            return
        try:
            shutil.copyfile(self.template, self.variables)
        except OSError as error:
            raise HarnessFault(
                f"the UEFI variables cannot be copied to {self.variables}: {error.strerror}"
            ) from error

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        if self.variables is None:
            return ["-bios", str(self.code)]
        secure = ["-global", "driver=cfi.pflash01,property=secure,value=on"] if self.smm else []
        return [
            *secure,
            "-drive",
            f"if=pflash,unit=0,format={self.code_format},readonly=on,file={escape(self.code)}",
            "-drive",
            f"if=pflash,unit=1,format={self.variables_format},file={escape(self.variables)}",
        ]

    def notes(self) -> tuple[str, ...]:
        """See `Part.notes`."""
        if self.trust is Trust.OFF:
            return ()
        trusted = _TRUSTED[self.trust]
        return (f"Secure Boot: the firmware trusts {trusted}",)


_TRUSTED: Final = {
    Trust.VENDOR: "what its vendor's variable store does",
    Trust.ONLY_2011: "Microsoft's certificates of 2011 alone",
    Trust.ONLY_2023: "Microsoft's certificates of 2023 alone",
    Trust.BOTH: "Microsoft's certificates of 2011 and 2023",
    Trust.REVOKED: "Microsoft's certificates of 2023; those of 2011 are revoked (dbx)",
}


def _build_store(template: Path, store: Path, trust: Trust) -> None:
    """Build the variable store, where a program for it is installed: a stick has none."""
    from importlib.metadata import entry_points

    builder = next(iter(entry_points(group="hiperiso.trust_stores", name="microsoft")), None)
    if builder is None:
        raise Unsupported(
            f"secure_boot {trust}: its variable store can only be built on a workstation",
            hint="use secure_boot 1, the vendor's keys",
        )
    builder.load()(template, store, trust)


def plan_firmware(settings: Settings, facts: Facts) -> Bios | Uefi:
    """The firmware part.

    Raises:
        HarnessFault, UsageError: as for `decide_firmware`.
    """
    kind = decide_firmware(settings, facts).kind
    if settings.secure_boot is Trust.OFF:
        return firmware_part(facts.firmware.get(kind), facts.place.directory)
    image = facts.firmware.secure_boot
    if image is None:
        raise HarnessFault(
            "Secure Boot needs UEFI firmware with enrolled keys, and none is installed",
            hint=f"{install_hint('ovmf')}; for a stick: hiperiso payload build --secure-boot",
        )
    part = firmware_part(image, facts.place.directory)
    assert isinstance(part, Uefi)
    blank = (
        facts.firmware.uefi.variables_template if facts.firmware.uefi and settings.secure_boot.built else None
    )
    return replace(part, trust=settings.secure_boot, template=blank or part.template)


def decide_firmware(settings: Settings, facts: Facts) -> FirmwareDecision:
    """The firmware for these settings, and why.

    Raises:
        HarnessFault, UsageError: as for `choose_firmware`.
    """
    if settings.secure_boot is not Trust.OFF:
        if settings.firmware is FirmwareChoice.BIOS:
            raise UsageError("Secure Boot is a feature of UEFI", hint="leave out --firmware bios")
        return FirmwareDecision(FirmwareKind.UEFI, "Secure Boot was requested")
    as_disk = medium_in_force(settings, facts).as_disk
    direct = settings.kernel is not None or facts.kind is ImageKind.KERNEL
    return choose_firmware(
        facts.iso,
        settings.firmware,
        facts.firmware.available,
        as_disk=as_disk,
        kind=facts.kind,
        direct=direct,
    )


def medium_in_force(settings: Settings, facts: Facts) -> Medium:
    """The drive that the image is in: what was asked for, else a CD-ROM drive for an ISO, and a disk for the rest.

    Raises:
        UsageError: a disk is to be a CD.
    """
    if not facts.kind.as_disk:
        return settings.medium
    if settings.medium is Medium.CDROM:
        raise UsageError(
            f"not an ISO, so it cannot be the medium of a CD-ROM drive: {facts.iso.path}",
            hint="use --medium disk, usb, nvme or virtio, or leave it out",
        )
    return Medium.DISK if settings.medium is Medium.AUTO else settings.medium


def firmware_part(image: FirmwareImage, directory: Path) -> Bios | Uefi:
    """The part that runs `image`, with its variables (`VARIABLES_FILE`) in `directory`."""
    if image.kind is FirmwareKind.BIOS:
        return Bios(image=image.code)
    return Uefi(
        code=image.code,
        variables=directory / VARIABLES_FILE if image.variables_template else None,
        template=image.variables_template,
        code_format=image.code_format,
        variables_format=image.variables_format,
        smm=image.smm,
    )


class FirmwareDecision(msgspec.Struct, frozen=True):
    """The firmware to boot with, and why."""

    kind: FirmwareKind
    reason: str


def choose_firmware(
    info: IsoInfo,
    choice: FirmwareChoice,
    available: Collection[FirmwareKind],
    *,
    as_disk: bool = False,
    kind: ImageKind = ImageKind.ISO,
    direct: bool = False,
) -> FirmwareDecision:
    """The firmware for `info`: the user's choice, else what the image needs.

    Args:
        info: the image.
        choice: the user's choice.
        available: the families that this machine has.
        as_disk: the image is the content of a disk, on which firmware looks for other boot code than on a CD.
        kind: what the image was taken for.
        direct: a kernel is started, and nothing on the image.

    Raises:
        HarnessFault: UEFI is needed and no UEFI firmware is installed.
        UsageError: BIOS is requested and this machine has none; no firmware can start the image from a disk.
    """
    if direct:
        decision = _for_kernel(choice)
    elif kind in (ImageKind.EFI, ImageKind.DIRECTORY):
        decision = _for_program(info, choice)
    elif kind is ImageKind.DISK:
        decision = _for_image(info, choice)
    else:
        decision = _for_disk(info, choice) if as_disk else _for_cd(info, choice)
    if decision.kind in available:
        return decision
    if decision.kind is FirmwareKind.UEFI:
        raise HarnessFault(
            f"UEFI firmware is needed ({decision.reason}) and none is installed", hint=install_hint("ovmf")
        )
    raise UsageError(
        f"BIOS firmware is needed ({decision.reason}) and none is installed", hint=install_hint("seabios")
    )


def _for_kernel(choice: FirmwareChoice) -> FirmwareDecision:
    if choice is FirmwareChoice.AUTO:
        return FirmwareDecision(FirmwareKind.BIOS, "a kernel is started directly; BIOS is the default")
    return FirmwareDecision(FirmwareKind(choice.value), "requested")


def _for_program(info: IsoInfo, choice: FirmwareChoice) -> FirmwareDecision:
    if choice is FirmwareChoice.BIOS:
        raise UsageError(f"only UEFI starts an EFI program: {info.path}", hint="leave out --firmware bios")
    return FirmwareDecision(FirmwareKind.UEFI, "an EFI program is started by UEFI alone")


def _for_image(info: IsoInfo, choice: FirmwareChoice) -> FirmwareDecision:
    if choice is not FirmwareChoice.AUTO:
        return FirmwareDecision(FirmwareKind(choice.value), "requested")
    if info.mbr_boot:
        return FirmwareDecision(FirmwareKind.BIOS, "the disk has boot code in its first sector")
    if info.esp:
        return FirmwareDecision(
            FirmwareKind.UEFI, "the disk has an EFI system partition and nothing for a BIOS"
        )
    raise UsageError(
        f"nothing on the disk boots: {info.path} (neither boot code in its first sector nor an EFI system partition)",
        hint="use --firmware bios or uefi to try all the same, or --kernel to start one beside it",
    )


def _for_disk(info: IsoInfo, choice: FirmwareChoice) -> FirmwareDecision:
    if not info.mbr_boot and not info.esp:
        raise UsageError(
            f"the ISO boots only as a CD: {info.path} (it is not a hybrid: it has neither boot code in its first "
            "sector nor an EFI system partition)",
            hint="use --medium cdrom; isohybrid or xorriso's -isohybrid-mbr make a hybrid of an ISO",
        )
    if choice is not FirmwareChoice.AUTO:
        return FirmwareDecision(FirmwareKind(choice.value), "requested")
    if info.mbr_boot:
        return FirmwareDecision(FirmwareKind.BIOS, "the ISO has boot code in its first sector")
    return FirmwareDecision(
        FirmwareKind.UEFI, "the ISO has an EFI system partition and no boot code in its first sector"
    )


def _for_cd(info: IsoInfo, choice: FirmwareChoice) -> FirmwareDecision:
    if choice is not FirmwareChoice.AUTO:
        return FirmwareDecision(FirmwareKind(choice.value), "requested")
    if info.boots(Platform.X86):
        return FirmwareDecision(FirmwareKind.BIOS, "the ISO has a BIOS boot entry (El Torito)")
    if info.boots(Platform.EFI):
        return FirmwareDecision(
            FirmwareKind.UEFI, "the ISO has an EFI boot entry (El Torito) and none for BIOS"
        )
    if info.boot_entries:
        return FirmwareDecision(
            FirmwareKind.BIOS, "no boot entry of the ISO is for a PC; BIOS is the default"
        )
    return FirmwareDecision(FirmwareKind.BIOS, "the ISO has no boot entry (El Torito); BIOS is the default")
