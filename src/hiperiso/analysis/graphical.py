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


_MANAGERS: Final = "gdm gdm3 lightdm sddm lxdm xdm kdm tdm wdm slim nodm greetd plasmalogin entranced"
_TEXT_GREETERS: Final = "ly ly-dm emptty lemurs"
"""Greeters on a text console that are display managers at once."""

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
        "gnome-shell gnome-session-binary gnome-kiosk kwin_wayland kwin_x11 plasmashell startplasma-wayland "
        "startplasma-x11 ksmserver xfce4-session mate-session cinnamon cinnamon-session lxsession lxqt-session "
        "budgie-wm enlightenment sway weston labwc wayfire cage Hyprland river niri phosh phoc gala cosmic-comp "
        "openbox fluxbox icewm jwm i3 xfwm4 marco mutter twm awesome bspwm dwm qtile spectrwm xmonad fvwm fvwm3 "
        "wmaker matchbox-window-manager metacity muffin compiz kodi.bin kodi-standalone sugar moksha gamescope dwl "
        "hikari waybox miriway ubuntu-frame mir_kiosk tinywl herbstluftwm pekwm ratpoison blackbox sawfish ctwm cwm "
        "evilwm e16 stumpwm leftwm notion windowlab afterstep startdde dde-session ukui-session twin lumina-desktop"
    ),
}
"""The names of programs, separated by spaces, by what they do."""

DISPLAY_MANAGERS: Final = (*_MANAGERS.split(), *_TEXT_GREETERS.split())
"""As their units and services are called."""

WITHOUT_GREETER: Final = "nodm"
"""A display manager that starts a session, and nothing else, as its own child."""

WITH_OWN_GREETER: Final = frozenset(("xdm", "slim", "wdm"))
"""Display managers whose greeter is a process of the same name."""

WORKERS: Final = frozenset(("xinit", "sddm-helper", "lxdm-session", "gdm-session-worker", "gdm-session-wor"))
"""Each child of these, except an X server, is a session, regardless of its name; `WORKER_MARKS` likewise."""

WORKER_MARKS: Final = frozenset(("--session-child", "--session-worker"))
