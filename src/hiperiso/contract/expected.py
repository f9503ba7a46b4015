"""What `--expect` can name; the stages among them are those of `BootStage`."""

from __future__ import annotations

from enum import StrEnum


class Expected(StrEnum):
    """What a boot can be expected to reach: the stages, a desktop that is up, a system that has been
    started, a clean shutdown that ends with the machine switched off.
    """

    FIRMWARE = "firmware"
    BOOTLOADER = "bootloader"
    KERNEL = "kernel"
    INITRAMFS = "initramfs"
    USERSPACE = "userspace"
    LOGIN = "login"
    INSTALLER = "installer"
    DESKTOP = "desktop"
    RUNNING = "running"
    POWEROFF = "poweroff"
