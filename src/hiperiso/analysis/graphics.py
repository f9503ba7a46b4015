"""Which graphics drivers the guest loaded, and the resolution they drove."""

from __future__ import annotations

from typing import Final

MAX_DRIVERS: Final = 16
_GLYPH: Final = (8, 16)  # pixels of a console character, as every kernel's default font has them
_ALIASES: Final = {
    "bochs": "bochs-drm",
    "virtio": "virtio_gpu",
    "virtio_gpudrmfb": "virtio_gpu",
    "simple-framebuffer": "simpledrm",
    "intel": "i915",
    "inteldrmfb": "i915",
    "vbox": "vboxvideo",
}
"""The name that the framebuffer or Xorg uses, to the name of the driver."""


class Graphics:
    """Collects both; later and more exact statements win."""

    def __init__(self) -> None:
        self._drivers: list[str] = []
        self._stated = ""
        self._derived = ""
        self._picture = ""

    def see(self, groups: dict[str, str]) -> None:
        """Take the named groups of a graphics signature."""
        name = groups.get("driver", "")
        driver = _ALIASES.get(name, name)
        if driver and driver not in self._drivers and len(self._drivers) < MAX_DRIVERS:
            self._drivers.append(driver)
        if groups.get("w"):
            self._stated = f"{groups['w']}x{groups['h']}"
        if groups.get("cols"):
            self._derived = f"{int(groups['cols']) * _GLYPH[0]}x{int(groups['rows']) * _GLYPH[1]}"

    def see_picture(self, width: int | None, height: int | None) -> None:
        """Take the size of a picture of the screen, in pixels."""
        if width and height and width > 0 and height > 0:
            self._picture = f"{width}x{height}"

    @property
    def drivers(self) -> str:
        """Comma-separated names, in order of appearance."""
        return ",".join(self._drivers)

    @property
    def resolution(self) -> str:
        """``WIDTHxHEIGHT`` in pixels, empty when unknown."""
        return self._picture or self._stated or self._derived
