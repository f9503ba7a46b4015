"""A small live system: kernel, initramfs, and its root file system as a squashfs image on the medium.

::

    live/vmlinuz                the stock kernel
    live/initrd.img             finds the medium, mounts the image under an overlay, switches root
    live/filesystem.squashfs    busybox with login prompts on serial and on the screen

The initramfs looks for its medium on every disk or, with ``findiso=/PATH`` as of live-boot, for an ISO file on every
disk. The system powers off when root (without a password) runs ``poweroff``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hiperiso.contract.words import BootResult, BootStage, FirmwareKind
from hiperiso.images import cpio
from hiperlab.debian.packages import BUSYBOX, Sources, digest
from hiperlab.initramfs.content import GenericKernel, Squashfs
from hiperlab.initramfs.kernel import find_kernel, module_entries
from hiperlab.samples.iso import initramfs_entries
from hiperlab.samples.model import Built, Initramfs, Loader, Outcome, Recipe, Sample
from hiperlab.samples.recipes import grub_cfg

HOSTNAME = "live"
IMAGE = "live/filesystem.squashfs"
MODULES = (
    *("ahci", "ata_piix", "virtio_pci", "virtio_blk", "xhci_pci", "ehci_pci", "usb_storage", "uas", "sd_mod"),
    *("sr_mod", "loop", "isofs", "squashfs", "overlay", "ext4", "exfat", "vfat", "nls_utf8", "nls_cp437"),
    *("nls_iso8859_1", "nls_ascii", "crc32c_generic"),
)

_INIT = f"""\
#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir -p /run/disk /run/medium /run/layer /run/rw /run/root
for name in {" ".join(MODULES)}; do modprobe -q $name; done
iso=
for word in $(cat /proc/cmdline); do
  case "$word" in findiso=*) iso="${{word#findiso=}}" ;; esac
done

found() {{
  if [ -n "$iso" ]; then
    mount -o ro "$1" /run/disk 2>/dev/null || return 1
    if [ -f "/run/disk$iso" ] && mount -o ro,loop "/run/disk$iso" /run/medium; then return 0; fi
    umount /run/disk
    return 1
  fi
  mount -t iso9660 -o ro "$1" /run/medium 2>/dev/null || return 1
  [ ! -f /run/medium/{IMAGE} ] || return 0
  umount /run/medium
  return 1
}}

tries=0
while [ ! -f /run/medium/{IMAGE} ]; do
  for disk in /dev/sr? /dev/sd* /dev/vd* /dev/nvme*; do
    if [ -b "$disk" ] && found "$disk"; then break; fi
  done
  tries=$((tries + 1))
  if [ $tries -gt 60 ]; then echo "live: no medium with {IMAGE}"; exec sh; fi
  [ -f /run/medium/{IMAGE} ] || sleep 1
done
mount -t squashfs -o ro,loop /run/medium/{IMAGE} /run/layer
mount -t tmpfs rw /run/rw
mkdir /run/rw/upper /run/rw/work
mount -t overlay -o lowerdir=/run/layer,upperdir=/run/rw/upper,workdir=/run/rw/work overlay /run/root
for name in dev proc sys; do mount --move /$name /run/root/$name; done
exec switch_root /run/root /sbin/init
"""

_SYSTEM = Initramfs(
    files={
        "etc/passwd": "root::0:0:root:/root:/bin/sh\n",
        "etc/group": "root:x:0:\ntty:x:5:\n",
        "etc/issue": "Live sample 1.0 \\n \\l\n\n",
        "etc/hostname": f"{HOSTNAME}\n",
        # /dev, /proc and /sys are mounted before this system starts
        "etc/inittab": (
            "::sysinit:/bin/hostname -F /etc/hostname\n"
            "::sysinit:/bin/grep ' / ' /proc/mounts\n"
            "ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100\n"
            "tty1::respawn:/sbin/getty 38400 tty1 linux\n"
            "::shutdown:/bin/sync\n"
        ),
    }
)


@dataclass(frozen=True)
class LiveInitramfs(Built):
    """Busybox, the kernel's modules for discs and disks, and the script that finds the medium."""

    system: Initramfs = field(
        default_factory=lambda: Initramfs(files={"init": _INIT}, links={"sbin/modprobe": "/bin/busybox"})
    )

    def data(self, sources: Sources, scratch: Path) -> bytes:
        """Returns the archive, compressed with gzip."""
        folder = scratch / "live-initramfs"
        folder.mkdir()
        seen: dict[str, cpio.Entry] = {}
        for entries in (
            initramfs_entries(self.system, sources),
            module_entries(find_kernel(sources), MODULES, sources, folder),
        ):
            for entry in entries:
                seen.setdefault(entry.name, entry)
        return cpio.compressed(seen.values(), level=3)

    def identity(self, sources: Sources) -> str:
        """Returns the kernel's release and a hash over the programs in it; its files are part of the recipe."""
        return f"{find_kernel(sources).release} {MODULES} {digest(sources.find(BUSYBOX))}"


def live_recipe(arguments: str = "boot=live console=tty0 console=ttyS0,115200") -> Recipe:
    """Returns the live ISO, whose menu starts it with these arguments."""
    command = f"linux /live/vmlinuz {arguments}\ninitrd /live/initrd.img"
    return Recipe(
        Loader.GRUB,
        {
            "live/vmlinuz": GenericKernel(),
            "live/initrd.img": LiveInitramfs(),
            IMAGE: Squashfs(_SYSTEM),
            "boot/grub/grub.cfg": grub_cfg(command, serial=True),
        },
        "LIVE_SAMPLE",
    )


def live_samples() -> tuple[Sample, ...]:
    """Returns the live system as a sample."""
    return (
        Sample(
            "live-squashfs",
            "a live system in a squashfs under an overlay, login prompts on serial and on the screen",
            live_recipe(),
            {firmware: Outcome(BootStage.LOGIN, BootResult.SUCCESS) for firmware in FirmwareKind},
            35,
        ),
    )
