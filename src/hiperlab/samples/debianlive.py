"""A Debian live system built from its packages: systemd, live-boot and live-config, as on Debian's own live ISOs.

Nothing is installed and root is not needed: packages are unpacked over one another, and the distribution's own
``mkinitramfs`` with live-boot's hooks runs in them, in a user namespace.

::

    live/vmlinuz                the stock kernel
    live/initrd.img             made by mkinitramfs in the unpacked system
    live/filesystem.squashfs    the unpacked system
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from hiperiso.contract.words import BootResult, BootStage, FailureDomain, FirmwareKind
from hiperlab.debian.packages import Sources
from hiperlab.initramfs.kernel import DEFAULT_MODULES, Kernel, copy_modules, find_kernel
from hiperlab.run import run_text
from hiperlab.samples.guests import SYSTEMD
from hiperlab.samples.iso import stage_system
from hiperlab.samples.model import Built, Loader, Outcome, Recipe, Sample, SystemRoot
from hiperlab.samples.recipes import grub_cfg, linux_recipe

_BUILD_TIMEOUT_S = 600
_USER = "user:x:1000:1000:Debian Live user:/home/user:/bin/bash\n"
_MODULES = (
    *DEFAULT_MODULES,
    "bochs",
    "simpledrm",
    "virtio_gpu",
    "cirrus",
    "qxl",
    "evdev",
    "psmouse",
    "pcspkr",
)

_ESSENTIAL = (
    # essential packages, on which no package depends
    *(
        "base-files",
        "base-passwd",
        "bsdutils",
        "dash",
        "debianutils",
        "diffutils",
        "dpkg",
        "findutils",
        "grep",
    ),
    *(
        "gzip",
        "hostname",
        "init-system-helpers",
        "libc-bin",
        "ncurses-base",
        "ncurses-bin",
        "perl-base",
        "sed",
    ),
    *("sysvinit-utils", "tar", "passwd"),
)
_LIVE = (
    *("live-boot", "live-boot-initramfs-tools", "live-config", "live-config-systemd", "user-setup", "sudo"),
    *("initramfs-tools", "busybox-static", "klibc-utils", "zstd", "procps", "iproute2"),
)
_DRACUT = ("dracut", "dracut-core", "cpio", "zstd", "procps")
DEBIAN_LIVE = SystemRoot(
    packages=(*SYSTEMD.packages, *_ESSENTIAL, *_LIVE),
    files={
        **SYSTEMD.files,
        "etc/passwd": SYSTEMD.files["etc/passwd"] + _USER,
        "etc/group": SYSTEMD.files["etc/group"] + "user:x:1000:\nsudo:x:27:user\n",
        "etc/shadow": SYSTEMD.files["etc/shadow"] + "user::19000:0:99999:7:::\n",
        "etc/hostname": "debian\n",
        "etc/machine-id": "",
        "etc/adduser.conf": "# the defaults\n",
        "etc/live/config.conf.d/.keep": "",
        "etc/network/interfaces": "",
        "home/user/.profile": "",
    },
    links={
        "bin/sh": "dash",
        "etc/systemd/system/default.target": "/lib/systemd/system/multi-user.target",
        "etc/systemd/system/getty.target.wants/getty@tty1.service": "/lib/systemd/system/getty@.service",
        "etc/systemd/system/basic.target.wants/live-config.service": "/lib/systemd/system/live-config.service",
    },
)
MKINITRAMFS = "mkinitramfs -o {target} {release}"
DRACUT = "dracut --no-hostonly --kver {release} {target}"


class Part(StrEnum):
    """The files built from the system."""

    KERNEL = "vmlinuz"
    INITRD = "initrd.img"
    ROOT = "filesystem.squashfs"


@dataclass(frozen=True)
class LivePart(Built):
    """One file of the live system; all parts of an ISO come from one build in its scratch directory."""

    part: Part
    system: SystemRoot = field(default=DEBIAN_LIVE)
    command: str = MKINITRAMFS

    def data(self, sources: Sources, scratch: Path) -> bytes:
        """Returns the content of the file."""
        root, made = scratch / "live-root", scratch / "live"
        if not made.is_dir():
            _build(self.system, sources, root, made, self.command)
        if self.part is Part.ROOT:
            _pack(root, made / self.part)
        return (made / self.part).read_bytes()

    def identity(self, sources: Sources) -> str:
        """Returns the release of the kernel; the names of the packages are part of the recipe."""
        return find_kernel(sources).release


def live_recipe(arguments: str, *, serial_menu: bool = False, system: SystemRoot = DEBIAN_LIVE) -> Recipe:
    """Returns the recipe of a live ISO whose GRUB boots the live system with ``arguments``."""
    command = f"linux /live/vmlinuz boot=live {arguments}\ninitrd /live/initrd.img"
    return Recipe(
        Loader.GRUB,
        {
            **{f"live/{part}": LivePart(part, system) for part in Part},
            "boot/grub/grub.cfg": grub_cfg(command, serial=serial_menu),
            ".disk/info": "Sample live system\n",
        },
        "DEBIAN_LIVE",
    )


def debian_live_samples() -> tuple[Sample, ...]:
    """Returns the live system, verbose and with the default arguments of live ISOs, and dracut's initramfs."""
    loud = Sample(
        "debian-live",
        "a Debian live system from its packages (live-boot, systemd, live-config), logins on serial and on the screen",
        live_recipe("components console=tty0 console=ttyS0,115200", serial_menu=True),
        {firmware: Outcome(BootStage.LOGIN, BootResult.SUCCESS) for firmware in FirmwareKind},
        90,
    )
    silent = replace(
        loud,
        name="debian-live-silent",
        description="the Debian live system with the default arguments of live ISOs: only on the screen",
        recipe=live_recipe("components quiet splash"),
        serial_silent=True,
    )
    return (loud, silent, _dracut_sample())


