"""Finds the firmware images of this machine: BIOS, UEFI, and UEFI with Secure Boot keys enrolled.

First through QEMU's firmware descriptors (docs/interop/firmware.json in QEMU: JSON files in three directories; a
file name in a later directory of the search hides the same name in an earlier one, an empty file hides it for good,
and the order of the names is the order of preference), then at the paths where distributions put them.
"""

from __future__ import annotations

import fnmatch
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from hiperiso.cache import expanded
from hiperiso.contract.words import FirmwareKind
from hiperiso.errors import HarnessFault
from hiperiso.packages import install_hint

_MACHINE = "pc-q35-7.2"  # descriptors name machines by pattern (pc-q35-*)
_MAX_DESCRIPTOR_BYTES = 1 << 20
_FORMATS = ("raw", "qcow2")


class FirmwareImage(msgspec.Struct, frozen=True, kw_only=True):
    """One usable firmware.

    Attributes:
        secure_boot: Secure Boot is on, with keys enrolled in the template.
        code: the image to execute.
        variables_template: the variable store to copy; None where the image holds its own or has none.
        smm: needs System Management Mode.
        source: the descriptor or path that names it.
    """

    kind: FirmwareKind
    source: str
    secure_boot: bool = False
    code: Path
    code_format: str = "raw"
    variables_template: Path | None = None
    variables_format: str = "raw"
    smm: bool = False


class Skipped(msgspec.Struct, frozen=True):
    """A candidate that cannot be used, and why."""

    source: str
    reason: str


class FirmwareCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """The firmware that was found; None where nothing is usable."""

    bios: FirmwareImage | None
    uefi: FirmwareImage | None
    secure_boot: FirmwareImage | None
    skipped: tuple[Skipped, ...]

    @property
    def available(self) -> frozenset[FirmwareKind]:
        """The families that can be booted."""
        found = {FirmwareKind.BIOS: self.bios, FirmwareKind.UEFI: self.uefi}
        return frozenset(kind for kind, image in found.items() if image)

    def get(self, kind: FirmwareKind) -> FirmwareImage:
        """The image of `kind`, without Secure Boot.

        Raises:
            HarnessFault: none is installed.
        """
        image = self.bios if kind is FirmwareKind.BIOS else self.uefi
        if image is None:
            package = "seabios" if kind is FirmwareKind.BIOS else "ovmf"
            raise HarnessFault(f"no {kind.value.upper()} firmware found", hint=install_hint(package))
        return image


class KnownUefi(msgspec.Struct, frozen=True, kw_only=True):
    """A pair of files that a distribution installs."""

    code: str
    variables: str | None
    secure_boot: bool = False


KNOWN_UEFI: Final[tuple[KnownUefi, ...]] = (
    # Debian, Ubuntu
    KnownUefi(code="/usr/share/OVMF/OVMF_CODE_4M.fd", variables="/usr/share/OVMF/OVMF_VARS_4M.fd"),
    KnownUefi(
        code="/usr/share/OVMF/OVMF_CODE_4M.ms.fd",
        variables="/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
        secure_boot=True,
    ),
    KnownUefi(code="/usr/share/OVMF/OVMF_CODE.fd", variables="/usr/share/OVMF/OVMF_VARS.fd"),
    KnownUefi(
        code="/usr/share/OVMF/OVMF_CODE.ms.fd", variables="/usr/share/OVMF/OVMF_VARS.ms.fd", secure_boot=True
    ),
    # Fedora, RHEL
    KnownUefi(code="/usr/share/edk2/ovmf/OVMF_CODE.fd", variables="/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    KnownUefi(
        code="/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd",
        variables="/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd",
        secure_boot=True,
    ),
    # Arch
    KnownUefi(code="/usr/share/edk2/x64/OVMF_CODE.4m.fd", variables="/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    KnownUefi(
        code="/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", variables="/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"
    ),
    # openSUSE
    KnownUefi(
        code="/usr/share/qemu/ovmf-x86_64-4m-code.bin", variables="/usr/share/qemu/ovmf-x86_64-4m-vars.bin"
    ),
    KnownUefi(
        code="/usr/share/qemu/ovmf-x86_64-smm-ms-code.bin",
        variables="/usr/share/qemu/ovmf-x86_64-smm-ms-vars.bin",
        secure_boot=True,
    ),
    # QEMU's own, and images that hold code and variables together
    KnownUefi(code="/usr/share/qemu/edk2-x86_64-code.fd", variables="/usr/share/qemu/edk2-i386-vars.fd"),
    KnownUefi(code="/usr/share/qemu/OVMF.fd", variables=None),
    KnownUefi(code="/usr/share/ovmf/OVMF.fd", variables=None),
)

KNOWN_BIOS: Final[tuple[str, ...]] = (
    "/usr/share/seabios/bios-256k.bin",
    "/usr/share/qemu/bios-256k.bin",
    "/usr/local/share/qemu/bios-256k.bin",
    "/usr/share/seabios/bios.bin",
    "/usr/share/qemu/bios.bin",
)


def default_descriptor_dirs() -> tuple[Path, ...]:
    """QEMU's directories of descriptors, the strongest first: the user's, the administrator's, the packages'."""
    config_home = os.environ.get("XDG_CONFIG_HOME") or str(expanded("~/.config"))
    return (Path(config_home, "qemu/firmware"), Path("/etc/qemu/firmware"), Path("/usr/share/qemu/firmware"))


