"""Small ISOs that get to their end quickly on a machine inside a machine."""

from __future__ import annotations

from pathlib import Path

from hiperlab.debian.packages import ISOLINUX_BIN, KERNEL, LDLINUX_C32, Sources
from hiperlab.samples.guests import GETTY_SERIAL, busybox_system
from hiperlab.samples.iso import write_iso
from hiperlab.samples.model import Content, FromAsset, Initramfs, Loader, Recipe

# Every access to a device costs a way through both hypervisors: no ACPI, and few words on the serial line.
QUICK = "quiet console=ttyS0,115200 acpi=off nosmp mitigations=off nokaslr no_timer_check"

LOGIN = busybox_system(GETTY_SERIAL)
# GRUB that prints all the time asks ports all the time, and one core has nothing left for QEMU's own thread.
TICKS = """\
serial --unit=0 --speed=115200
terminal_output serial
set timeout=1
menuentry ticks {
  while true; do
    for a in 0 1 2 3 4 5 6 7 8 9; do for b in 0 1 2 3 4 5 6 7 8 9; do
      echo "tick $a$b"
      sleep 1
    done; done
  done
}
"""


def build_isos(folder: Path, sources: Sources) -> dict[str, Path]:
    """login: gets to a login prompt; panic: finds no root file system; ticks: GRUB counts on serial endlessly."""
    recipes = {
        "login": _linux(LOGIN, QUICK),
        "panic": _linux(None, f"{QUICK} root=/dev/vda1"),
        "ticks": Recipe(Loader.GRUB_BIOS, {"boot/grub/grub.cfg": TICKS}),
    }
    isos = {}
    for name, recipe in recipes.items():
        isos[name] = folder / f"{name}.iso"
        scratch = folder / name
        scratch.mkdir()
        write_iso(recipe, sources, scratch, isos[name])
    return isos


def _linux(initramfs: Initramfs | None, arguments: str) -> Recipe:
    files: dict[str, Content] = {
        "isolinux/isolinux.bin": FromAsset(ISOLINUX_BIN),
        "isolinux/ldlinux.c32": FromAsset(LDLINUX_C32),
        "boot/vmlinuz": FromAsset(KERNEL),
    }
    label = f"DEFAULT it\nPROMPT 0\nLABEL it\n  KERNEL /boot/vmlinuz\n  APPEND {arguments}\n"
    if initramfs is not None:
        files["boot/initrd.gz"] = initramfs
        label += "  INITRD /boot/initrd.gz\n"
    return Recipe(Loader.ISOLINUX, files | {"isolinux/isolinux.cfg": label})
