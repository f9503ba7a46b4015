"""The programs that draw a system's screen, by what they do: the names that the judge of a desktop goes by.

Sources: the packages and unit files of Debian, Fedora, openSUSE, Arch Linux and Alpine Linux. A program with another
name still counts where a display manager, or what works for one, started it (`WORKERS`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Part(StrEnum):
    """What a program has to do with the desktop."""

    MANAGER = "display manager"
    SERVER = "X server"
    GREETER = "greeter"
    SESSION = "session"  # a desktop, a compositor, a window manager
    CLIENT = "program of a session"  # whatever is started in their place
    ALARM = "error message"  # a whole screen of it, in place of the desktop


_MANAGERS: Final = "gdm gdm3 lightdm sddm lxdm xdm kdm tdm wdm slim nodm greetd plasmalogin entranced"
_TEXT_GREETERS: Final = "ly ly-dm emptty lemurs"
"""Greeters on a text console that are display managers at once."""

_LEADERS: Final = (
    "gnome-session-binary startplasma-wayland startplasma-x11 ksmserver xfce4-session mate-session cinnamon-session "
    "lxsession lxqt-session dde-session ukui-session"
)
_SHELLS: Final = (
    "gnome-shell plasmashell cinnamon budgie-wm enlightenment moksha gala phosh phoc cosmic-comp sugar kodi.bin "
    "kodi-standalone"
)

GRAPHICAL: Final = {
    Part.MANAGER: f"{_MANAGERS} lxdm-binary",
    Part.SERVER: "Xorg Xorg.bin X Xwayland Xfbdev Xvesa",
    Part.GREETER: (
        "lightdm-gtk-greeter slick-greeter unity-greeter arctica-greeter lightdm-kde-greeter lightdm-webkit2-greeter "
        "nody-greeter web-greeter lightdm-mini-greeter ukui-greeter io.elementary.greeter sddm-greeter "
        "sddm-greeter-qt6 lxdm-greeter-gtk lxdm-greeter-gdk kdm_greet tdm_greet wdmLogin cosmic-greeter tuigreet "
        f"agreety gtkgreet regreet wlgreet qtgreet nwg-hello {_TEXT_GREETERS}"
    ),
    Part.SESSION: (
        f"{_LEADERS} {_SHELLS} gnome-kiosk kwin_wayland kwin_x11 sway weston labwc wayfire cage Hyprland river niri "
        "openbox fluxbox icewm jwm i3 xfwm4 marco mutter twm awesome bspwm dwm qtile spectrwm xmonad fvwm fvwm3 "
        "wmaker matchbox-window-manager metacity muffin compiz gamescope dwl hikari waybox miriway ubuntu-frame "
        "mir_kiosk tinywl herbstluftwm pekwm ratpoison blackbox sawfish ctwm cwm evilwm e16 stumpwm leftwm notion "
        "windowlab afterstep startdde twin lumina-desktop"
    ),
    Part.ALARM: "gnome-session-failed",
}
"""The names of programs, separated by spaces, by what they do."""

DISPLAY_MANAGERS: Final = (*_MANAGERS.split(), *_TEXT_GREETERS.split())
"""As their units and services are called."""

WITHOUT_GREETER: Final = "nodm"
"""A display manager that starts a session, and nothing else, as its own child."""

WITH_OWN_GREETER: Final = frozenset(("xdm", "slim", "wdm"))
"""Display managers whose greeter is a process of the same name."""

TEXT_GREETERS: Final = frozenset((*_TEXT_GREETERS.split(), "agreety", "tuigreet"))
"""Greeters on a text console: what they wait for is a login, and no desktop is up yet."""

LEADERS: Final = frozenset(_LEADERS.split())
"""Sessions that start the programs of a desktop, watch them, and draw nothing themselves."""

DRAW_ALWAYS: Final = LEADERS | frozenset(_SHELLS.split())
"""Those with a background, a panel or a shell: an empty screen is not all that they show."""

WORKERS: Final = frozenset(
    (
        *("xinit", "sddm-helper", "lxdm-session", "gdm-session-worker", "gdm-session-wor"),
        *("gdm-x-session", "gdm-wayland-session", "gdm-wayland-ses"),
    )
)
"""Each child of these, except an X server, is a session, regardless of its name; `WORKER_MARKS` likewise."""

WORKER_MARKS: Final = frozenset(("--session-child", "--session-worker"))

SESSION_SCRIPTS: Final = ("Xsession", "wayland-session", "lightdm-session")
"""Started as ``/bin/sh SCRIPT PROGRAM``."""


def draws(part: Part | None, name: str) -> bool:
    """Whether a program draws by itself, as a greeter, a shell, a compositor or a window manager does."""
    return (part in (Part.GREETER, Part.SESSION) and name not in LEADERS) or name in WITH_OWN_GREETER
