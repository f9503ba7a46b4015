"""Installs bootchain into a generator of initramfs images, or into the tree of one; takes it out again.

What was written stands in a list, ``INSTALLED`` in the copy of the package. Installing again replaces it; nothing that
is not in that list is ever overwritten or removed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from bootchain.daemon.places import PACKAGE
from bootchain.initramfs import LIB

HOOKS = Path(PACKAGE) / "install" / "hooks"
MANIFEST = "INSTALLED"
_IGNORED = (".pyc", ".typed")

KINDS: dict[str, tuple[str, dict[str, tuple[str, int]]]] = {
    "initramfs-tools": (
        "bootchain",
        {
            "hooks/bootchain": ("initramfs-tools-hook.sh", 0o755),
            "scripts/init-top/bootchain": ("initramfs-tools-top.sh", 0o755),
            "scripts/bootchain": ("initramfs-tools-boot.sh", 0o644),
        },
    ),
    "dracut": (
        "90bootchain",
        {
            "90bootchain/module-setup.sh": ("dracut-module-setup.sh", 0o755),
            "90bootchain/bootchain-cmdline.sh": ("dracut-cmdline.sh", 0o755),
            "90bootchain/bootchain-mount.sh": ("dracut-mount.sh", 0o755),
            "90bootchain/bootchain-generator.sh": ("dracut-generator.sh", 0o755),
        },
    ),
    "mkinitcpio": (
        "bootchain",
        {
            "install/bootchain": ("mkinitcpio-install.sh", 0o644),
            "hooks/bootchain": ("mkinitcpio-hook.sh", 0o644),
        },
    ),
}
"""Each generator: where the copy of the package goes, and the files from ``hooks`` beside it, below its directory."""

TREE = "tree"
NEXT = {
    "initramfs-tools": "update-initramfs -u, and boot with root=bootchain bootchain=...",
    "dracut": "dracut --force --add bootchain, and boot with root=bootchain bootchain=...",
    "mkinitcpio": "add bootchain to HOOKS in mkinitcpio.conf, mkinitcpio -P, boot with root=bootchain bootchain=...",
    "tree": "let its init run /sbin/bootchained, and pack it",
}


class InstallError(Exception):
    """It cannot be installed there. The message says why and what to do."""


def install(kind: str, directory: Path) -> list[Path]:
    """Install into a directory of a generator, or (``tree``) of an initramfs.

    Returns:
        What was written.

    Raises:
        InstallError: it is not a directory, or a file in the way is not ours.
        OSError: something cannot be written.
    """
    if not directory.is_dir():
        raise InstallError(f"{directory} is not a directory: name the one of {kind}, or make it first")
    wanted = _tree_files() if kind == TREE else _hook_files(kind)
    home = _home(kind, directory)
    ours = set(_installed(home))
    for target in wanted:
        path = directory / target
        if (path.exists() or path.is_symlink()) and target not in ours:
            if kind == TREE:
                continue
            raise InstallError(f"{path} is there already and not of bootchain: move it away first")
    written = []
    for target, (source, mode) in sorted(wanted.items()):
        path = directory / target
        if kind == TREE and target not in ours and (path.exists() or path.is_symlink()):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if mode < 0:
            path.symlink_to(source)
        else:
            shutil.copyfile(source, path)
            path.chmod(mode)
        written.append(target)
    _remove(directory, ours.difference(written))
    home.mkdir(parents=True, exist_ok=True)
    (home / MANIFEST).write_text("".join(f"{target}\n" for target in written))
    return [directory / target for target in written]


def uninstall(kind: str, directory: Path) -> list[Path]:
    """Remove what :func:`install` wrote, and the directories that are empty then.

    Raises:
        InstallError: nothing is installed there.
    """
    home = _home(kind, directory)
    ours = _installed(home)
    if not ours:
        raise InstallError(f"bootchain is not installed in {directory}: there is no {home / MANIFEST}")
    (home / MANIFEST).unlink()
    _remove(directory, {*ours, str(home.relative_to(directory) / MANIFEST)})
    return [directory / target for target in ours]


def _home(kind: str, directory: Path) -> Path:
    return directory / (LIB.lstrip("/") if kind == TREE else KINDS[kind][0])


def _installed(home: Path) -> list[str]:
    try:
        return (home / MANIFEST).read_text().splitlines()
    except FileNotFoundError:
        return []


def _remove(directory: Path, targets: set[str]) -> None:
    for target in targets:
        (directory / target).unlink(missing_ok=True)
    for folder in sorted({str(Path(target).parent) for target in targets}, key=len, reverse=True):
        here = directory / folder
        if any(target.endswith(".py") and str(Path(target).parent) == folder for target in targets):
            shutil.rmtree(here / "__pycache__", ignore_errors=True)  # Python's own copies of them
        while here != directory and here.is_dir() and not any(here.iterdir()):
            here.rmdir()
            here = here.parent


def _hook_files(kind: str) -> dict[str, tuple[str, int]]:
    """The copy of the package and the hooks: target -> (source, mode)."""
    home, hooks = KINDS[kind]
    found = {target: (str(HOOKS / source), mode) for target, (source, mode) in hooks.items()}
    for folder, _, names in os.walk(PACKAGE):
        for name in names:
            if not folder.endswith("__pycache__") and not name.endswith(_IGNORED):
                source = f"{folder}/{name}"
                found[f"{home}/bootchain/{source.removeprefix(f'{PACKAGE}/')}"] = (source, 0o644)
    return found


def _tree_files() -> dict[str, tuple[str, int]]:
    """What closure.py names, with shared libraries; a mode below 0 is a link."""
    from bootchain.install.closure import lines

    found: dict[str, tuple[str, int]] = {}
    for line in lines():
        kind, source, *rest = line.split("\t")
        if kind in ("file", "exec"):
            found[rest[0].lstrip("/")] = (source, int(rest[1], 8))
        elif kind == "link":
            found[rest[0].lstrip("/")] = (source, -1)
        if kind == "exec":
            found.update((path.lstrip("/"), (path, 0o755)) for path in _libraries(source))
    return found


def _libraries(program: str) -> list[str]:
    try:
        done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    except OSError as error:
        raise InstallError(f"ldd: {error.strerror}: it names the libraries that Python needs") from error
    words = (word for line in done.stdout.splitlines() for word in line.split())
    return [word for word in words if word.startswith("/") and os.path.isfile(word)]  # noqa: PTH113
