"""ISOs whose boot menu waits for a person: the real boot loaders, and stand-ins for those that no package has.

Behind each entry is the same small system, which is silent on its serial line.
"""

from __future__ import annotations

from typing import Final

from hiperiso.contract.words import BootResult, BootStage, FailureDomain, FirmwareKind
from hiperiso.observe.screen.png import encode_png
from hiperiso.observe.screen.ppm import Picture
from hiperlab.debian.packages import ISOLINUX_BIN, KERNEL, LDLINUX_C32, Asset
from hiperlab.samples import guests
from hiperlab.samples.model import Content, FromAsset, Loader, Outcome, Recipe, Sample
from hiperlab.samples.recipes import INITRD_PATH, KERNEL_PATH
from hiperlab.samples.standin import FREEBSD, LIMINE, WINDOWS, StandIn

_LOGIN: Final = Outcome(BootStage.LOGIN, BootResult.SUCCESS)
_LOADER_FAILED: Final = Outcome(BootStage.BOOTLOADER, BootResult.FAILURE, FailureDomain.BOOTLOADER)
_BIOS: Final = (FirmwareKind.BIOS,)
_UEFI: Final = (FirmwareKind.UEFI,)
_BOTH: Final = (*_BIOS, *_UEFI)

_ARGUMENTS: Final = "quiet no_timer_check"
_SYSTEM: Final[dict[str, Content]] = {
    KERNEL_PATH: FromAsset(KERNEL),
    INITRD_PATH: guests.LOGIN_SCREEN_ONLY,
}
_GFXTERM: Final = """\
loadfont /boot/grub/fonts/unicode.pf2
set gfxmode=800x600
insmod gfxterm
terminal_output gfxterm
"""
_THEME: Final = "/boot/grub/themes/starfield"
_THEME_FILES: Final = (
    *("theme.txt", "starfield.png", "blob_w.png"),
    *(f"dejavu_{size}.pf2" for size in (10, 12, 14, 16)),
    "dejavu_bold_14.pf2",
    *(f"slider_{side}.png" for side in "cns"),
    *(
        f"{what}_{side}.png"
        for what in ("boot_menu", "terminal_box")
        for side in ("c", "e", "n", "ne", "nw", "s", "se", "sw", "w")
    ),
)
_REFIND: Final = "usr/share/refind/refind"
_REFIND_ICONS: Final = tuple(
    f"{name}.png"
    for name in (
        *(
            "os_linux",
            "os_unknown",
            "func_about",
            "func_exit",
            "func_firmware",
            "func_reset",
            "func_shutdown",
        ),
        *("func_hidden", "func_bootorder", "tool_shell", "boot_linux", "mouse", "transparent"),
    )
)


def menu_samples() -> tuple[Sample, ...]:
    """Returns the samples whose boot menu waits, and those whose menu does not come to a good end."""
    return (*_grub(), *_grub_failures(), *_isolinux(), *_efi(), *_stand_ins())


def _grub() -> tuple[Sample, ...]:
    unicode = FromAsset(Asset("grub-common", ("usr/share/grub/unicode.pf2",)))
    font: dict[str, Content] = {"boot/grub/fonts/unicode.pf2": unicode}
    theme: dict[str, Content] = {
        f"{_THEME[1:]}/{name}": FromAsset(
            Asset("grub-theme-starfield", (f"usr/share/grub/themes/starfield/{name}",))
        )
        for name in _THEME_FILES
    }
    fonts = "".join(f"loadfont {_THEME}/{name}\n" for name in _THEME_FILES if name.endswith(".pf2"))
    themed = f"{_GFXTERM}insmod png\n{fonts}set theme={_THEME}/theme.txt\n"
    usual = _entry("Live system (amd64)") + _entry("Live system (amd64 fail-safe mode)", "nomodeset")
    advanced = _submenu(
        "Advanced options ...", _entry("Text install", "text"), _entry("Rescue mode", "rescue")
    )
    russian = _entry("Живая система (amd64)") + _entry("Безопасный режим", "nomodeset")
    return (
        _of_grub("grub-text", "GRUB, in text, with a submenu", usual + advanced),
        _of_grub("grub-gfxterm", "GRUB's graphical terminal", _GFXTERM + usual, font),
        _of_grub("grub-theme", "GRUB with a theme", themed + usual, {**font, **theme}),
        _of_grub("grub-language", "GRUB in Russian", _GFXTERM + russian, font),
        _of_grub(
            "grub-serial",
            "GRUB that shows its menu and takes keys on the serial port alone",
            "serial --unit=0 --speed=115200\nterminal_input serial\nterminal_output serial\n" + usual,
            firmware=_BIOS,
            silent=False,
        ),
        _of_grub(
            "grub-countdown", "GRUB, counting down from 8 seconds", f"set timeout=8\n{usual}", waits=False
        ),
    )


