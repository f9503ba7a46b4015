"""The overlay over an ISO with replaced files (``conf_replace``), while the guest runs.

It is in the session directory; for boot mode memdisk in RAM, over the copy of the ISO that will be there.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from hiperiso.contract.hardware import ImageKind
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import BootMode
from hiperiso.errors import UsageError
from hiperiso.images.open import OpenedImage
from hiperiso.machine.facts import Place

OVERLAY: Final = "medium.qcow2"
"""Only the changed sectors are in it: an image over the ISO, which is read and never written."""


def replaced_files(
    settings: Settings, opened: OpenedImage, place: Place, stack: ExitStack
) -> tuple[Path | None, list[str]]:
    """Replace files of the opened ISO: it is read with the changes from now on, and so does QEMU with the overlay.

    Args:
        settings: ``conf_replace``, and how the ISO is booted.
        opened: the image.
        place: the locations of the files.
        stack: removes the overlay when the boot has ended.

    Returns:
        The overlay, None where nothing is replaced; notes for the session.

    Raises:
        UsageError: a file cannot be replaced.
        HarnessFault: the ISO cannot be read.
        OSError: the directory cannot be written.
    """
    if not settings.conf_replace:
        return None, []
    from hiperiso.images.qcow2 import MAX_BACKING_NAME_BYTES, write_overlay_qcow2
    from hiperiso.iso.replace import plan_replacements  # few boots replace files

    image = opened.image
    if opened.recognised.kind is not ImageKind.ISO:
        raise UsageError(f"conf_replace is for files of an ISO, and this is none: {image.path}")
    if len(os.fsencode(image.path)) > MAX_BACKING_NAME_BYTES:
        raise UsageError(f"conf_replace: the path of the ISO is longer than {MAX_BACKING_NAME_BYTES} bytes")
    notes = plan_replacements(image, settings.conf_replace)
    assert image.changes is not None
    in_ram = settings.boot_mode is BootMode.MEMDISK
    overlay = place.private_path(OVERLAY) if in_ram else place.directory / OVERLAY
    stack.callback(overlay.unlink, missing_ok=True)
    write_overlay_qcow2(overlay, image.path, image.changes, name=place.ram_copy if in_ram else None)
    return overlay, notes