def find_firmware(
    *,
    descriptor_dirs: Sequence[Path] | None = None,
    known_uefi: Iterable[KnownUefi] = KNOWN_UEFI,
    known_bios: Iterable[str] = KNOWN_BIOS,
) -> FirmwareCatalog:
    """Look for firmware. Plain UEFI images are preferred to those that need System Management Mode (slower)."""
    skipped: list[Skipped] = []
    images = list(
        _described(default_descriptor_dirs() if descriptor_dirs is None else descriptor_dirs, skipped)
    )
    images += _at_known_paths(known_uefi, skipped)
    plain = [i for i in images if i.kind is FirmwareKind.UEFI and not i.secure_boot]
    return FirmwareCatalog(
        bios=_bios(images, known_bios, skipped),
        uefi=next(iter(sorted(plain, key=lambda image: image.smm)), None),
        secure_boot=next((i for i in images if i.secure_boot), None),
        skipped=tuple(skipped),
    )


# ── descriptors ──


def _described(dirs: Sequence[Path], skipped: list[Skipped]) -> Iterator[FirmwareImage]:
    for path in _descriptor_files(dirs, skipped):
        try:
            if path.stat().st_size > _MAX_DESCRIPTOR_BYTES:
                raise ValueError("too large for a descriptor")
            yield _parse_descriptor(json.loads(path.read_bytes()), str(path))
        except OSError as error:
            skipped.append(Skipped(str(path), f"cannot be read: {error.strerror}"))
        except json.JSONDecodeError as error:
            skipped.append(Skipped(str(path), f"not JSON: {error}"))
        except (KeyError, TypeError, AttributeError) as error:
            skipped.append(Skipped(str(path), f"not a firmware descriptor ({error!r})"))
        except ValueError as error:
            skipped.append(Skipped(str(path), str(error)))


def _descriptor_files(dirs: Sequence[Path], skipped: list[Skipped]) -> list[Path]:
    by_name: dict[str, Path] = {}
    for directory in dirs:
        try:
            for path in sorted(directory.glob("*.json")):
                by_name.setdefault(path.name, path)
        except OSError as error:
            skipped.append(Skipped(str(directory), f"cannot be listed: {error.strerror}"))
    ordered = [by_name[name] for name in sorted(by_name)]
    hidden = [path for path in ordered if _is_mask(path)]
    skipped.extend(Skipped(str(path), "empty: hides the descriptor of that name") for path in hidden)
    return [path for path in ordered if path not in hidden]


def _is_mask(path: Path) -> bool:
    """An empty file or a link to /dev/null hides a descriptor."""
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


def _parse_descriptor(descriptor: Any, source: str) -> FirmwareImage:
    """The image that a descriptor names.

    Raises:
        ValueError: it is for other machines or cannot be used; the text has the reason.
    """
    features = set(descriptor.get("features", []))
    kind = next((k for k in FirmwareKind if k.value in descriptor["interface-types"]), None)
    if kind is None:
        raise ValueError(f"interface {', '.join(descriptor['interface-types'])} is neither bios nor uefi")
    if not any(_suits(target) for target in descriptor["targets"]):
        raise ValueError("not for x86_64 q35 machines")
    secure_boot = "enrolled-keys" in features and "secure-boot" in features
    code, code_format, template, template_format = _mapped_files(descriptor["mapping"])
    for file in (code, template):
        if file is not None and not file.is_file():
            raise ValueError(f"{file} does not exist")
    if secure_boot and template is None:
        raise ValueError("Secure Boot without a variable store cannot hold keys")
    return FirmwareImage(
        kind=kind,
        source=source,
        secure_boot=secure_boot,
        code=code,
        code_format=code_format,
        variables_template=template,
        variables_format=template_format,
        smm="requires-smm" in features,
    )


def _suits(target: dict[str, Any]) -> bool:
    machines = target["machines"]
    return target["architecture"] == "x86_64" and any(fnmatch.fnmatchcase(_MACHINE, m) for m in machines)


def _mapped_files(mapping: dict[str, Any]) -> tuple[Path, str, Path | None, str]:
    """Executable and its format, variable store template and its format."""
    if mapping["device"] == "memory":
        return Path(mapping["filename"]), "raw", None, "raw"
    if mapping["device"] != "flash":
        raise ValueError(f"mapping {mapping['device']} is not supported")
    if mapping.get("mode", "split") != "split":
        raise ValueError(f"flash mode {mapping['mode']} is not supported")
    executable, template = mapping["executable"], mapping["nvram-template"]
    for file in (executable, template):
        if file["format"] not in _FORMATS:
            raise ValueError(f"image format {file['format']} is not supported")
    return Path(executable["filename"]), executable["format"], Path(template["filename"]), template["format"]


# ── known paths ──


def _at_known_paths(known: Iterable[KnownUefi], skipped: list[Skipped]) -> list[FirmwareImage]:
    images = []
    for pair in known:
        code, template = Path(pair.code), Path(pair.variables) if pair.variables else None
        if not code.is_file():
            skipped.append(Skipped(pair.code, "does not exist"))
        elif template and not template.is_file():
            skipped.append(Skipped(pair.code, f"its variable store {template} does not exist"))
        else:
            images.append(
                FirmwareImage(
                    kind=FirmwareKind.UEFI,
                    source=pair.code,
                    secure_boot=pair.secure_boot,
                    code=code,
                    variables_template=template,
                    smm=pair.secure_boot,
                )
            )
    return images


def _bios(
    images: Iterable[FirmwareImage], known_bios: Iterable[str], skipped: list[Skipped]
) -> FirmwareImage | None:
    described = next((image for image in images if image.kind is FirmwareKind.BIOS), None)
    if described:
        return described
    for path in known_bios:
        if Path(path).is_file():
            return FirmwareImage(kind=FirmwareKind.BIOS, source=path, code=Path(path))
        skipped.append(Skipped(path, "does not exist"))
    return None