def _grub_failures() -> tuple[Sample, ...]:
    broken = "menuentry 'Default system' {\n  linux /boot/not-there\n}\n"
    return (
        _of_grub(
            "grub-broken-default",
            "GRUB whose default entry names a kernel that is not there; the second entry boots",
            broken + _entry("Second system"),
            outcome=_LOADER_FAILED,
        ),
        _of_grub(
            "grub-fallback",
            "GRUB, counting down to an entry whose kernel is not there; its fallback boots",
            "set timeout=3\nset fallback=1\n" + broken + _entry("Second system"),
            waits=False,
            firmware=_BIOS,
        ),
        _of_grub(
            "grub-returns",
            "GRUB that comes back after its entry failed",
            "menuentry 'Only system' {\n  search --no-floppy --file --set=root /not-there\n}\n",
            outcome=_LOADER_FAILED,
        ),
    )


def _isolinux() -> tuple[Sample, ...]:
    live = _label("live", "^Live system", default=True)
    labels = live + _label("safe", "Live system (^fail-safe)", "nomodeset")
    german = (
        "MENU TITLE Startmen\u00fc\nMENU TABMSG Tabulator: Optionen bearbeiten\n"
        + _label("live", "^System starten", default=True)
        + "MENU BEGIN mehr\n  MENU TITLE ^Erweiterte Optionen\n"
        + _label("rettung", "^Rettungssystem", "rescue")
        + "MENU END\n"
    )
    speech = f"LABEL speech\n  MENU HIDE\n  KERNEL /{KERNEL_PATH}\n  APPEND root=/dev/none\n"
    disk = "LABEL disk\n  MENU LABEL Boot from local drive\n  MENU DEFAULT\n  LOCALBOOT 0x80\n"
    autoboot = "MENU AUTOBOOT Press a key, otherwise speech synthesis will be started in # second{,s}...\n"
    return (
        _of_isolinux("prompt", "a boot: prompt", f"DEFAULT live\nPROMPT 1\nTIMEOUT 0\n{labels}"),
        _of_isolinux("text", "menu.c32, in German, with a submenu", f"UI menu.c32\n{german}", "menu.c32"),
        _of_isolinux(
            "picture",
            "vesamenu with a picture behind its text",
            f"UI vesamenu.c32\nMENU BACKGROUND splash.png\nMENU TITLE Boot menu\n{labels}",
            "vesamenu.c32",
            picture=True,
        ),
        _of_isolinux(
            "countdown",
            "vesamenu that counts down to something other than its highlighted entry, which fails",
            f"UI vesamenu.c32\nMENU TITLE Boot menu\n{autoboot}TIMEOUT 300\nONTIMEOUT speech\n{labels}{speech}",
            "vesamenu.c32",
        ),
        _of_isolinux(
            "hidden",
            "menu.c32, hidden until a key is pressed",
            f"UI menu.c32\nMENU HIDDEN\n{labels}",
            "menu.c32",
        ),
        _of_isolinux(
            "disk",
            "menu.c32 whose highlighted entry boots the local disk",
            f"UI menu.c32\n{disk}{_label('live', '^Live system')}",
            "menu.c32",
        ),
    )


def _efi() -> tuple[Sample, ...]:
    kernel, initrd = f"/{KERNEL_PATH}", f"/{INITRD_PATH}"
    entry = "title Sample Linux{0}\nlinux {1}\ninitrd {2}\noptions {3}{4}\n"
    systemd: dict[str, Content] = {
        "EFI/BOOT/BOOTX64.EFI": FromAsset(
            Asset("systemd-boot-efi", ("usr/lib/systemd/boot/efi/systemd-bootx64.efi",))
        ),
        "loader/loader.conf": "timeout menu-force\n",
        "loader/entries/a.conf": entry.format("", kernel, initrd, _ARGUMENTS, ""),
        "loader/entries/b.conf": entry.format(" (fallback)", kernel, initrd, _ARGUMENTS, " nomodeset"),
    }
    refind_conf = (
        "timeout 0\nscanfor manual\n"
        f'menuentry "Sample Linux" {{\n  loader {kernel}\n  initrd {initrd}\n  options "{_ARGUMENTS}"\n}}\n'
    )
    refind: dict[str, Content] = {
        "EFI/BOOT/BOOTX64.EFI": FromAsset(Asset("refind", (f"{_REFIND}/refind_x64.efi",))),
        "EFI/BOOT/refind.conf": refind_conf,
        **{
            f"EFI/BOOT/icons/{name}": FromAsset(Asset("refind", (f"{_REFIND}/icons/{name}",)))
            for name in _REFIND_ICONS
        },
    }
    in_text: dict[str, Content] = {"EFI/BOOT/refind.conf": f"textonly\n{refind_conf}"}
    return (
        _sample("systemd-boot", "systemd-boot", Recipe(Loader.EFI, {**_SYSTEM, **systemd}), _UEFI),
        _sample("refind", "rEFInd", Recipe(Loader.EFI, {**_SYSTEM, **refind}), _UEFI),
        _sample(
            "refind-text", "rEFInd in text mode", Recipe(Loader.EFI, {**_SYSTEM, **refind, **in_text}), _UEFI
        ),
    )