def _dracut_sample() -> Sample:
    """Returns an ISO with dracut's real initramfs, whose root device does not appear."""
    system = replace(DEBIAN_LIVE, packages=(*DEBIAN_LIVE.packages[: -len(_LIVE)], *_DRACUT))
    initrd, kernel = (LivePart(part, system, DRACUT) for part in (Part.INITRD, Part.KERNEL))
    arguments = "root=LABEL=SAMPLE rd.retry=4 rd.timeout=10 console=tty0 console=ttyS0,115200"
    return Sample(
        "emergency-dracut",
        "the real scripts of dracut, whose root device does not appear",
        linux_recipe(initrd, arguments, kernel=kernel),
        {
            firmware: Outcome(BootStage.INITRAMFS, BootResult.FAILURE, FailureDomain.USERSPACE)
            for firmware in FirmwareKind
        },
        90,
    )


def _build(system: SystemRoot, sources: Sources, root: Path, made: Path, command: str) -> None:
    kernel = find_kernel(sources)
    stage_system(system, sources, root)
    _note_packages(system, sources, root)
    _add_kernel(kernel, root)
    work = root / "tmp" / "out"
    work.mkdir(parents=True)
    make = command.format(target=f"/tmp/out/{Part.INITRD}", release=kernel.release)  # noqa: S108 -- the system's own
    _in_system(root, f"depmod {kernel.release} && ldconfig && {make}")
    made.mkdir()
    shutil.copyfile(work / Part.INITRD, made / Part.INITRD)
    shutil.copyfile(kernel.image, made / Part.KERNEL)
    shutil.rmtree(work)


def _pack(root: Path, target: Path) -> None:
    options = [
        "-noappend",
        "-all-root",
        "-no-progress",
        "-quiet",
        "-comp",
        "zstd",
        "-Xcompression-level",
        "6",
    ]
    run_text(["mksquashfs", str(root), str(target), *options], package="squashfs-tools")


def _note_packages(system: SystemRoot, sources: Sources, root: Path) -> None:
    """Writes dpkg's lists of installed files: live-config tests for them before it configures a package."""
    info = root / "var/lib/dpkg/info"
    info.mkdir(parents=True, exist_ok=True)
    for package in system.packages:
        names = sorted(
            f"/{path.relative_to(sources.cache / package)}\n" for path in (sources.cache / package).rglob("*")
        )
        (info / f"{package}.list").write_text("".join(names))


def _add_kernel(kernel: Kernel, root: Path) -> None:
    copy_modules(kernel, _MODULES, root / "usr/lib/modules" / kernel.release)
    (root / "boot").mkdir(exist_ok=True)
    config = kernel.image.parent / f"config-{kernel.release}"
    if config.is_file():
        shutil.copyfile(config, root / "boot" / config.name)


def _in_system(root: Path, command: str) -> None:
    """Runs a command of the system in ``root`` as its root, in separate namespaces."""
    for name in ("dev", "proc", "sys", "run", "tmp", "var/tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    prepare = (
        'mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && exec chroot "$1" /bin/sh -c "$2"'
    )
    environment = "export PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/var/tmp"
    argv = ["unshare", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child"]
    argv += ["sh", "-c", prepare, "sh", str(root), f"{environment} && {command}"]
    run_text(argv, package="util-linux", timeout_s=_BUILD_TIMEOUT_S)
