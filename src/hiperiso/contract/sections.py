"""The sections of hiperiso.json beside ``iso_overrides``: one row a key.

From the rows follow the checks, the JSON Schema, what the menu reads, docs/configuration.md and what is taken over from
a ventoy.json.

Source: the interface contract names ``control``, ``theme``, ``menu_alias`` and ``menu_tip``; what is in them, and the
sections of plugins, is as Ventoy's documentation of its plugins has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from hiperiso.contract.jsontypes import valid
from hiperiso.contract.menukinds import MAX_DEPTH, Depth, MenuPath, OneOrMore, Pattern, Title, Unused, Words
from hiperiso.contract.stick import ISO_FOLDER
from hiperiso.contract.values import File, Integer, Kind, Name, Several

DEFAULT_DEPTH: Final = 4
_MAX_TIMEOUT_S: Final = 3600
_RESOLUTION: Final = r"(?:\d{3,5}x\d{3,5}(?:x\d{1,2})?|auto|keep)"
_SERIAL: Final = r"--[a-z]+=[a-z0-9]+(?: --[a-z]+=[a-z0-9]+)*"


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key of a section.

    Attributes:
        name: as in the file.
        kind: of its value.
        help: its effect.
        default: in words.
        aliases: Ventoy's names for it.
        unused: why it has no effect; empty where it has one.
    """

    name: str
    kind: Kind
    help: str
    default: str = ""
    aliases: tuple[str, ...] = ()
    unused: str = ""


