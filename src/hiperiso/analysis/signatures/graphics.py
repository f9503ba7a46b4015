"""Graphics drivers and modes, as the kernel and Xorg print them.

The named group ``driver`` feeds ``graphics_drivers``; ``w``/``h`` (pixels) or ``cols``/``rows`` (characters of 8x16)
feed ``graphics_resolution``. Sources: recordings; the DRM, fbdev and Xorg message formats.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Signature
from hiperiso.contract.words import FailureDomain, FindingKind, Severity


def _driver(pattern: str, literals: tuple[str, ...], example: str, unlike: str) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=(example,),
        unlike=unlike,
        kind=FindingKind.GRAPHICS_DRIVER,
        summary="graphics driver {driver}",
    )


def _mode(pattern: str, literals: tuple[str, ...], example: str, unlike: str) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=(example,),
        unlike=unlike,
        kind=FindingKind.GRAPHICS_MODE,
        summary="{0}",
    )


SIGNATURES: Final = (
    Signature(
        # Xorg, xinit and the compositors; a login on the console may still come
        pattern=(
            r"^(?:Fatal server error:|\(EE\) no screens found|\(EE\) Server terminated with error"
            r"|\(EE\) Cannot run in framebuffer mode|no screens found|xinit: (?:giving up|server error)"
            r"|fatal: failed to (?:create compositor|load backend))"
            r"|\[wlr\].{0,60}(?:Found 0 GPUs|[Ff]ailed to (?:create|open) .{0,20}backend)"
            r"|\b[Uu]nable to create (?:the )?(?:wlroots )?backend\b"
        ),
        literals=(
            "Fatal server error",
            "no screens found",
            "Server terminated with",
            "Cannot run in framebuffer",
            "xinit: giving up",
            "xinit: server error",
            "failed to create compositor",
            "failed to load backend",
            "[wlr] ",
            "create the wlroots",
            "create backend",
        ),
        examples=(
            "Fatal server error:",
            "(EE) no screens found(EE)",
            "xinit: giving up",
            "00:00:00.002 [ERROR] [demo/server.c:49] Unable to create backend",
        ),
        unlike="(EE) Failed to load module demo (module does not exist, 0)",
        kind=FindingKind.FAILED_UNIT,
        severity=Severity.ERROR,
        domain=FailureDomain.USERSPACE,
        summary="the graphical server did not start: {0}",
    ),
    _driver(
        r"\[drm\] Initialized (?P<driver>[\w-]{2,30}) \d",
        ("[drm] Initialized ",),
        "[drm] Initialized virtio_gpu 0.1.0 0 for 0000:00:01.0 on minor 0",
        "[drm] Initialized nothing",
    ),
    _driver(
        r"\bfb\d{1,2}: switching to (?P<driver>[\w-]{2,30}) from",
        ("switching to ",),
        "fb0: switching to i915 from EFI VGA",
        "fb0: switching off",
    ),
    _driver(
        r"\bfb\d{1,2}: (?P<driver>[\w-]{2,30}?)(?:drmfb)? frame buffer device",
        ("frame buffer device",),
        "bochs-drm 0000:00:01.0: [drm] fb0: bochs-drmdrmfb frame buffer device",
        "fb0: a frame buffer device",
    ),
    _driver(
        (
            r"^(?P<driver>i915|amdgpu|radeon|nouveau|bochs-drm|qxl|virtio_gpu"
            r"|vmwgfx|vboxvideo|ast|mgag200|hyperv_drm|cirrus|simpledrm"
            r"|simple-framebuffer) [0-9a-fx:.]{4,24}: "
        ),
        (
            "[drm",
            "i915 ",
            "amdgpu ",
            "radeon ",
            "nouveau ",
            "bochs-drm ",
            "qxl ",
            "vmwgfx ",
            "simple-framebuffer ",
        ),
        "i915 0000:00:02.0: vgaarb: deactivate vga console",
        "i915: the name of a driver",
    ),
    _driver(
        (
            r"\((?:II|\*\*|==)\) (?P<driver>modeset|intel|amdgpu|radeon"
            r"|nouveau|nvidia|qxl|vesa|fbdev|vmware)\(\d\): "
        ),
        ("(II) ", "(**) ", "(==) "),
        "[    12.1] (II) modeset(0): Output Virtual-1 using initial mode 1024x768 +0+0",
        "(II) Loading extension demo",
    ),
    _mode(
        (
            r"\b(?P<driver>efifb|vesafb|simplefb|simple-framebuffer|offb):"
            r" mode is (?P<w>\d{3,5})x(?P<h>\d{3,5})x\d{1,2}"
        ),
        (": mode is ",),
        "efifb: mode is 1280x800x32, linelength=5120, pages=1",
        "efifb: no mode",
    ),
    _mode(
        r"Console: switching to colou?r frame buffer device (?P<cols>\d{2,4})x(?P<rows>\d{2,4})",
        ("frame buffer device ",),
        "Console: switching to colour frame buffer device 128x48",
        "Console: colour dummy device 80x25",
    ),
    _mode(
        r"(?:using initial mode|Modeline \"|Setting mode \") ?(?P<w>\d{3,5})x(?P<h>\d{3,5})",
        ("using initial mode", 'Modeline "', 'Setting mode "'),
        "(II) modeset(0): Output Virtual-1 using initial mode 1024x768 +0+0",
        "(II) using the first mode",
    ),
)
