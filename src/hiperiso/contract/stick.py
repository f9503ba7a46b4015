"""The layout of a stick: paths, partition names and sizes.

Source: the interface contract, "USB Partition Layout", and its two hard constraints (label VTOYEFI,
/ventoy/ventoy.cpio). Paths are absolute, from the root of their partition.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

DATA_NUMBER, ESP_NUMBER, BIOS_NUMBER = 1, 2, 3
"""Partition numbers: data, EFI system partition, BIOS boot."""

DATA_LABEL: Final = "HIPERISO"
ESP_LABEL: Final = "VTOYEFI"
BIOS_LABEL: Final = "BIOSBOOT"
ESP_BYTES: Final = 64 << 20

# the data partition
ISO_FOLDER: Final = "/ISOs"
OWN_FOLDER: Final = "/hiperiso"
CONFIG_PATH: Final = f"{OWN_FOLDER}/hiperiso.json"
LOG_FOLDER: Final = f"{OWN_FOLDER}/logs"
SUMMARY_NAME: Final = "last.txt"
"""In the log folder: the last outcome, which the boot menu shows."""

# the EFI system partition
VENTOY_CPIO: Final = "/ventoy/ventoy.cpio"

# a booted stick
DATA_MOUNT: Final = Path("/mnt/usb")
"""Where the data partition is mounted, writable."""

MARKER: Final = 0x22
MARKER_OFFSET: Final = 0x5C
"""The contract's marker of a stick with a GPT, in the first sector. There GRUB's boot.img has the first sector of
core.img, and the contract's layout puts that at 34, which is 0x22: the marker is there as long as core.img is."""
