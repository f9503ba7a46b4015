"""The location of the live system of a medium: the images that, stacked, are its root file system.

Sources: live-boot(7) (``/live``, ``*.module``), casper (``/casper``, ``layerfs-path=``: each part of a dotted name is a
layer), dracut.cmdline(7) (``/LiveOS/squashfs.img``, ``rd.live.dir``), archiso's README.bootparams (``archisobasedir``).
Any other is detected by the first bytes of its large files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hiperiso.iso.tree import Tree

MIN_IMAGE_BYTES: Final = 256 << 10
"""Smaller images contain drivers or fonts, not a system."""

_MAX_CANDIDATES: Final = 6
_MAX_LAYERS: Final = 16
_MAX_EXAMINED: Final = 200
_MAX_IMAGES: Final = 200
_SUFFIXES: Final = (".squashfs", ".sfs", ".sqfs", ".erofs", ".img", ".squash")
_NOT_A_SYSTEM: Final = ("modloop", "modules", "firmware", ".snap")
SQUASHFS_MAGIC: Final = b"hsqs"
_EROFS_MAGIC: Final = b"\xe2\xe1\xf5\xe0"
_EROFS_OFFSET: Final = 1024


@dataclass(frozen=True)
class LiveImage:
    """Images that form a root file system: the top layer first."""

    layers: tuple[str, ...]
    kind: str

    @property
    def name(self) -> str:
        """A readable name: the top layer, and the number of further ones."""
        more = len(self.layers) - 1
        return self.layers[0] + (f" over {more} more" if more else "")


def find_live_images(tree: Tree, arguments: tuple[str, ...] = ()) -> tuple[LiveImage, ...]:
    """Candidates for the live system of a medium, most likely first; verified when mounted.

    Args:
        tree: the medium.
        arguments: those of its menu entries, which name directories and layers.
    """
    found: dict[tuple[str, ...], LiveImage] = {}
    for image in _candidates(tree, " ".join(arguments).split(" ")):
        found.setdefault(image.layers, image)
        if len(found) == _MAX_CANDIDATES:
            break
    return tuple(found.values())


def _candidates(tree: Tree, words: list[str]) -> Iterator[LiveImage]:
    yield from _live_boot(tree, _values(words, "live-media-path") or ["/live"], _values(words, "module"))
    yield from _casper(tree, _values(words, "live-media-path") or ["/casper"], _values(words, "layerfs-path"))
    for folder in [*_values(words, "rd.live.dir"), *_values(words, "live_dir"), "LiveOS"]:
        for name in [*_values(words, "rd.live.squashimg"), "squashfs.img", "rootfs.img"]:
            yield from _single(tree, f"{folder}/{name}", "dracut")
    for folder in [*_values(words, "archisobasedir"), "arch"]:
        for name in ("x86_64/airootfs.sfs", "x86_64/airootfs.erofs"):
            yield from _single(tree, f"{folder}/{name}", "archiso")
    yield from _by_content(tree)


def _live_boot(tree: Tree, folders: list[str], modules: list[str]) -> Iterator[LiveImage]:
    for folder in folders:
        images = _images(tree, folder)
        for module in [*modules, "filesystem"]:
            listed = tree.read(f"{folder}/{module}.module", 4096).decode("utf-8", "replace").split()
            paths = [tree.find(f"{folder}/{name}") for name in listed]
            if paths and all(paths):
                yield LiveImage(tuple(reversed(paths[:_MAX_LAYERS])), "live-boot")
        if images and folder.strip("/") != "casper":
            yield LiveImage(tuple(reversed(images[:_MAX_LAYERS])), "live-boot")
        yield from _single(tree, f"{folder}/filesystem.squashfs", "live-boot")


def _casper(tree: Tree, folders: list[str], named: list[str]) -> Iterator[LiveImage]:
    for folder in folders:
        images = _images(tree, folder)
        for name in named:
            if layers := _dotted(f"{folder}/{name}", images):
                yield LiveImage(layers, "casper")
        yield from _single(tree, f"{folder}/filesystem.squashfs", "casper")
        chains = [_dotted(path, images) for path in images]
        yield from (
            LiveImage(layers, "casper")
            for layers in sorted(chains, key=_livelier, reverse=True)[:2]
            if layers
        )


def _images(tree: Tree, folder: str) -> list[str]:
    return [path for path in tree.below(folder) if path.lower().endswith(".squashfs")][:_MAX_IMAGES]


def _dotted(path: str, images: list[str]) -> tuple[str, ...]:
    """The layers of ``a.b.c.squashfs``: itself, ``a.b`` and ``a``, as far as they exist; the top one first."""
    folder, _, name = path.rpartition("/")
    by_name = {image.casefold(): image for image in images}
    parts = name.removesuffix(".squashfs").split(".")[:_MAX_LAYERS]
    names = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    found = [by_name.get(f"/{folder.strip('/')}/{name}.squashfs".casefold(), "") for name in names]
    return tuple(path for path in found if path) if found[0] else ()


def _livelier(layers: tuple[str, ...]) -> tuple[bool, int, str]:
    """The one of many layers that is made to run, not one with languages."""
    parts = layers[0].rpartition("/")[2].split(".")[:-1] if layers else []
    return (bool({"live", "installer"}.intersection(parts)), len(layers), layers[0] if layers else "")


def _single(tree: Tree, path: str, kind: str) -> Iterator[LiveImage]:
    found = tree.find(path)
    if found:
        yield LiveImage((found,), kind)


def _by_content(tree: Tree) -> Iterator[LiveImage]:
    """Images detected by their first bytes, the largest first."""
    large = [path for path in tree if tree.size_bytes(path) >= MIN_IMAGE_BYTES and _may_be_image(path)]
    large.sort(key=tree.size_bytes, reverse=True)
    for path in large[:_MAX_EXAMINED]:
        head = tree.read(path, 4)
        erofs = tree.read(path, 4, offset_bytes=_EROFS_OFFSET)
        if head == SQUASHFS_MAGIC or erofs == _EROFS_MAGIC:
            yield LiveImage((path,), "an image without a known layout")


def _may_be_image(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return ("." not in name or name.endswith(_SUFFIXES)) and not any(sign in name for sign in _NOT_A_SYSTEM)


def _values(words: list[str], name: str) -> list[str]:
    values = [word.partition("=")[2] for word in words if word.startswith(f"{name}=")]
    return list(dict.fromkeys(value for value in values if value))[:4]
