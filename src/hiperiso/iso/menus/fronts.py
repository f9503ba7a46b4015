"""How the menus of systemd-boot, rEFInd and Limine appear, from their configuration files.

Sources: loader.conf(5); the rEFInd manual, "Configuring the Boot Manager"; Limine, CONFIG.md.
"""

from __future__ import annotations

import re
from typing import Final

from hiperiso.iso.menus.entries import Front
from hiperiso.iso.menus.texts import pairs, text_of
from hiperiso.iso.tree import Tree

LOADER_CONF: Final = "/loader/loader.conf"
REFIND_CONFS: Final = ("/EFI/BOOT/refind.conf", "/EFI/refind/refind.conf")
LIMINE_CONFS: Final = (
    *("/limine.conf", "/limine/limine.conf", "/boot/limine.conf", "/boot/limine/limine.conf"),
    *(
        "/EFI/BOOT/limine.conf",
        "/limine.cfg",
        "/boot/limine.cfg",
        "/boot/limine/limine.cfg",
        "/EFI/BOOT/limine.cfg",
    ),
)
_REFIND_TIMEOUT_S: Final = 20.0
_LIMINE_TIMEOUT_S: Final = 5.0


def systemd_boot_front(tree: Tree) -> Front | None:
    """The menu of systemd-boot: none is shown without a timeout; ``menu-force`` waits. None without loader.conf."""
    if not tree.find(LOADER_CONF):
        return None
    timeout = dict(pairs(text_of(tree, LOADER_CONF))).get("timeout", "0")
    if timeout == "menu-force":
        return Front()
    return Front(timeout_s=_seconds(timeout, 0.0))


def refind_front(tree: Tree) -> tuple[str, Front] | None:
    """The path of refind.conf and the menu of rEFInd: 0 waits, -1 starts at once, default 20 s."""
    path = next((found for found in map(tree.find, REFIND_CONFS) if found), "")
    if not path:
        return None
    timeout = dict(pairs(text_of(tree, path))).get("timeout", "").split(" ")[0]
    if timeout == "-1":
        return path, Front(timeout_s=0.0)
    seconds = _seconds(timeout, _REFIND_TIMEOUT_S)
    return path, Front(timeout_s=seconds or None)


def limine_front(tree: Tree) -> tuple[str, Front] | None:
    """The path of Limine's configuration and its menu: ``timeout: no`` waits, default 5 s."""
    path = next((found for found in map(tree.find, LIMINE_CONFS) if found), "")
    if not path:
        return None
    text = text_of(tree, path)
    titles = tuple(re.findall(r"^\s*(?:/\+?|:)([^/:\s][^\n]{0,200}?)\s*$", text, re.MULTILINE)[:100])
    found = re.search(r"^\s*timeout\s*[:=]\s*(\w{1,8})", text, re.MULTILINE | re.IGNORECASE)
    word = found[1].lower() if found else ""
    return path, Front(titles, timeout_s=None if word == "no" else _seconds(word, _LIMINE_TIMEOUT_S))


def _seconds(text: str, otherwise: float) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else otherwise
