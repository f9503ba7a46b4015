"""Recipe -> files -> ISO: stages the tree in a scratch directory and runs grub-mkrescue or xorriso."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from hiperiso.errors import HarnessFault
from hiperiso.images import cpio
from hiperiso.packages import install_hint
from hiperlab.debian.packages import BUSYBOX, Asset, Sources, dependencies, digest
from hiperlab.elf import is_static_elf
from hiperlab.run import run_text
from hiperlab.samples.model import Built, Content, FromAsset, Initramfs, Loader, Recipe, SystemRoot

_FORMAT = 3
"""Incremented when the build of ISOs changes, so that older ISOs are rebuilt."""

_GRUB_MODULES = {
    Loader.GRUB_BIOS: ("grub-pc-bin", "i386-pc"),
    Loader.GRUB_UEFI: ("grub-efi-amd64-bin", "x86_64-efi"),
}
_ISOLINUX = (*("-b", "isolinux/isolinux.bin", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"),)
_APPLET_FOLDERS = {"init": "sbin", "getty": "sbin", "poweroff": "sbin", "reboot": "sbin", "halt": "sbin"}
_NODES = (
    ("console", 5, 1),
    ("null", 1, 3),
    ("zero", 1, 5),
    ("tty", 5, 0),
    ("urandom", 1, 9),
    ("random", 1, 8),
)


def recipe_key(recipe: Recipe, sources: Sources) -> str:
    """Returns a hash over the recipe and the bytes of every package file it uses.

    Raises:
        HarnessFault: a package file is not available.
    """
    assets = sorted(set(_assets(recipe)), key=lambda asset: asset.paths)
    built = [content for content in recipe.files.values() if isinstance(content, Built)]
    parts = [str(_FORMAT), repr(recipe), *(digest(sources.find(asset)) for asset in assets)]
    parts += [content.identity(sources) for content in built]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def write_iso(recipe: Recipe, sources: Sources, scratch: Path, iso: Path) -> None:
    """Builds ``recipe`` as the file ``iso``, with ``scratch`` (empty) for intermediate files.

    Raises:
        HarnessFault: a tool or a package is missing or fails.
    """
    staged = scratch / "tree"
    staged.mkdir()
    for name, content in recipe.files.items():
        target = staged / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_content(content, sources, scratch))
    match recipe.loader:
        case Loader.AS_PACKAGED:
            (only,) = recipe.files
            (staged / only).rename(iso)
        case Loader.GRUB | Loader.GRUB_BIOS | Loader.GRUB_UEFI:
            _grub_mkrescue(recipe.loader, staged, iso, recipe.label)
        case Loader.ISOLINUX:
            _mkisofs(staged, iso, recipe.label, "-c", "isolinux/boot.cat", *_ISOLINUX)
        case Loader.STAND_IN:
            first = ("-b", "standin.bin", "-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4")
            _mkisofs(staged, iso, recipe.label, *first, "-eltorito-alt-boot", *_ISOLINUX)
        case Loader.EFI:
            _efi_image(staged, scratch / "efi")
            _mkisofs(scratch / "efi", iso, recipe.label, "-e", "efi.img", "-no-emul-boot")
        case Loader.BOOT_SECTOR:
            boot = ("-b", "boot.bin", "-c", "boot.cat")
            _mkisofs(staged, iso, recipe.label, *boot, "-no-emul-boot", "-boot-load-size", "4")
        case Loader.NONE:
            _mkisofs(staged, iso, recipe.label)


def _grub_mkrescue(loader: Loader, staged: Path, iso: Path, label: str) -> None:
    if shutil.which("xorriso") is None or shutil.which("mformat") is None:
        raise HarnessFault("grub-mkrescue needs xorriso and mformat", hint=install_hint("xorriso", "mtools"))
    library = Path("/usr/lib/grub")
    for package, platform in _GRUB_MODULES.values():
        if not (library / platform).is_dir():
            raise HarnessFault(f"{library / platform} is missing", hint=install_hint(package))
    # Given one directory of modules, grub-mkrescue makes the ISO bootable only for that platform.
    only = [f"--directory={library / _GRUB_MODULES[loader][1]}"] if loader in _GRUB_MODULES else []
    argv = ["grub-mkrescue", *only, "--fonts=", "--locales=", "--themes=", f"--output={iso}", str(staged)]
    run_text([*argv, "--", "-volid", label], package="grub-common")


def _efi_image(staged: Path, folder: Path) -> None:
    """Writes ``efi.img`` into the new ``folder``: a FAT file system with all that is staged, with some room."""
    folder.mkdir()
    image = folder / "efi.img"
    used = sum(path.stat().st_size for path in staged.rglob("*") if path.is_file())
    sectors = (used * 11 // 10 + (2 << 20)) // 512
    run_text(["mformat", "-i", str(image), "-C", "-T", str(sectors), "-v", "EFI", "::"], package="mtools")
    for path in sorted(staged.iterdir()):
        run_text(["mcopy", "-s", "-i", str(image), str(path), "::"], package="mtools")


def _mkisofs(staged: Path, iso: Path, label: str, *boot: str) -> None:
    argv = [
        "xorriso",
        "-as",
        "mkisofs",
        "-quiet",
        "-R",
        "-J",
        "-V",
        label,
        *boot,
        "-o",
        str(iso),
        str(staged),
    ]
    run_text(argv, package="xorriso")


def _content(content: Content, sources: Sources, scratch: Path) -> bytes:
    match content:
        case str():
            return content.encode()
        case bytes():
            return content
        case FromAsset(asset, fraction):
            return _first_part(sources.find(asset).read_bytes(), fraction)
        case Initramfs():
            return _first_part(cpio.compressed(initramfs_entries(content, sources)), content.fraction)
        case Built():
            return content.data(sources, scratch)
        case SystemRoot():
            return _system_root(content, sources, scratch / "system")


def _first_part(data: bytes, fraction: float) -> bytes:
    return data[: int(len(data) * fraction)]


def initramfs_entries(initramfs: Initramfs, sources: Sources) -> Iterator[cpio.Entry]:
    """Yields the entries of a busybox initramfs: nodes, busybox and its applets, package files, then its own files.

    Raises:
        HarnessFault: no static busybox is available.
    """
    busybox = sources.find(BUSYBOX)
    if not is_static_elf(busybox):
        raise HarnessFault(f"{busybox} is not a static program", hint=install_hint("busybox-static"))
    for name in ("dev", "proc", "sys", "run", "tmp", "root", "mnt"):
        yield cpio.directory(name)
    for name, major, minor in _NODES:
        yield cpio.char_device(f"dev/{name}", major, minor)
    yield cpio.regular("bin/busybox", busybox.read_bytes(), 0o755)
    for applet in _applets(busybox):
        if applet != "busybox":
            yield cpio.symlink(f"{_APPLET_FOLDERS.get(applet, 'bin')}/{applet}", "/bin/busybox")
    for name, asset in initramfs.trees.items():
        yield from _package_tree(name, sources.find(asset))
    yield from _own_files(initramfs.files, initramfs.links)


def _applets(busybox: Path) -> list[str]:
    return sorted(set(run_text([str(busybox), "--list"], package="busybox-static").split()))


def _package_tree(name: str, path: Path) -> Iterator[cpio.Entry]:
    if path.is_file():
        yield cpio.regular(name, path.read_bytes(), 0o755)
        return
    for entry in cpio.tree(path):
        yield cpio.Entry(f"{name}/{entry.name}", entry.mode, entry.data, entry.device)


def _own_files(files: Mapping[str, str], links: Mapping[str, str]) -> Iterator[cpio.Entry]:
    for name, text in files.items():
        yield cpio.regular(name, text.encode(), 0o755 if text.startswith("#!") else 0o644)
    for name, target in links.items():
        yield cpio.symlink(name, target)


_UNNEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/zoneinfo")


def _system_root(system: SystemRoot, sources: Sources, root: Path) -> bytes:
    stage_system(system, sources, root)
    return gzip.compress(cpio.archive(cpio.tree(root)), compresslevel=3, mtime=0)


def stage_system(system: SystemRoot, sources: Sources, root: Path) -> None:
    """Unpacks the packages over one another into the new directory ``root``; no maintainer script runs.

    Raises:
        HarnessFault: a package is not available.
    """
    root.mkdir()
    # usr-merge first, so that packages that still ship /lib or /bin unpack into /usr
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in dependencies(system.packages):
        _merge(sources.unpack(package), root)
    for name in _UNNEEDED:
        shutil.rmtree(root / name, ignore_errors=True)
    for name, text in system.files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).unlink(missing_ok=True)
        (root / name).write_text(text, encoding="utf-8")
        (root / name).chmod(0o755 if text.startswith("#!") else 0o644)
    for name, target in system.links.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target)


def _merge(package: Path, root: Path) -> None:
    for folder, _, names in os.walk(package):
        below = Path(folder).relative_to(package)
        if not (root / below).exists():
            (root / below).mkdir(parents=True)
        for item in Path(folder).iterdir():
            target = root / below / item.name
            if item.is_symlink():
                if not target.is_symlink() and not target.is_dir():
                    target.unlink(missing_ok=True)
                    target.symlink_to(item.readlink())
            elif item.name in names and item.is_file():
                target.unlink(missing_ok=True)
                shutil.copy2(item, target)


def _assets(recipe: Recipe) -> Iterator[Asset]:
    for content in recipe.files.values():
        match content:
            case FromAsset(asset):
                yield asset
            case Initramfs():
                yield BUSYBOX
                yield from content.trees.values()
            case _:
                pass
