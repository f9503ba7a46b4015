"""Firmware lookup in directories made for the test, and on this machine."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hiperiso.contract.words import FirmwareKind
from hiperiso.errors import HarnessFault
from hiperiso.machine.firmware import (
    FirmwareCatalog,
    KnownUefi,
    default_descriptor_dirs,
    find_firmware,
)
from hiperiso.machine.part import Preparation
from hiperiso.machine.parts.firmware import VARIABLES_FILE, Bios, Uefi, firmware_part


class Shelf:
    """Three descriptor directories, and image files that really exist."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.user, self.etc, self.share = self.dirs = [root / name for name in ("user", "etc", "share")]
        for directory in self.dirs[1:]:  # the user's does not exist, as on most machines
            directory.mkdir()

    def image(self, name: str, content: bytes = b"firmware") -> str:
        (self.root / name).write_bytes(content)
        return str(self.root / name)

    def describe(self, directory: Path, name: str, **changes: Any) -> Path:
        base: dict[str, Any] = {
            "description": "test",
            "interface-types": ["uefi"],
            "mapping": {
                "device": "flash",
                "executable": {"filename": self.image("code.fd"), "format": "raw"},
                "nvram-template": {"filename": self.image("vars.fd", b"template"), "format": "raw"},
            },
            "targets": [{"architecture": "x86_64", "machines": ["pc-q35-*"]}],
            "features": ["acpi-s3"],
            "tags": [],
        }
        directory.mkdir(exist_ok=True)
        (directory / name).write_text(json.dumps({**base, **changes}))
        return directory / name

    def find(self) -> FirmwareCatalog:
        return find_firmware(descriptor_dirs=self.dirs, known_uefi=(), known_bios=())


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


SECURE = ["secure-boot", "enrolled-keys", "requires-smm"]


def test_order_is_by_file_name_across_directories(shelf: Shelf) -> None:
    shelf.describe(shelf.share, "50-a.json")
    first = shelf.describe(shelf.etc, "40-b.json")
    found = shelf.find().uefi
    assert found is not None
    assert found.source == str(first)


def test_same_name_in_a_stronger_directory_hides(shelf: Shelf) -> None:
    shelf.describe(shelf.share, "40-a.json")
    shelf.describe(shelf.etc, "40-a.json")
    strongest = shelf.describe(shelf.user, "40-a.json")
    found = shelf.find().uefi
    assert found is not None
    assert found.source == str(strongest)


@pytest.mark.parametrize("how", ["empty", "null"])
def test_mask(shelf: Shelf, how: str) -> None:
    shelf.describe(shelf.share, "40-a.json")
    if how == "empty":
        (shelf.etc / "40-a.json").write_text("")
    else:
        (shelf.etc / "40-a.json").symlink_to("/dev/null")
    catalog = shelf.find()
    assert catalog.uefi is None
    assert [skip.reason for skip in catalog.skipped] == ["empty: hides the descriptor of that name"]


def test_kinds_are_distinguished(shelf: Shelf) -> None:
    shelf.describe(shelf.share, "10-secure.json", features=SECURE)
    shelf.describe(shelf.share, "20-smm.json", features=["secure-boot", "requires-smm"])
    plain = shelf.describe(shelf.share, "30-plain.json")
    bios = {"device": "memory", "filename": shelf.image("bios.bin")}
    shelf.describe(shelf.share, "40-bios.json", mapping=bios, **{"interface-types": ["bios"]})
    catalog = shelf.find()
    assert catalog.secure_boot is not None
    assert catalog.secure_boot.smm
    assert catalog.uefi is not None
    assert catalog.uefi.source == str(plain)
    assert catalog.bios is not None
    assert catalog.bios.code == shelf.root / "bios.bin"
    assert catalog.available == set(FirmwareKind)


def test_smm_image_serves_where_there_is_no_other(shelf: Shelf) -> None:
    shelf.describe(shelf.share, "20-smm.json", features=["secure-boot", "requires-smm"])
    found = shelf.find().uefi
    assert found is not None
    assert found.smm


