"""The boot menus in the files of a medium, for the recogniser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hiperiso.drive.recognise import MenuConfig
from hiperiso.drive.signs import MenuKind
from hiperiso.iso.image import IsoImage
from hiperiso.iso.menus.entries import Front, Menu
from hiperiso.iso.menus.fronts import LOADER_CONF, limine_front, refind_front, systemd_boot_front
from hiperiso.iso.menus.read import read_loader_entries, read_menus
from hiperiso.iso.tree import Tree


def configs_of_image(image: IsoImage, *, efi: bool) -> tuple[MenuConfig, ...]:
    """The menus on an ISO, and for UEFI those inside its EFI boot image; never raises for its content."""
    found = configs_of(image.tree(), efi=efi)
    inside = image.efi_tree() if efi else None
    if inside is None:
        return found
    return (*found, *(replace(config, observed=False) for config in configs_of(inside, efi=True)))


def configs_of(tree: Tree, *, efi: bool) -> tuple[MenuConfig, ...]:
    """The menus in the configuration files of a medium that a boot loader of this firmware may read.

    Args:
        tree: the medium, or the EFI file system on it.
        efi: whether the firmware is UEFI.
    """
    return tuple(_configs(tree, efi=efi))


def _configs(tree: Tree, *, efi: bool) -> Iterator[MenuConfig]:
    for menu in read_menus(tree, iso_path="", efi=efi):
        name = menu.source.rpartition("/")[2].lower()
        if name.startswith("grub"):
            yield _config(tree, MenuKind.GRUB, menu)
        elif name in ("isolinux.cfg", "syslinux.cfg", "extlinux.conf") and not efi:
            kind = MenuKind.PROMPT if menu.front.prompt else MenuKind.SYSLINUX
            yield _config(tree, kind, menu)
    if efi and (front := systemd_boot_front(tree)):
        entries = read_loader_entries(tree)
        titles = tuple(entry.title for entry in entries.entries)
        yield _config(
            tree,
            MenuKind.SYSTEMD_BOOT,
            Menu(LOADER_CONF, entries.entries, entries.default, front, entries.rows),
            titles,
        )
    for kind, found in (
        (MenuKind.REFIND, refind_front(tree) if efi else None),
        (MenuKind.LIMINE, limine_front(tree)),
    ):
        if found:
            path, front = found
            yield _config(tree, kind, Menu(path, (), 0, front))


def _config(tree: Tree, kind: MenuKind, menu: Menu, titles: tuple[str, ...] = ()) -> MenuConfig:
    front: Front = menu.front
    kernels = {entry.kernel for entry in menu.entries}
    behind_links = {found for found in map(tree.find, kernels) if found}
    return MenuConfig(
        source=menu.source,
        kind=kind,
        titles=front.titles or titles,
        chosen=front.chosen if front.titles else menu.default,
        timeout_s=front.timeout_s,
        other_on_timeout=front.other_on_timeout,
        serial_input=front.serial_input,
        hidden=front.hidden,
        fallbacks=front.fallbacks,
        guarded=front.guarded,
        kernels=frozenset(kernels | behind_links),
        rows=menu.rows,
    )
