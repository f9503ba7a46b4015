"""The sources of the sample content: installed packages, else packages downloaded and unpacked without root.

``apt-get download`` and ``dpkg-deb -x`` need neither root nor an installation, so the same recipes work on Debian, on
Ubuntu, and for packages that should not be installed (kernels).
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hiperiso.contract.store import file_lock
from hiperiso.errors import HarnessFault
from hiperiso.packages import install_hint
from hiperlab.elf import is_static_elf
from hiperlab.run import has_tool, run_text

_DOWNLOAD_TIMEOUT_S = 600
_KERNEL_METAPACKAGES = ("linux-image-cloud-amd64", "linux-image-virtual", "linux-image-generic")
_INSTALLER = "usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64"
_GRAPHICAL_INSTALLER = _INSTALLER.replace("/text/", "/gtk/")


@dataclass(frozen=True)
class Asset:
    """A file or directory of a package: the first of ``paths`` (relative to the root) that exists."""

    package: str
    paths: tuple[str, ...]


BUSYBOX = Asset("busybox-static", ("bin/busybox", "usr/bin/busybox"))
MEMTEST_ISO = Asset(
    "memtest86+", ("usr/lib/memtest86+/memtest86+x64.iso", "usr/lib/memtest86+/memtest86+.iso")
)
IPXE_ISO = Asset("ipxe", ("usr/lib/ipxe/ipxe.iso",))
ISOLINUX_BIN = Asset("isolinux", ("usr/lib/ISOLINUX/isolinux.bin",))
LDLINUX_C32 = Asset("syslinux-common", ("usr/lib/syslinux/modules/bios/ldlinux.c32",))
INSTALLER_LINUX = Asset("debian-installer-12-netboot-amd64", (f"{_INSTALLER}/linux",))
INSTALLER_INITRD = Asset("debian-installer-12-netboot-amd64", (f"{_INSTALLER}/initrd.gz",))
GRAPHICAL_INSTALLER_INITRD = Asset(INSTALLER_INITRD.package, (f"{_GRAPHICAL_INSTALLER}/initrd.gz",))
INITRAMFS_TOOLS_INIT = Asset("initramfs-tools-core", ("usr/share/initramfs-tools/init",))
INITRAMFS_TOOLS_SCRIPTS = Asset("initramfs-tools-core", ("usr/share/initramfs-tools/scripts",))
KERNEL = Asset("linux-image", ("the installer's kernel, or the one of a kernel package",))
"""Any stock kernel: resolved by a separate rule, see :meth:`Sources.find`."""


@dataclass(frozen=True)
class Sources:
    """Finds assets.

    Attributes:
        cache: directory of downloaded and unpacked packages.
        root: the root of the installed system.
    """

    cache: Path
    root: Path = Path("/")

    def find(self, asset: Asset) -> Path:
        """Returns the path of ``asset``, downloading its package when it is not installed.

        Raises:
            HarnessFault: neither installed nor available; the hint names the package.
        """
        if asset == KERNEL:
            return self._find_kernel()
        installed = _first(self.root, asset)
        # an installed directory may contain only files of other packages
        if installed is not None and installed.is_file() and (asset != BUSYBOX or is_static_elf(installed)):
            return installed
        unpacked = _first(self.unpack(asset.package), asset)
        if unpacked is None:
            raise HarnessFault(
                f"package {asset.package} of this distribution does not contain {asset.paths[0]}",
                hint="this sample needs Debian 12 or a distribution with the same layout",
            )
        return unpacked

    def unpack(self, package: str) -> Path:
        """Returns the directory with the unpacked files of ``package``; downloads it on first use.

        Raises:
            HarnessFault: apt-get is missing, does not know the package, or cannot reach its server.
        """
        self.cache.mkdir(parents=True, exist_ok=True)
        folder = self.cache / package
        with file_lock(self.cache / f".{package}.lock"):
            if folder.is_dir():
                return folder
            with tempfile.TemporaryDirectory(prefix=".unpack-", dir=self.cache) as scratch:
                deb = _download(package, Path(scratch))
                root = Path(scratch) / "root"
                run_text(["dpkg-deb", "-x", str(deb), str(root)], package="dpkg")
                root.chmod(0o755)
                root.rename(folder)
        return folder

    def _find_kernel(self) -> Path:
        installed = _first(self.root, INSTALLER_LINUX)
        if installed is not None:
            return installed
        kernels = sorted(self.cache.glob("linux-image-*/boot/vmlinuz-*"))
        if kernels:
            return kernels[-1]
        kernels = sorted(
            (self.unpack(newest_kernel_package(_KERNEL_METAPACKAGES)) / "boot").glob("vmlinuz-*")
        )
        if not kernels:
            raise HarnessFault(
                "the kernel package has no /boot/vmlinuz-*", hint=install_hint(INSTALLER_LINUX.package)
            )
        return kernels[-1]


def dependencies(packages: tuple[str, ...]) -> tuple[str, ...]:
    """Returns ``packages`` and everything they depend on, as for an empty system, sorted.

    Raises:
        HarnessFault: apt-get is missing or cannot satisfy them.
    """
    options = (
        "-o",
        "Dir::State::status=/dev/null",
        "-o",
        "Debug::NoLocking=1",
        "-o",
        "APT::Install-Recommends=0",
    )
    text = run_text(["apt-get", *options, "--simulate", "install", *packages], package="apt")
    return tuple(sorted(set(re.findall(r"^Inst (\S+)", text, re.MULTILINE))))


def digest(path: Path) -> str:
    """Returns the SHA-256 of a file, or of the names, links and contents under a folder."""
    total = hashlib.sha256()
    for item in [path] if not path.is_dir() else sorted(path.rglob("*")):
        total.update(f"{item.relative_to(path).as_posix()}\0".encode())
        if item.is_symlink():
            total.update(os.fsencode(item.readlink()))
        elif item.is_file():
            with item.open("rb") as handle:
                total.update(hashlib.file_digest(handle, "sha256").digest())
    return total.hexdigest()


def _first(root: Path, asset: Asset) -> Path | None:
    return next((root / path for path in asset.paths if (root / path).exists()), None)


def _download(package: str, folder: Path) -> Path:
    try:
        run_text(["apt-get", "download", package], package="apt", cwd=folder, timeout_s=_DOWNLOAD_TIMEOUT_S)
    except HarnessFault as fault:
        raise HarnessFault(
            f"package {package} is neither installed nor available for download: {fault.message}",
            hint=f"apt-get update && {install_hint(package)}",
        ) from fault
    debs = sorted(folder.glob("*.deb"))
    if len(debs) != 1:
        raise HarnessFault(f"apt-get download {package} left {len(debs)} files", hint=install_hint(package))
    return debs[0]


def newest_kernel_package(metapackages: tuple[str, ...]) -> str:
    """The package with the kernel that the first of these that is known depends on.

    Raises:
        HarnessFault: none of them is known, or this is not a system with apt.
    """
    if not has_tool("apt-cache"):
        raise HarnessFault(
            "apt-cache is not installed: it finds the distribution's kernel on Debian and its derivatives",
            hint="`hiperiso payload build --kernel FILE --modules DIR` takes another kernel",
        )
    for name in metapackages:
        try:
            text = run_text(["apt-cache", "depends", name], package="apt")
        except HarnessFault:
            continue
        match = re.search(r"Depends: (linux-image-\d\S+)", text)
        if match:
            return match[1]
    raise HarnessFault(
        f"no kernel package found (looked for {', '.join(metapackages)})",
        hint=f"apt-get update, or {install_hint(INSTALLER_LINUX.package)}",
    )
