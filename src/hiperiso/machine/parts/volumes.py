"""Volumes that a system looks for by itself: answers for an installer, driver update disks, a live system's changes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hiperiso.contract.settings import Settings
from hiperiso.errors import UsageError
from hiperiso.images.answers import Answers, read_answers
from hiperiso.images.fatvolume import fat_volume
from hiperiso.machine.facts import Facts
from hiperiso.machine.part import Part, Preparation, escape, require_absolute

ANSWERS_IMAGE: Final = "answers.img"
"""The volume with the answers, in the session directory until the guest has ended."""


class Volumes(Part, frozen=True, kw_only=True):
    """The volumes, as disks without a place in the boot order.

    Attributes:
        answers_image: where the volume with `answers` is written.
        duds: images of driver update disks, which are opened read-only.
        persistence: the image to which the guest writes.
    """

    answers_image: Path
    answers: Answers | None = None
    duds: tuple[Path, ...] = ()
    persistence: Path | None = None

    def __post_init__(self) -> None:
        require_absolute(self.answers_image, *self.duds, self.persistence)

    def prepare(self, preparation: Preparation) -> None:
        """See `Part.prepare`."""
        if self.answers is not None:
            preparation.stack.callback(self.answers_image.unlink, missing_ok=True)
            self.answers_image.write_bytes(fat_volume(self.answers.files, self.answers.label))

    def argv(self) -> list[str]:
        """See `Part.argv`."""
        argv = []
        if self.answers is not None:
            # On USB: Windows Setup has no driver for virtio.
            argv += _drive(
                "answers", self.answers_image, "usb-storage,bus=xhci.0,removable=on", "readonly=on"
            )
        for number, image in enumerate(self.duds):
            argv += _drive(f"dud{number}", image, "virtio-blk-pci", "readonly=on")
        if self.persistence is not None:
            argv += _drive("persistence", self.persistence, "virtio-blk-pci", "readonly=off")
        return argv

    def notes(self) -> tuple[str, ...]:
        """See `Part.notes`."""
        answers = self.answers
        notes = [f"auto_install: {answers.kind}, on a volume {answers.label}"] if answers else []
        notes += [f"dud: {image}, read-only" for image in self.duds]
        return (
            *notes,
            *([f"persistence: {self.persistence}, the guest writes to it"] * bool(self.persistence)),
        )


def _drive(name: str, image: Path, device: str, mode: str) -> list[str]:
    drive = f"if=none,id={name},format=raw,{mode},file={escape(image)}"
    return ["-drive", drive, "-device", f"{device},drive={name}"]


def plan_volumes(settings: Settings, facts: Facts) -> Volumes | None:
    """The volumes of the settings; None where there are none.

    Raises:
        UsageError: a file that is missing, or answers of no known kind.
    """
    images = (*settings.dud, *([settings.persistence] if settings.persistence else []))
    for image in images:
        if not image.is_file():
            raise UsageError(f"no such image: {image}", hint="check the path")
    answers = read_answers(settings.auto_install) if settings.auto_install else None
    if not images and answers is None:
        return None
    place = facts.place.directory / ANSWERS_IMAGE
    return Volumes(answers_image=place, answers=answers, duds=settings.dud, persistence=settings.persistence)