def _stand_ins() -> tuple[Sample, ...]:
    return (
        _of_stand_in("limine", "the screen of Limine", LIMINE),
        _of_stand_in("freebsd", "the screen of FreeBSD's boot loader", FREEBSD),
        _of_stand_in("windows", "the line of Windows' media that asks for a key for some seconds", WINDOWS),
    )


def _sample(
    name: str,
    what: str,
    recipe: Recipe,
    firmware: tuple[FirmwareKind, ...],
    outcome: Outcome = _LOGIN,
    *,
    waits: bool = True,
    silent: bool = True,
) -> Sample:
    return Sample(
        f"menu-{name}",
        f"{what}{': waits for a key' if waits else ''}",
        recipe,
        dict.fromkeys(firmware, outcome),
        60 if FirmwareKind.UEFI in firmware else 40,
        serial_silent=silent,
    )


def _of_grub(
    name: str,
    what: str,
    cfg: str,
    files: dict[str, Content] | None = None,
    *,
    outcome: Outcome = _LOGIN,
    waits: bool = True,
    firmware: tuple[FirmwareKind, ...] = _BOTH,
    silent: bool = True,
) -> Sample:
    text = f"insmod all_video\n{cfg}"
    recipe = Recipe(Loader.GRUB, {**_SYSTEM, **(files or {}), "boot/grub/grub.cfg": text})
    return _sample(name, what, recipe, firmware, outcome, waits=waits, silent=silent)


def _entry(title: str, arguments: str = "") -> str:
    more = f" {arguments}" if arguments else ""
    return f"menuentry '{title}' {{\n  linux /{KERNEL_PATH} {_ARGUMENTS}{more}\n  initrd /{INITRD_PATH}\n}}\n"


def _submenu(title: str, *entries: str) -> str:
    return f"submenu '{title}' {{\n{''.join(entries)}}}\n"


def _of_isolinux(name: str, what: str, cfg: str, *modules: str, picture: bool = False) -> Sample:
    libraries = ("libcom32.c32", "libutil.c32") if modules else ()
    files: dict[str, Content] = {
        "isolinux/isolinux.bin": FromAsset(ISOLINUX_BIN),
        "isolinux/ldlinux.c32": FromAsset(LDLINUX_C32),
        **{
            f"isolinux/{module}": FromAsset(
                Asset(LDLINUX_C32.package, (f"usr/lib/syslinux/modules/bios/{module}",))
            )
            for module in (*modules, *libraries)
        },
        "isolinux/isolinux.cfg": cfg,
    }
    if picture:
        files["isolinux/splash.png"] = _picture(640, 480)
    recipe = Recipe(Loader.ISOLINUX, {**_SYSTEM, **files})
    return _sample(f"isolinux-{name}", f"ISOLINUX, {what}", recipe, _BIOS)


def _label(label: str, title: str, arguments: str = "", *, default: bool = False) -> str:
    more = f" {arguments}" if arguments else ""
    marked = "  MENU DEFAULT\n" if default else ""
    return (
        f"LABEL {label}\n  MENU LABEL {title}\n{marked}  KERNEL /{KERNEL_PATH}\n"
        f"  APPEND initrd=/{INITRD_PATH} {_ARGUMENTS}{more}\n"
    )


def _of_stand_in(name: str, what: str, program: StandIn) -> Sample:
    files: dict[str, Content] = {
        "standin.bin": program.boot_sector(),
        "isolinux/isolinux.bin": FromAsset(ISOLINUX_BIN),
        "isolinux/ldlinux.c32": FromAsset(LDLINUX_C32),
        "isolinux/isolinux.cfg": f"DEFAULT live\nPROMPT 0\n{_label('live', 'Live system')}",
    }
    recipe = Recipe(Loader.STAND_IN, {**_SYSTEM, **files})
    return _sample(f"{name}-stand-in", f"a stand-in that shows {what}", recipe, _BIOS)


def _picture(width_px: int, height_px: int) -> bytes:
    """A picture in which no row of text is as easy to read as on black."""
    rows = (
        bytes(channel for x in range(width_px) for channel in (x * 90 // width_px, y // 6, 90 + (x ^ y) % 60))
        for y in range(height_px)
    )
    return encode_png(Picture(width_px, height_px, b"".join(rows)))
