"""The kernel and the initrds of an entry of the medium's boot menu, copied out of it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from hiperiso.contract.hardware import ImageKind
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import BootMode
from hiperiso.errors import HarnessFault, UsageError
from hiperiso.images.cpio import ALIGNMENT
from hiperiso.iso.tree import Tree
from hiperiso.machine.facts import ExtractedEntry
from hiperiso.machine.parts.loader import INITRD_FILE, KERNEL_FILE

if TYPE_CHECKING:
    from hiperiso.images.answers import Answers

_PIECE_BYTES: Final = 4 << 20
_MAX_BYTES: Final = 2 << 30


def needs_entry(settings: Settings, kind: ImageKind, answers: Answers | None = None) -> bool:
    """Whether the settings request starting an entry of the boot menu without the menu.

    Raises:
        UsageError: they change the kernel command line of a medium whose menu cannot be read.
    """
    seeded = answers is not None and answers.in_initramfs
    wanted = settings.append is not None or settings.remove is not None or seeded
    if settings.kernel is not None or not (wanted or settings.boot_mode is BootMode.GRUB2):
        return False
    if kind is ImageKind.KERNEL:
        return False
    if kind is not ImageKind.ISO and not wanted:
        return False
    if kind is not ImageKind.ISO:
        what = "a preseed is" if seeded else "--append and --remove are"
        raise UsageError(
            f"{what} for the boot menu of an ISO, or for a kernel",
            hint="give the kernel by --kernel and --initrd",
        )
    return True


def needs_medium(tree: Tree) -> bool:
    """Whether the system on a medium looks for it once its kernel runs: its root, packages or images are there."""
    return any(path.lower().endswith(_ROOTS) or path.lower().startswith(_POOLS) for path in tree)


_ROOTS: Final = (
    ".squashfs",
    ".sfs",
    ".erofs",
    ".wim",
    ".esd",
    "/rootfs.img",
    "/squashfs.img",
    "/install.img",
)
_POOLS: Final = ("/pool/", "/packages/", "/appstream/", "/baseos/", "/pclinuxos/")


def extract_entry(
    tree: Tree, settings: Settings, directory: Path, stack: ExitStack, *, efi: bool
) -> ExtractedEntry:
    """Copy what the chosen entry starts into `directory`; `stack` removes it.

    Args:
        tree: the medium.
        settings: the entry, and the changes of its arguments.
        directory: of the session.
        stack: ends with the boot.
        efi: whether the firmware is UEFI.

    Raises:
        UsageError: there is no such entry.
        HarnessFault: its files cannot be read in full.
        OSError: the directory cannot be written.
    """
    from hiperiso.iso.menus.choose import choose_entry, edit_arguments  # few boots need the menus

    entry = choose_entry(tree, settings.menu, efi=efi)
    arguments = edit_arguments(entry.arguments, append=settings.append or "", remove=settings.remove or "")
    kernel, initrd = directory / KERNEL_FILE, directory / INITRD_FILE
    for file in (kernel, initrd):
        stack.callback(file.unlink, missing_ok=True)
    with kernel.open("wb") as out:
        _copy(tree, entry.kernel, out)
    if entry.initrds:
        with initrd.open("wb") as out:
            for path in entry.initrds:
                out.write(bytes(-out.tell() % ALIGNMENT))
                _copy(tree, path, out)
    return ExtractedEntry(
        title=entry.title,
        source=entry.source,
        arguments=arguments,
        kernel=kernel,
        initrd=initrd if entry.initrds else None,
    )


def _copy(tree: Tree, path: str, out: IO[bytes]) -> None:
    size = tree.size_bytes(tree.find(path))
    done = 0
    while done < min(size, _MAX_BYTES):
        piece = tree.read(path, _PIECE_BYTES, offset_bytes=done)
        if not piece:
            break
        out.write(piece)
        done += len(piece)
    if done != size:
        raise HarnessFault(f"{path} of the medium cannot be read in full: {done} of {size} bytes")
