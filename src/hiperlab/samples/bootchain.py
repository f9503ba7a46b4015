"""Samples that boot through bootchain: both examples of its documentation, and a chain that fails.

::

    CD-ROM                                       over HTTP
      boot/vmlinuz, boot/initrd.gz  bootchain      boot/vmlinuz, boot/initrd.gz  bootchain
      rescue                        squashfs     image.iso on a server
      label ALT_regular-rescue/x86_64              rescue                        squashfs
"""

from __future__ import annotations

from hiperiso.contract.words import BootResult, BootStage, FailureDomain, FirmwareKind
from hiperlab.initramfs.build import InitramfsSpec
from hiperlab.initramfs.content import BootchainInitramfs, GenericKernel, Squashfs
from hiperlab.samples.model import Content, Initramfs, Loader, Outcome, Recipe, Sample

LABEL = "ALT_regular-rescue/x86_64"
"""The volume label in the example of the documentation."""

_CONSOLES = "console=tty0 console=ttyS0,115200"
_SETTINGS = {"BC_LOG_VT": "", "BC_FGVT": "/dev/ttyS0"}
_RESCUE = Initramfs(
    files={
        "etc/passwd": "root::0:0:root:/root:/bin/sh\n",
        "etc/group": "root:x:0:\ntty:x:5:\n",
        "etc/issue": "Rescue system 1.0 \\n \\l\n\n",
        "etc/hostname": "rescue\n",
        # bootchain's init has mounted /dev, /proc and /sys
        "etc/inittab": (
            "::sysinit:/bin/hostname -F /etc/hostname\n"
            "::sysinit:/bin/grep ' / ' /proc/mounts\n"
            "ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100\n"
            "tty1::respawn:/sbin/getty 38400 tty1 linux\n"
        ),
    }
)


def bootchain_samples() -> tuple[Sample, ...]:
    """Returns the self-contained samples."""
    return (
        Sample(
            "bootchain-cdrom",
            "bootchain finds its CD-ROM by label, mounts a squashfs under an overlay, and hands over to it",
            cdrom_recipe(
                "root=bootchain bootchain=waitdev,mountfs,mountfs,overlayfs,rootfs "
                f"waitdev=CDROM:LABEL={LABEL} mountfs=DEVNAME mountfs=rescue"
            ),
            {firmware: Outcome(BootStage.LOGIN, BootResult.SUCCESS) for firmware in FirmwareKind},
            45,
        ),
        Sample(
            "bootchain-fails",
            "bootchain does not find a file on its CD-ROM and starts its rescue shell",
            cdrom_recipe(
                "root=bootchain bootchain=waitdev,mountfs,noretry,mountfs,overlayfs,rootfs "
                f"waitdev=CDROM:LABEL={LABEL} mountfs=DEVNAME mountfs=not-there"
            ),
            {FirmwareKind.BIOS: Outcome(BootStage.INITRAMFS, BootResult.FAILURE, FailureDomain.USERSPACE)},
            35,
        ),
    )


def cdrom_recipe(command_line: str, *, files: dict[str, Content] | None = None) -> Recipe:
    """Returns an ISO with the label of the documentation that boots with this command line and contains ``rescue``."""
    return _boot_recipe(command_line, {"rescue": Squashfs(_RESCUE), **(files or {})})


def http_recipe(url: str) -> Recipe:
    """Returns an ISO with only kernel and initramfs, which boots an image from a server."""
    return _boot_recipe(
        f"root=pipeline pipeline=getimage,mountfs,overlayfs,rootfs getimage={url} mountfs=rescue", {}
    )


def system_recipe(command_line: str, kernel: bytes, initrd: bytes, *, rescue: bool = True) -> Recipe:
    """Returns an ISO like the others, with a given kernel and initramfs."""
    files: dict[str, Content] = {"boot/vmlinuz": kernel, "boot/initrd.gz": initrd}
    return _boot_recipe(command_line, files | ({"rescue": Squashfs(_RESCUE)} if rescue else {}))


def http_image_recipe() -> Recipe:
    """Returns the image for the server: an ISO that contains the squashfs ``rescue`` and is not bootable."""
    return Recipe(Loader.NONE, {"rescue": Squashfs(_RESCUE)}, LABEL)


def _boot_recipe(command_line: str, files: dict[str, Content]) -> Recipe:
    terminal = "serial --unit=0 --speed=115200\nterminal_output console serial\n"
    grub_cfg = (
        f"insmod all_video\nset timeout=0\n{terminal}menuentry 'Rescue' {{\n"
        f"  linux /boot/vmlinuz {command_line} {_CONSOLES}\n  initrd /boot/initrd.gz\n}}\n"
    )
    return Recipe(
        Loader.GRUB,
        {
            "boot/vmlinuz": GenericKernel(),
            "boot/initrd.gz": BootchainInitramfs(InitramfsSpec(settings=_SETTINGS)),
            "boot/grub/grub.cfg": grub_cfg,
            **files,
        },
        LABEL,
    )