def _flash(shelf: Shelf, **changes: Any) -> dict[str, Any]:
    file = {"filename": shelf.image("x.fd"), "format": "raw"}
    return {"device": "flash", "executable": file, "nvram-template": file, **changes}


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda s: {"targets": [{"architecture": "aarch64", "machines": ["virt-*"]}]}, "not for x86_64 q35"),
        (lambda s: {"targets": [{"architecture": "x86_64", "machines": ["microvm"]}]}, "not for x86_64 q35"),
        (lambda s: {"interface-types": ["openfirmware"]}, "neither bios nor uefi"),
        (lambda s: {"mapping": _flash(s, mode="stateless")}, "stateless"),
        (
            lambda s: {"mapping": _flash(s, executable={"filename": "/none.fd", "format": "raw"})},
            "does not exist",
        ),
        (lambda s: {"mapping": _flash(s, executable={"filename": "/", "format": "vmdk"})}, "vmdk"),
        (lambda s: {"mapping": {"device": "kernel", "filename": "/x"}}, "mapping kernel"),
        (lambda s: {"mapping": "nonsense"}, "not a firmware descriptor"),
    ],
)
def test_skipped_with_its_reason(shelf: Shelf, make: Any, why: str) -> None:
    path = shelf.describe(shelf.share, "40-a.json", **make(shelf))
    catalog = shelf.find()
    assert catalog.uefi is None
    assert [skip.source for skip in catalog.skipped] == [str(path)]
    assert why in catalog.skipped[0].reason


@pytest.mark.parametrize("content", ["{", "[]", "7", '{"targets": []}', "\x00\xff"])
def test_damaged_descriptor_does_not_hide_the_next(shelf: Shelf, content: str) -> None:
    (shelf.share / "10-bad.json").write_text(content)
    shelf.describe(shelf.share, "40-a.json")
    catalog = shelf.find()
    assert catalog.uefi is not None
    assert len(catalog.skipped) == 1


def test_known_paths_after_descriptors(shelf: Shelf) -> None:
    code, variables = shelf.image("K.fd"), shelf.image("KV.fd")
    pairs = (
        KnownUefi(code="/none/A.fd", variables=None),
        KnownUefi(code=code, variables="/none/V.fd"),
        KnownUefi(code=code, variables=variables),
        KnownUefi(code=code, variables=variables, secure_boot=True),
    )
    catalog = find_firmware(
        descriptor_dirs=[], known_uefi=pairs, known_bios=("/none", shelf.image("bios.bin"))
    )
    assert catalog.uefi is not None
    assert catalog.uefi.variables_template == Path(variables)
    assert catalog.secure_boot is not None
    assert catalog.bios is not None
    reasons = [skip.reason for skip in catalog.skipped]
    assert reasons == ["does not exist", "its variable store /none/V.fd does not exist", "does not exist"]


def test_nothing_installed() -> None:
    catalog = find_firmware(descriptor_dirs=[], known_uefi=(), known_bios=())
    assert catalog.available == frozenset()
    with pytest.raises(HarnessFault) as fault:
        catalog.get(FirmwareKind.UEFI)
    assert "ovmf" in fault.value.hint


def test_variables_are_copied_not_shared(shelf: Shelf, tmp_path: Path) -> None:
    shelf.describe(shelf.share, "40-a.json")
    image = shelf.find().get(FirmwareKind.UEFI)
    session = tmp_path / "session"
    session.mkdir()
    firmware = firmware_part(image, session)
    assert isinstance(firmware, Uefi)
    assert firmware.variables == session / VARIABLES_FILE
    preparation = Preparation(ExitStack())
    firmware.prepare(preparation)
    firmware.variables.write_bytes(b"changed")
    assert (shelf.root / "vars.fd").read_bytes() == b"template"
    with pytest.raises(HarnessFault, match="cannot be copied"):
        firmware_part(image, tmp_path / "none").prepare(preparation)


def test_user_directory_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/home/x/cfg")
    assert default_descriptor_dirs()[0] == Path("/home/x/cfg/qemu/firmware")


def test_this_machine(tmp_path: Path) -> None:
    """Debian's packages seabios and ovmf, which the other tests need too."""
    catalog = find_firmware()
    assert catalog.available == set(FirmwareKind)
    assert catalog.secure_boot is not None
    assert isinstance(firmware_part(catalog.get(FirmwareKind.BIOS), tmp_path), Bios)
    uefi = firmware_part(catalog.get(FirmwareKind.UEFI), tmp_path)
    assert isinstance(uefi, Uefi)
    assert not uefi.smm