class Form(StrEnum):
    """How a section is written."""

    OBJECT = "an object"
    PAIRS = "an object, or a list of objects"
    ENTRIES = "a list"
    TIPS = "a list, or an object with tips"
    PATHS = "a list of paths"


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section of the file.

    Attributes:
        form: how it is written.
        keys: of the object, or of each entry of the list.
        targets: the keys of an entry that say for which ISO it is, of which one has to be there.
        needs: groups of keys of an entry; of each group one has to be there.
        setting: the setting that an entry sets for its ISO: a plugin; else empty.
        outer: keys of the object around the entries.
    """

    name: str
    form: Form
    help: str
    keys: tuple[Key, ...] = ()
    targets: tuple[str, ...] = ()
    needs: tuple[tuple[str, ...], ...] = ()
    setting: str = ""
    outer: tuple[Key, ...] = ()

    def key(self, name: str) -> Key | None:
        """The key of that name or alias."""
        return next((key for key in self.keys if name == key.name or name in key.aliases), None)

    def values(self, document: Any) -> dict[str, Any]:
        """The valid values of an object of this section, by the names of `keys`."""
        found: dict[str, Any] = {}
        for name, raw in document.items() if isinstance(document, dict) else ():
            key = self.key(name)
            if key is not None and not key.unused and (value := valid(key.kind, raw)) is not None:
                found[key.name] = value
        return found


_NOT_HERE: Final = "this menu has nothing like it"


def _unused(why: str, *names: str) -> tuple[Key, ...]:
    return tuple(Key(name=name, kind=Unused(), help=f"Ventoy's; {why}", unused=why) for name in names)


_TIMEOUT: Final = Integer("number", 0, _MAX_TIMEOUT_S)
_NO_DIALOG: Final = "no dialog is shown before a boot"
_IMAGE: Final = Key(
    name="image", kind=MenuPath(), help="Path of an ISO, or with dir of a directory", aliases=("dir",)
)
_ORG: Final = Name("a path on the ISO", r"(?:efi:)?/[^\0;]+", cased=True)
_FOR_IMAGE: Final = Key(name="image", kind=Pattern(), help="Path of the ISO, wildcards allowed")
_FOR_PARENT: Final = Key(
    name="parent", kind=MenuPath(), help="In place of image: the directory that the ISOs are in"
)
_AUTOSEL: Final = Key(
    name="autosel",
    kind=Integer("number", 0, 99),
    help="Which of several is taken, from 1; 0 is none",
    default="1",
)
_ASKED: Final = _unused(_NO_DIALOG, "timeout")

SECTIONS: Final[dict[str, Section]] = {
    section.name: section
    for section in (
        Section(
            name="control",
            form=Form.PAIRS,
            help="The list of ISOs on a stick",
            keys=(
                Key(
                    name="timeout",
                    kind=_TIMEOUT,
                    help="Seconds until the default entry starts; 0 at once",
                    default="wait forever",
                    aliases=("VTOY_MENU_TIMEOUT",),
                ),
                Key(
                    name="default_image",
                    kind=MenuPath(),
                    help="The ISO that is selected at first",
                    default="the first ISO",
                    aliases=("VTOY_DEFAULT_IMAGE",),
                ),
                Key(
                    name="search_root",
                    kind=MenuPath(shown=True),
                    help="Where ISOs are searched",
                    default=ISO_FOLDER,
                    aliases=("VTOY_DEFAULT_SEARCH_ROOT",),
                ),
                Key(
                    name="depth",
                    kind=Depth("number", 0, MAX_DEPTH),
                    help="How many levels of directories below are searched, or max",
                    default=str(DEFAULT_DEPTH),
                    aliases=("VTOY_MAX_SEARCH_LEVEL",),
                ),
                *_unused(
                    _NOT_HERE,
                    *("VTOY_DEFAULT_MENU_MODE", "VTOY_TREE_VIEW_MENU_STYLE", "VTOY_FILT_DOT_UNDERSCORE_FILE"),
                    *("VTOY_SORT_CASE_SENSITIVE", "VTOY_DEFAULT_KBD_LAYOUT", "VTOY_WIN11_BYPASS_CHECK"),
                    *(
                        "VTOY_WIN11_BYPASS_NRO",
                        "VTOY_HELP_TXT_LANGUAGE",
                        "VTOY_MENU_LANGUAGE",
                        "VTOY_LINUX_REMOUNT",
                    ),
                    *("VTOY_SECONDARY_BOOT_MENU", "VTOY_SECONDARY_TIMEOUT", "VTOY_SHOW_PASSWORD_ASTERISK"),
                    *("VTOY_VHD_NO_WARNING", "VTOY_FILE_FLT_ISO", "VTOY_FILE_FLT_WIM", "VTOY_FILE_FLT_EFI"),
                    *("VTOY_FILE_FLT_IMG", "VTOY_FILE_FLT_VHD", "VTOY_FILE_FLT_VTOY", "VTOY_HELP_TXT_SHOW"),
                    *("VTOY_WIN_UEFI_RES_LOCK", "VTOY_WINDOWS_CD_PROMPT"),
                ),
            ),
        ),
        Section(
            name="theme",
            form=Form.OBJECT,
            help="The look of a stick's menu",
            keys=(
                Key(
                    name="file",
                    kind=OneOrMore(MenuPath()),
                    help="A theme of GRUB on the data partition; of several the first",
                    default="hiperiso's own",
                ),
                Key(name="fonts", kind=Several(MenuPath()), help="Its fonts (.pf2) on the data partition"),
                Key(
                    name="gfxmode",
                    kind=Name(
                        "a resolution, or several like 1024x768,auto", f"{_RESOLUTION}(?:[,;]{_RESOLUTION})*"
                    ),
                    help="Resolutions, the first that works",
                    default="1024x768,auto",
                ),
                Key(
                    name="display_mode",
                    kind=Words("GUI", "CLI", "serial", "serial_console"),
                    help="With graphics, without graphics and serial line, or on the serial line, too",
                    default="GUI",
                ),
                Key(
                    name="serial_param",
                    kind=Name("a list of GRUB's options like --unit=0 --speed=9600", _SERIAL),
                    help="Arguments of GRUB's serial",
                    default="--unit=0 --speed=115200",
                ),
                *_unused(
                    _NOT_HERE,
                    "default_file",
                    "resolution_fit",
                    "random",
                    "ventoy_left",
                    "ventoy_top",
                    "ventoy_color",
                ),
            ),
        ),
        Section(
            name="menu_alias",
            form=Form.ENTRIES,
            help="Titles in the menu of a stick",
            keys=(
                _IMAGE,
                Key(name="alias", kind=Title(), help="The title of the ISO or directory", default="its path"),
            ),
            targets=("image", "dir"),
            needs=(("alias",),),
        ),
        Section(
            name="menu_tip",
            form=Form.TIPS,
            help="Explanations in the menu of a stick",
            keys=(
                _IMAGE,
                Key(name="tip", kind=Title(), help="A text after the title"),
                Key(name="tip1", kind=Title(), help="As Ventoy has it: its first line"),
                Key(name="tip2", kind=Title(), help="As Ventoy has it: its second line"),
            ),
            targets=("image", "dir"),
            needs=(("tip", "tip1", "tip2"),),
            outer=_unused(_NOT_HERE, "left", "top", "color"),
        ),
        Section(
            name="auto_install",
            form=Form.ENTRIES,
            help="Answers for installers, by ISO",
            keys=(
                _FOR_IMAGE,
                _FOR_PARENT,
                Key(
                    name="template", kind=OneOrMore(File()), help="The answers; of several the one of autosel"
                ),
                _AUTOSEL,
                *_ASKED,
            ),
            targets=("image", "parent"),
            needs=(("template",),),
            setting="auto_install",
        ),
        Section(
            name="persistence",
            form=Form.ENTRIES,
            help="Images for the changes of live systems, by ISO",
            keys=(
                _FOR_IMAGE,
                Key(name="backend", kind=OneOrMore(File()), help="The image; of several the one of autosel"),
                _AUTOSEL,
                *_ASKED,
            ),
            targets=("image",),
            needs=(("backend",),),
            setting="persistence",
        ),
        Section(
            name="injection",
            form=Form.ENTRIES,
            help="Archives of files for the guest, by ISO",
            keys=(_FOR_IMAGE, _FOR_PARENT, Key(name="archive", kind=File(), help="The archive")),
            targets=("image", "parent"),
            needs=(("archive",),),
            setting="injection",
        ),
        Section(
            name="dud",
            form=Form.ENTRIES,
            help="Driver update disks, by ISO",
            keys=(_FOR_IMAGE, Key(name="dud", kind=OneOrMore(File()), help="The image, or several")),
            targets=("image",),
            needs=(("dud",),),
            setting="dud",
        ),
        Section(
            name="conf_replace",
            form=Form.ENTRIES,
            help="Files of the ISO that the guest sees with other content; those of all entries",
            keys=(
                Key(name="iso", kind=Pattern(), help="Path of the ISO, wildcards allowed"),
                Key(
                    name="org",
                    kind=_ORG,
                    help="The path of the file on the ISO; efi:/path inside its EFI boot image",
                ),
                Key(name="new", kind=File(), help="The file that the guest sees there"),
                *_unused("the file is replaced in the ISO itself, for every reader", "img"),
            ),
            targets=("iso",),
            needs=(("org",), ("new",)),
            setting="conf_replace",
        ),
        Section(
            name="auto_memdisk",
            form=Form.PATHS,
            help="Paths of the ISOs with boot_mode memdisk, wildcards allowed",
            keys=(_FOR_IMAGE,),
            setting="boot_mode",
        ),
    )
}
"""Name -> section, without iso_overrides."""

ISO_OVERRIDES: Final = "iso_overrides"
WITHOUT_COUNTERPART: Final[dict[str, str]] = {
    "password": "a stick has no passwords",
    "menu_class": "the menu has no icons by class; menu_alias has titles",
    "image_list": "the menu lists what is below control.search_root",
    "image_blacklist": "the menu lists what is below control.search_root",
    "custom_boot": "boot menus of others are not run",
}
"""Sections of Ventoy that hiperiso has nothing for: name -> why."""

SUFFIXES: Final = ("_legacy", "_uefi", "_ia32", "_aa64", "_mips")
"""With which Ventoy's sections are for one firmware."""


def documented_keys() -> Iterator[tuple[str, Section, Key]]:
    """Each key with an effect, its section, and its name in the file."""
    for section in SECTIONS.values():
        brackets = "" if section.form in (Form.OBJECT, Form.PAIRS) else "[]"
        for key in section.keys:
            if not key.unused:
                inner = "" if section.form is Form.PATHS else f".{key.name}"
                yield f"{section.name}{brackets}{inner}", section, key
