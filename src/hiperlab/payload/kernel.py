"""The host kernel: a distribution's generic one, or a file of the user, with its modules."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hiperiso.errors import UsageError
from hiperiso.stick.screen.devices import MOUSE_DRIVER
from hiperlab.debian.packages import Sources
from hiperlab.initramfs.kernel import Kernel, find_kernel

MODULES: Final = (
    # controllers and devices
    *(
        "xhci_pci",
        "ehci_pci",
        "uhci_hcd",
        "ohci_pci",
        "usb_storage",
        "uas",
        "ahci",
        "ata_piix",
        "ata_generic",
    ),
    *(
        "nvme",
        "sdhci_pci",
        "sdhci_acpi",
        "rtsx_pci_sdmmc",
        "mmc_block",
        "virtio_pci",
        "virtio_blk",
        "virtio_scsi",
    ),
    *("virtio_console", "sd_mod", "sr_mod", "vmd", "efivarfs"),
    # file systems
    *("exfat", "ntfs3", "vfat", "ext4", "iso9660", "isofs", "udf", "squashfs", "erofs", "overlay", "loop"),
    *(
        "nls_utf8",
        "nls_cp437",
        "nls_iso8859_1",
        "nls_ascii",
        "crc32c_generic",
        "crc32c_intel",
        "crc32_pclmul",
    ),
    # hypervisor
    *("kvm", "kvm_intel", "kvm_amd"),
    # keyboards and mice, and how programs read them
    *("usbhid", "hid_generic", "atkbd", "i8042", MOUSE_DRIVER, "evdev"),
)
"""The drivers from the kernel to the data partition of a stick, and KVM."""

LOADED: Final = ()
"""Modules without a device alias: none, since mounting loads the drivers of file systems."""

LATE: Final = (MOUSE_DRIVER,)
"""Modules not loaded automatically: they are slow, and few recordings need them."""

EARLY: Final = ("loop", "squashfs")
"""The modules needed to load all others."""

_SETUP_MAGIC_OFFSET, _VERSION_POINTER_OFFSET, _SETUP_BYTES = 0x202, 0x20E, 0x200


def choose_kernel(sources: Sources, image: Path | None, modules: Path | None) -> Kernel:
    """The kernel and its modules.

    Args:
        sources: of the distribution's kernel, when `image` is None.
        image: a bzImage.
        modules: the directory ``/lib/modules/RELEASE`` of that kernel, or ``/lib/modules``; None for the latter.

    Raises:
        UsageError: a file is missing, not a kernel, or the modules belong to another kernel.
        HarnessFault: the distribution's kernel is not available.
    """
    if image is None:
        if modules is not None:
            raise UsageError("--modules needs --kernel", hint="name the kernel of the modules")
        return find_kernel(sources)
    release = kernel_release(image)
    below = modules or Path("/lib/modules")
    for folder in (below, below / release):
        if folder.name == release and (folder / "kernel").is_dir():
            return Kernel(release, image, folder)
    raise UsageError(
        f"no modules of the kernel {release} in {below}", hint=f"--modules takes the directory .../{release}"
    )


def kernel_release(image: Path) -> str:
    """The release (``uname -r``) in the header of an x86 kernel image.

    Source: Documentation/arch/x86/boot.rst, ``kernel_version``.

    Raises:
        UsageError: the file cannot be read or is not such an image.
    """
    try:
        head = image.read_bytes()[: 1 << 16]
    except OSError as error:
        raise UsageError(f"cannot read the kernel {image}: {error.strerror}") from None
    if head[_SETUP_MAGIC_OFFSET : _SETUP_MAGIC_OFFSET + 4] == b"HdrS":
        start = _SETUP_BYTES + int.from_bytes(
            head[_VERSION_POINTER_OFFSET : _VERSION_POINTER_OFFSET + 2], "little"
        )
        words = head[start : start + 128].partition(b"\0")[0].decode("ascii", "replace").split()
        if words and start > _SETUP_BYTES:
            return words[0]
    raise UsageError(f"{image} is not a Linux kernel for PCs (bzImage)")
