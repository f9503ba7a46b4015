"""The recipe of most samples: a GRUB menu of one entry, a stock kernel and an initramfs."""

from __future__ import annotations

from hiperlab.debian.packages import KERNEL
from hiperlab.samples.model import Content, FromAsset, Loader, Recipe

KERNEL_PATH, INITRD_PATH = "boot/vmlinuz", "boot/initrd.gz"
_STEADY = " no_timer_check"  # an emulated timer on a busy machine is so late that the kernel gives up on it
_DEFAULTS = "---"  # an installer's default arguments


def grub_cfg(command: str, *, serial: bool = False) -> str:
    """Returns a grub.cfg that shows one entry for a second and then runs ``command`` (lines of GRUB script)."""
    # Under UEFI GRUB's console is the firmware's, which is on the serial line already.
    terminal = (
        'if [ "$grub_platform" = pc ]; then\n  serial --unit=0 --speed=115200\n'
        "  terminal_output console serial\n  terminal_input console serial\nfi\n"
    )
    body = "".join(f"  {line}\n" for line in command.splitlines())
    # all_video: without it a kernel that UEFI started gets no screen ("Booting in blind mode")
    head = f"insmod all_video\nset timeout=1\nset default=0\n{terminal if serial else ''}"
    return f"{head}menuentry 'Sample system' {{\n{body}}}\n"


def linux_recipe(
    initrd: Content | None,
    arguments: str,
    *,
    kernel: Content | None = None,
    loader: Loader = Loader.GRUB,
    serial_menu: bool = False,
) -> Recipe:
    """Returns the recipe of an ISO whose GRUB starts a stock kernel with ``arguments``."""
    steady = "" if _DEFAULTS in arguments else _STEADY
    command = f"linux /{KERNEL_PATH} {arguments}{steady}"
    files: dict[str, Content] = {KERNEL_PATH: kernel or FromAsset(KERNEL)}
    if initrd is not None:
        command += f"\ninitrd /{INITRD_PATH}"
        files[INITRD_PATH] = initrd
    return Recipe(loader, {**files, "boot/grub/grub.cfg": grub_cfg(command, serial=serial_menu)})
