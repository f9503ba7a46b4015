"""A stock kernel with its modules, and the subset for an initramfs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hiperiso.errors import HarnessFault
from hiperiso.images import cpio
from hiperlab.debian.packages import BUSYBOX, Sources, newest_kernel_package
from hiperlab.run import run_text

DEFAULT_MODULES = (
    # buses and controllers
    *("ahci", "ata_piix", "ata_generic", "nvme", "virtio_pci", "virtio_blk", "virtio_scsi", "virtio_console"),
    *("xhci_pci", "ehci_pci", "uhci_hcd", "ohci_pci", "usb_storage", "uas", "sdhci_pci", "mmc_block"),
    *("mptspi", "megaraid_sas", "vmw_pvscsi", "hv_storvsc"),
    # disks and file systems
    *("sd_mod", "sr_mod", "loop", "dm_mod", "isofs", "udf", "squashfs", "overlay", "ext4", "vfat", "exfat"),
    *(
        "ntfs3",
        "btrfs",
        "xfs",
        "nls_utf8",
        "nls_cp437",
        "nls_iso8859_1",
        "nls_ascii",
        "crc32c_generic",
        "crc32c_intel",
    ),
    # network
    *(
        "af_packet",
        "virtio_net",
        "e1000",
        "e1000e",
        "igb",
        "r8169",
        "tg3",
        "8139cp",
        "vmxnet3",
        "hv_netvsc",
        "ixgbe",
    ),
    # keyboards
    *("usbhid", "hid_generic", "atkbd", "i8042"),
)
"""The modules that a PC may need between kernel start and stage 2."""

_METAPACKAGES = ("linux-image-amd64", "linux-image-generic", "linux-image-virtual")
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")
_SOFTDEP = re.compile(rb"\0softdep=pre: ([^\0]*)\0")


@dataclass(frozen=True)
class Kernel:
    """A kernel of a package.

    Attributes:
        release: as printed by ``uname -r``.
        image: the file that a boot loader starts.
        modules: the directory with ``kernel/`` and the ``modules.*`` files.
    """

    release: str
    image: Path
    modules: Path


def find_kernel(sources: Sources) -> Kernel:
    """Return the newest generic kernel of the distribution; downloads its package on first use.

    Raises:
        HarnessFault: none is available.
    """
    cached = [
        package
        for package in sorted(sources.cache.glob("linux-image-*"))
        if (package / "lib/modules").is_dir()
    ]
    package = cached[-1] if cached else sources.unpack(newest_kernel_package(_METAPACKAGES))
    images = sorted((package / "boot").glob("vmlinuz-*"))
    if not images:
        raise HarnessFault(f"{package.name} has no /boot/vmlinuz-*", hint="apt-get update")
    release = images[-1].name.removeprefix("vmlinuz-")
    folders = [package, *([] if cached else _modules_package(release, sources))]
    for folder in folders:
        for below in ("lib/modules", "usr/lib/modules"):
            if (folder / below / release / "kernel").is_dir():
                return Kernel(release, images[-1], folder / below / release)
    raise HarnessFault(f"no modules for the kernel {release}", hint="apt-get update")


def module_entries(
    kernel: Kernel, names: Iterable[str], sources: Sources, scratch: Path
) -> Iterator[cpio.Entry]:
    """Yield the modules called ``names``, all they depend on, and the indexes that modprobe reads.

    Built-in and unknown names are skipped.
    """
    base = scratch / "depmod"
    target = base / "lib" / "modules" / kernel.release
    copy_modules(kernel, names, target)
    run_text([str(sources.find(BUSYBOX)), "depmod", "-b", str(base), kernel.release], package=BUSYBOX.package)
    for entry in cpio.tree(base):
        yield cpio.Entry(
            entry.name, entry.mode & ~0o111 if entry.name.endswith(".ko") else entry.mode, entry.data
        )


def copy_modules(kernel: Kernel, names: Iterable[str], target: Path) -> None:
    """Copy the modules called ``names`` and all they depend on into the new directory ``target``, without indexes."""
    target.mkdir(parents=True)
    for path in _closure(kernel, names):
        copy = target / path.relative_to(kernel.modules)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    for index in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        if (kernel.modules / index).is_file():
            shutil.copyfile(kernel.modules / index, target / index)


def load_order(kernel: Kernel, names: Iterable[str]) -> list[Path]:
    """The modules called ``names`` and their dependencies, each after its dependencies; built-in ones are omitted.

    Raises:
        HarnessFault: the kernel has one of them neither as a module nor built in.
    """
    every = {_module_name(path.name): path for path in kernel.modules.rglob("*.ko*")}
    builtin = kernel.modules / "modules.builtin"
    lines = builtin.read_text().splitlines() if builtin.is_file() else []
    inside = {_module_name(Path(line).name) for line in lines}
    ordered: dict[str, Path] = {}

    def add(name: str) -> None:
        if name in every and name not in ordered:
            for other in _needs(every[name]):
                add(_module_name(other))
            ordered[name] = every[name]
        elif name not in every and name not in inside:
            raise HarnessFault(
                f"the kernel {kernel.release} does not have {name}", hint="choose another with --kernel"
            )

    for name in names:
        add(name)
    return list(ordered.values())


def _closure(kernel: Kernel, names: Iterable[str]) -> list[Path]:
    every = {_module_name(path.name): path for path in kernel.modules.rglob("*.ko*")}
    found: dict[str, Path] = {}
    todo = [_module_name(name) for name in names]
    while todo:
        name = todo.pop()
        if name in every and name not in found:
            found[name] = every[name]
            todo.extend(_module_name(other) for other in _needs(every[name]))
    return sorted(found.values())


def _needs(path: Path) -> list[str]:
    data = path.read_bytes()
    depends = _DEPENDS.search(data)
    words = depends[1].decode("ascii", "replace").split(",") if depends else []
    for match in _SOFTDEP.finditer(data):
        words += match[1].decode("ascii", "replace").split(" post:")[0].split()
    return [word for word in words if word]


def _module_name(text: str) -> str:
    return text.partition(".ko")[0].replace("-", "_")


def _modules_package(release: str, sources: Sources) -> list[Path]:
    """Ubuntu has the modules in a separate package."""
    try:
        return [sources.unpack(f"linux-modules-{release}")]
    except HarnessFault:
        return []
