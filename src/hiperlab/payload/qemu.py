"""QEMU with its libraries, modules and firmware, as entries of an archive with the same paths as here.

QEMU finds its data relative to its own path (``qemu -L help``) and its modules in ``lib/qemu`` of its prefix, so
everything keeps its path. A QEMU built by ``hiperiso qemu build`` uses the distribution's data, and has no
modules: it is placed in /usr/bin.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hiperiso.contract.words import TraceLevel
from hiperiso.errors import HarnessFault
from hiperiso.images import cpio
from hiperiso.machine.firmware import FirmwareImage, find_firmware
from hiperiso.machine.qemu import BINARY, cpu_features, find_qemu, qemu_version, trace_backend, trace_events
from hiperiso.machine.qemu_memory import SHIPPED, key_of
from hiperiso.observe.screen.fonts import GRUB_FONTS
from hiperiso.packages import install_hint
from hiperiso.trace.formats import DECLARATIONS, declarations_file
from hiperiso.trace.tiers import select_events, tier_events
from hiperlab.initramfs.libraries import program_entries
from hiperlab.run import run_text

ROMS: Final = (
    *("bios-256k.bin", "vgabios-stdvga.bin", "vgabios-virtio.bin"),
    *("kvmvapic.bin", "linuxboot.bin", "linuxboot_dma.bin", "pvh.bin"),
    "keymaps/en-us",  # required by QEMU to serve the screen
)
MODULES: Final = (
    "accel-tcg-x86_64",
    *("hw-display-virtio-gpu", "hw-display-virtio-gpu-pci", "hw-display-virtio-vga"),
)
"""Parts that builds may load with dlopen, or have built in."""

_NEEDED_ROMS = ("bios-256k.bin", "vgabios-stdvga.bin")
_DESCRIPTORS = "usr/share/qemu/firmware"
_PACKAGE = "qemu-system-x86"


def qemu_entries() -> Iterator[cpio.Entry]:
    """Yield the program, its modules and their libraries.

    Raises:
        HarnessFault: QEMU is not installed.
    """
    binary = find_qemu().resolve()
    name = _place(binary)
    programs = [(name, binary)]
    programs += [(_name(path), path) for path in _modules(binary)]
    yield from program_entries(programs)
    if name != f"usr/bin/{BINARY}":
        yield cpio.symlink(f"usr/bin/{BINARY}", f"/{name}")
    yield cpio.regular(_name(SHIPPED), _answers(binary))
    if declared := declarations_file(binary):
        wanted = frozenset(tier_events(TraceLevel.FULL))
        lines = [line for line in declared.read_text().splitlines() if line.partition("(")[0] in wanted]
        yield cpio.regular(f"usr/share/qemu/{DECLARATIONS}", "".join(f"{line}\n" for line in lines).encode())


def firmware_entries() -> Iterator[cpio.Entry]:
    """Yield the ROMs, the UEFI images with their variables, and the fonts for reading screens.

    Raises:
        HarnessFault: a file that every guest needs is missing.
    """
    yield from _roms(find_qemu())
    catalog = find_firmware()
    for image in (catalog.bios, catalog.uefi):
        if image is not None:
            yield from _image(image)
    font = next((path for path in GRUB_FONTS if path.is_file()), None)
    if font is None:
        raise HarnessFault(f"{GRUB_FONTS[0]} is missing", hint=install_hint("grub-common"))
    yield cpio.regular(_name(font), font.read_bytes())


def secure_boot_entries() -> Iterator[cpio.Entry]:
    """Yield the UEFI image with enrolled keys, and its variables.

    Raises:
        HarnessFault: there is none.
    """
    image = find_firmware().secure_boot
    if image is None:
        raise HarnessFault("no UEFI firmware with enrolled keys found", hint=install_hint("ovmf"))
    yield from _image(image)


def ovmf_image() -> bytes:
    """The contract's OVMF.fd: variables and code in one image, for ``-bios``.

    Raises:
        HarnessFault: no UEFI firmware in raw format.
    """
    image = find_firmware().uefi
    if image is None or {image.code_format, image.variables_format} != {"raw"}:
        raise HarnessFault("no UEFI firmware in raw format found", hint=install_hint("ovmf"))
    variables = image.variables_template.read_bytes() if image.variables_template else b""
    return variables + image.code.read_bytes()


def _place(binary: Path) -> str:
    """The path of the program on the stick: the same as here, unless that is not a directory for programs."""
    return _name(binary) if binary.is_relative_to("/usr") else f"usr/bin/{BINARY}"


def _answers(binary: Path) -> bytes:
    """The answers that the recorder needs from the binary, collected once."""
    backend = trace_backend(binary)
    answers = {
        "version": [qemu_version(binary)],
        "trace_backend": [backend.value] if backend else [],
        "cpu_features": sorted(cpu_features(binary)),
        "trace_events": list(select_events(TraceLevel.FULL, trace_events(binary))[0]),
    }
    # Files of the image have no times.
    key = key_of(Path("/usr/bin", BINARY), binary.stat().st_size, 0)
    return json.dumps({key: answers}).encode() + b"\n"


def _roms(binary: Path) -> Iterator[cpio.Entry]:
    folders = run_text([str(binary), "-L", "help"], package=_PACKAGE).split("\n")
    for name in ROMS:
        paths = (Path(os.path.normpath(folder), name) for folder in folders if folder)
        path = next((path for path in paths if path.is_file()), None)
        if path is not None:
            yield cpio.regular(_name(path), path.read_bytes())
        elif name in _NEEDED_ROMS:
            raise HarnessFault(f"QEMU's firmware {name} is missing", hint=install_hint("seabios"))


def _image(image: FirmwareImage) -> Iterator[cpio.Entry]:
    for path in (image.code, image.variables_template):
        if path is not None:
            yield cpio.regular(_name(path), path.read_bytes())
    source = Path(image.source)
    if source.suffix == ".json":
        yield cpio.regular(f"{_DESCRIPTORS}/{source.name}", source.read_bytes())


def _modules(binary: Path) -> Iterator[Path]:
    prefix = binary.parent.parent
    folders = [*sorted((prefix / "lib").glob("*-linux-gnu/qemu")), prefix / "lib64/qemu", prefix / "lib/qemu"]
    for name in MODULES:
        path = next((folder / f"{name}.so" for folder in folders if (folder / f"{name}.so").is_file()), None)
        if path is not None:
            yield path


def _name(path: Path) -> str:
    return str(path).lstrip("/")
