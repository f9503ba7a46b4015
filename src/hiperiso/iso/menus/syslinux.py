"""The menu of ISOLINUX, SYSLINUX and their variants.

Sources: doc/syslinux.txt and doc/menu.txt of syslinux.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hiperiso.iso.menus.entries import Front, Menu, MenuEntry, MenuRow, joined
from hiperiso.iso.menus.texts import MAX_ENTRIES, MAX_LINES, absolute, text_of
from hiperiso.iso.tree import Tree

_MAX_INCLUDES: Final = 40


_SUBMENU: Final = "menu begin"
_OTHERS: Final = ("localboot", "com32", "boot", "bss", "pxe", "fdimage")
_LEADS_ELSEWHERE: Final = ("menu goto", "menu exit", "menu quit")
_TOP_KEYWORDS: Final = ("default", "ui", "timeout", "ontimeout", "prompt")


@dataclass
class _Config:
    """A parsed configuration: labels in order, with the submenu that each belongs to."""

    top: dict[str, str]
    labels: list[dict[str, str]]


def read_syslinux_menu(path: str, tree: Tree) -> Menu:
    """The menu of an ``isolinux.cfg`` or ``syslinux.cfg``, with what it includes."""
    folder = path.rpartition("/")[0]
    config = _parsed(_syslinux_lines(path, folder, tree))
    top = config.top
    entries: list[MenuEntry] = []
    default = 0
    for label in config.labels:
        entry = _syslinux_entry(label, top.get("append", ""), path, folder)
        if entry is None:
            continue
        if "menu default" in label or (
            label["label"] == top.get("default", "").split(" ")[0] and not default
        ):
            default = len(entries)
        entries.append(entry)
    return Menu(path, tuple(entries), default, _front(config), tuple(_rows(config, path, folder)))


def _parsed(lines: Iterator[tuple[str, str]]) -> _Config:
    config = _Config({}, [])
    here = config.top
    depth = 0
    for keyword, value in lines:
        if keyword == "label" and len(config.labels) < MAX_ENTRIES:
            here = {"label": value, "depth": "x" * depth}
            config.labels.append(here)
        elif keyword in _TOP_KEYWORDS:
            config.top[keyword] = value
        elif keyword == "menu":
            what, _, rest = value.partition(" ")
            what = what.lower()
            if what == "begin" and len(config.labels) < MAX_ENTRIES:
                here = {"label": rest.strip(), _SUBMENU: "", "depth": "x" * depth}
                config.labels.append(here)
                depth += 1
            elif what == "end":
                depth = max(0, depth - 1)
                here = {}
            else:
                here |= {f"menu {what}": rest.strip()}
        elif keyword in ("kernel", "linux", "initrd", "append", *_OTHERS):
            here[keyword] = value
    return config


def _rows(config: _Config, path: str, folder: str) -> Iterator[MenuRow]:
    above: list[str] = []
    for label in config.labels:
        depth = len(label["depth"])
        here = (*above[:depth], _title(label))
        if _SUBMENU in label:
            above = list(here)
            yield MenuRow(path=here, submenu=True)
        elif not _hidden(label):
            entry = _syslinux_entry(label, config.top.get("append", ""), path, folder)
            yield MenuRow(path=here, entry=entry, runs="" if entry else _command(label))


def _command(label: dict[str, str]) -> str:
    """What a label does that starts no Linux."""
    for keyword in _LEADS_ELSEWHERE:
        if keyword in label:
            return joined([keyword, label[keyword]])
    for keyword in ("localboot", "com32", "kernel", "linux", "boot", "bss", "pxe", "fdimage"):
        if keyword in label:
            return joined([keyword, label[keyword], *label.get("append", "").split(" ")])
    return ""


def _front(config: _Config) -> Front:
    """TIMEOUT is in tenths of a second, and 0 or none waits forever; ONTIMEOUT may name another label.

    MENU HIDDEN shows a line, or nothing, until the first key.
    """
    top = config.top
    shown = [label for label in config.labels if not label["depth"] and not _hidden(label)]
    default = top.get("default", "").split(" ")[0]
    has_list = "ui" in top or default.lower().endswith(".c32")
    prompt = not has_list and top.get("prompt", "0") not in ("", "0")
    if not has_list and not prompt:
        return Front(_titles(shown), 0, 0.0)
    marked = [at for at, label in enumerate(shown) if "menu default" in label]
    named = [at for at, label in enumerate(shown) if label["label"] == default]
    chosen = (marked or named or [0])[-1]
    timeout = top.get("timeout", "0")
    seconds = int(timeout) / 10 if timeout.isascii() and timeout.isdigit() and len(timeout) < 8 else 0.0
    other = bool(top.get("ontimeout")) and not (
        chosen < len(shown) and top["ontimeout"].split(" ")[0] == shown[chosen]["label"]
    )
    titles = tuple(label["label"] for label in shown) if prompt else _titles(shown)
    hidden = has_list and "menu hidden" in top
    guarded = (
        frozenset(_title(label) for label in shown if "menu passwd" in label) if has_list else frozenset()
    )
    return Front(titles, chosen, seconds or None, other, prompt, hidden=hidden, guarded=guarded)


def _titles(labels: list[dict[str, str]]) -> tuple[str, ...]:
    return tuple(_title(label) for label in labels)


def _title(label: dict[str, str]) -> str:
    return label.get("menu label", label.get("menu title", label["label"])).replace("^", "")


def _hidden(label: dict[str, str]) -> bool:
    return "menu hide" in label or "menu separator" in label or "menu disable" in label


def _syslinux_lines(path: str, folder: str, tree: Tree) -> Iterator[tuple[str, str]]:
    """The lines of a configuration with those of the files that it includes.

    The configuration that an entry leads to belongs to it where that entry is the default (as in ArchISO: there is no
    other menu). Otherwise it is another menu, which the first one may lead back to.
    """
    left = _MAX_INCLUDES
    lines = MAX_LINES
    text = text_of(tree, path)
    default, label = _default(text), ""
    todo = [iter(text.splitlines())]
    while todo and lines:
        line = next(todo[-1], None)
        if line is None:
            todo.pop()
            continue
        lines -= 1
        keyword, value = _keyword_of(line)
        if keyword == "label":
            label = value
        if keyword == "menu" and value.lower().startswith("include "):
            keyword, value = "include", value[8:].strip()
        if left and (keyword == "include" or (keyword == "config" and label in ("", default))):
            left -= 1
            todo.append(iter(text_of(tree, absolute(value.split(" ")[0], folder)).splitlines()))
        else:
            yield keyword, value


def _default(text: str) -> str:
    """What a configuration starts by itself, of those that it names in its own file."""
    named = [value for keyword, value in map(_keyword_of, text.splitlines()) if keyword == "default"]
    return named[-1].split(" ")[0] if named else ""


def _keyword_of(line: str) -> tuple[str, str]:
    keyword, _, value = line.strip().partition(" ") if "\t" not in line else _at_blank(line)
    return keyword.lower(), value.strip()


def _at_blank(line: str) -> tuple[str, str, str]:
    words = line.split(None, 1)
    return (words[0] if words else "", " ", words[1].replace("\t", " ") if len(words) > 1 else "")


def _syslinux_entry(label: dict[str, str], append_of_all: str, path: str, folder: str) -> MenuEntry | None:
    kernel = (label.get("linux") or label.get("kernel") or "").strip()
    if not kernel or kernel.lower().endswith((".c32", ".bin", ".bss", ".img", ".0", ".com", ".cbt")):
        return None
    append = label.get("append", append_of_all)
    words = [word for word in ("" if append == "-" else append).split(" ") if word]
    initrds = label.get("initrd", "")
    for word in words:
        if word.startswith("initrd="):
            initrds = word.partition("=")[2]
    return MenuEntry(
        title=_title(label),
        kernel=absolute(kernel, folder),
        initrds=tuple(absolute(name, folder) for name in initrds.split(",") if name),
        arguments=joined(word for word in words if not word.startswith("initrd=")),
        source=path,
    )
