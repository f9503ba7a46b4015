"""Volumes beside the medium: answers for an installer, driver update disks, a live system's changes, injected files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hiperiso.contract.settings import Settings
from hiperiso.errors import UsageError
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part, Preparation, escape, require_absolute
from hiperiso.machine.parts.loader import starts_kernel

if TYPE_CHECKING:
    from hiperiso.images.answers import Answers
    from hiperiso.images.injection import Injection

ANSWERS_IMAGE: Final = "answers.img"
INJECTION_IMAGE: Final = "injection.img"
"""The volumes that are made, in the session directory until the guest has ended."""


class Volumes(Part, frozen=True, kw_only=True):
    """The volumes, as disks at the end of the boot order.

    Attributes:
        directory: where the volumes with `answers` and `injection` are written.
        duds: images of driver update disks, which are opened read-only.
        persistence: the image to which the guest writes.
    """

    directory: Path
    answers: Answers | None = None
    injection: Injection | None = None
    duds: tuple[Path, ...] = ()
    persistence: Path | None = None

    def __post_init__(self) -> None:
        require_absolute(self.directory, *self.duds, self.persistence)

    def prepare(self, preparation: Preparation) -> None:
        """See `Part.prepare`."""
        for name, image in self._made():
            preparation.stack.callback((self.directory / name).unlink, missing_ok=True)
            (self.directory / name).write_bytes(image)

    @property
    def on_usb(self) -> bool:
        """Whether one is on USB."""
        return self.answers is not None or self.injection is not None

    def _made(self) -> Iterator[tuple[str, bytes]]:
        if not self.on_usb:
            return
        from hiperiso.images.fatvolume import fat_volume  # few boots have any
        from hiperiso.images.injection import LABEL

        if self.answers is not None:
            yield ANSWERS_IMAGE, fat_volume(self.answers.files, self.answers.label)
        if self.injection is not None:
            yield INJECTION_IMAGE, fat_volume(self.injection.volume()[0], LABEL)

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        made = (("answers", self.answers, ANSWERS_IMAGE), ("injection", self.injection, INJECTION_IMAGE))
        drives = [
            (name, self.directory / file, _USB, "readonly=on")
            for name, content, file in made
            if content is not None
        ]
        drives += [(f"dud{number}", image, _VIRTIO, "readonly=on") for number, image in enumerate(self.duds)]
        if self.persistence is not None:
            drives.append(("persistence", self.persistence, _VIRTIO, "readonly=off"))
        return [word for turn, drive in enumerate(drives, _FIRST_TURN) for word in _drive(*drive, turn)]

    def notes(self) -> tuple[str, ...]:
        """See `Part.notes`."""
        answers, injection = self.answers, self.injection
        notes = [f"auto_install: {answers.kind}, on a volume {answers.label}"] if answers else []
        if injection:
            from hiperiso.images.injection import LABEL, counted  # few boots have any

            files, left_out = injection.volume()
            notes.append(f"injection: {counted(len(files))} of {injection.archive}, on a volume {LABEL}")
            notes += [
                f"injection: FAT has no links, and {name!r} leads to no file: left out" for name in left_out
            ]
        notes += [f"dud: {image}, read-only" for image in self.duds]
        if self.persistence:
            notes.append(f"persistence: {self.persistence}, the guest writes to it; {_LOOKING}")
        return tuple(notes)


_LOOKING: Final = (
    "live-boot looks for it with the kernel argument persistence, casper with persistent (--append)"
)

# Windows Setup has no driver for virtio.
_USB: Final = "usb-storage,bus=xhci.0,removable=on"
_VIRTIO: Final = "virtio-blk-pci"
_FIRST_TURN: Final = 90
"""Behind all that boots: UEFI firmware shows a boot loader only the devices that have a turn."""


def _drive(name: str, image: Path, device: str, mode: str, turn: int) -> list[str]:
    drive = f"if=none,id={name},format=raw,{mode},file={escape(image)}"
    return ["-drive", drive, "-device", f"{device},drive={name},bootindex={turn}"]


def plan_volumes(settings: Settings, facts: Facts) -> Volumes | None:
    """The volumes of the settings; None where there are none.

    Raises:
        UsageError: answers that belong in an initramfs, where no kernel is started directly.
    """
    direct = starts_kernel(settings, facts)
    answers, injection = facts.answers, None if direct else facts.injection
    if answers is not None and answers.in_initramfs:
        if not direct:
            raise UsageError(
                f"{answers.kind} is added to the initramfs of an entry of the boot menu, and none is started directly:"
                f" {settings.auto_install}",
                hint="use boot mode normal or grub2, or give the kernel by --kernel and --initrd",
            )
        answers = None
    if not (settings.dud or settings.persistence or answers or injection):
        return None
    return Volumes(
        directory=facts.place.directory,
        answers=answers,
        injection=injection,
        duds=settings.dud,
        persistence=settings.persistence,
    )
