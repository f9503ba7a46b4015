"""The content of a payload: ``components.json`` beside its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from hiperiso.contract.stick import ESP_BYTES
from hiperiso.errors import UsageError

COMPONENTS_NAME: Final = "components.json"
SPARE_BYTES: Final = 15 << 20
EXTRA_BYTES: Final = 3 << 20
"""What each part that not every stick needs may take of that."""
BOOT_LOADERS_BYTES: Final = 9 << 20
"""Reserved for shim, GRUB in its two forms, fonts and the menu (part of the stick, not of the payload)."""


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the payload. ``size_bytes`` is before compression; ``where`` is the file it is in."""

    name: str
    version: str
    size_bytes: int
    files: int
    where: str


class PayloadInfo(msgspec.Struct, frozen=True, kw_only=True):
    """components.json.

    Attributes:
        components: the parts, in the order of the archive.
        files: the files of the payload and their sizes in bytes, as on the EFI partition.
        compression: of the initramfs.
    """

    components: tuple[Component, ...]
    files: dict[str, int]
    compression: str

    @property
    def size_bytes(self) -> int:
        """Size of all files on the EFI partition."""
        return sum(self.files.values())

    @property
    def free_bytes(self) -> int:
        """Free space of the EFI partition beside the payload and the boot loaders."""
        return ESP_BYTES - BOOT_LOADERS_BYTES - self.size_bytes


def write_info(folder: Path, info: PayloadInfo) -> None:
    """Write components.json.

    Raises:
        OSError: the folder cannot be written.
    """
    text = msgspec.json.format(msgspec.json.encode(info), indent=2) + b"\n"
    (folder / COMPONENTS_NAME).write_bytes(text)


def read_info(folder: Path) -> PayloadInfo:
    """Read components.json of a payload.

    Raises:
        UsageError: missing or invalid.
    """
    path = folder / COMPONENTS_NAME
    hint = "hiperiso payload build makes one"
    try:
        return msgspec.json.decode(path.read_bytes(), type=PayloadInfo)
    except OSError as error:
        raise UsageError(
            f"{folder} is not a payload: {COMPONENTS_NAME}: {error.strerror}", hint=hint
        ) from None
    except msgspec.DecodeError as error:
        raise UsageError(f"{path} is not a valid list of components: {error}", hint=hint) from None
