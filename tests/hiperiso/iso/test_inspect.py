"""Real images made by xorriso and pycdlib, and everything that is not one."""

import os
import struct
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pycdlib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hiperiso.contract.words import FirmwareChoice, FirmwareKind
from hiperiso.errors import HarnessFault, IsoError, UsageError
from hiperiso.iso.eltorito import Platform
from hiperiso.iso.inspect import IsoInfo, inspect_iso
from hiperiso.machine.parts.firmware import choose_firmware
from machine_speed import assert_cheap
from property_tests import examples

IPXE = Path("/usr/lib/ipxe/ipxe.iso")
MEMTEST = Path("/usr/lib/memtest86+/memtest86+x64.iso")
BOTH = frozenset(FirmwareKind)


def make_iso(path: Path, *options: str, files: dict[str, bytes] | None = None) -> Path:
    tree = path.with_suffix(".tree")
    tree.mkdir()
    for name, content in {"boot.img": bytes(2048), "efi.img": bytes(4096), **(files or {})}.items():
        (tree / name).write_bytes(content)
    subprocess.run(
        ["xorriso", "-as", "mkisofs", "-quiet", "-o", path, *options, tree], check=True, capture_output=True
    )
    return path


BIOS_ENTRY = ("-b", "boot.img", "-no-emul-boot", "-boot-load-size", "4")
EFI_ENTRY = ("-e", "efi.img", "-no-emul-boot")


def pycdlib_entries(path: Path) -> list[tuple[int, int, int]]:
    """Platform, load sector and media as the library reads them."""
    image = pycdlib.PyCdlib()
    image.open(str(path))
    catalog = image.eltorito_boot_catalog
    assert catalog is not None
    found = [(catalog.validation_entry.platform_id, catalog.initial_entry)]
    found += [
        (section.platform_id, entry) for section in catalog.sections for entry in section.section_entries
    ]
    image.close()
    return [(platform, entry.get_rba(), entry.boot_media_type & 0xF) for platform, entry in found]


@pytest.mark.parametrize("path", [IPXE, MEMTEST], ids=["ipxe", "memtest"])
def test_agrees_with_pycdlib_on_real_images(path: Path) -> None:
    info = inspect_iso(path)
    codes = {0: Platform.X86, 0xEF: Platform.EFI}
    media = ("none", "floppy-1.2M", "floppy-1.44M", "floppy-2.88M", "disk")
    assert [(e.platform, e.load_sector, e.media) for e in info.boot_entries] == [
        (codes[platform], sector, media[kind]) for platform, sector, kind in pycdlib_entries(path)
    ]
    assert info.iso9660
    assert not info.truncated
    assert info.size_bytes == path.stat().st_size


def test_names_of_memtest() -> None:
    info = inspect_iso(MEMTEST)
    assert info.volume_id == "MT86PLUS_64"
    assert info.mbr_boot
    assert info.esp


def test_texts(tmp_path: Path) -> None:
    iso = make_iso(tmp_path / "a.iso", "-V", "My Volume", "-publisher", "ME & CO", "-A", "AN APP")
    info = inspect_iso(iso)
    assert (info.volume_id, info.publisher, info.application) == ("My Volume", "ME & CO", "AN APP")
    assert info.boot_entries == ()
    assert not info.mbr_boot
    assert not info.gpt


@pytest.mark.parametrize(
    ("options", "boots", "kind", "why"),
    [
        (BIOS_ENTRY, (True, False), FirmwareKind.BIOS, "BIOS boot entry"),
        (EFI_ENTRY, (False, True), FirmwareKind.UEFI, "none for BIOS"),
        ((*BIOS_ENTRY, "-eltorito-alt-boot", *EFI_ENTRY), (True, True), FirmwareKind.BIOS, "BIOS boot entry"),
        ((), (False, False), FirmwareKind.BIOS, "no boot entry"),
    ],
    ids=["bios", "efi", "both", "neither"],
)
def test_firmware_chosen(
    tmp_path: Path, options: tuple[str, ...], boots: tuple[bool, bool], kind: FirmwareKind, why: str
) -> None:
    info = inspect_iso(make_iso(tmp_path / "a.iso", *options))
    assert (info.boots(Platform.X86), info.boots(Platform.EFI)) == boots
    decision = choose_firmware(info, FirmwareChoice.AUTO, BOTH)
    assert decision.kind is kind
    assert why in decision.reason


def test_entry_that_is_not_bootable_does_not_count(tmp_path: Path) -> None:
    iso = make_iso(tmp_path / "a.iso", *BIOS_ENTRY)
    data = bytearray(iso.read_bytes())
    catalog = struct.unpack_from("<I", data, 17 * 2048 + 71)[0] * 2048
    assert data[catalog + 32] == 0x88
    data[catalog + 32] = 0
    iso.write_bytes(data)
    decision = choose_firmware(inspect_iso(iso), FirmwareChoice.AUTO, BOTH)
    assert decision.kind is FirmwareKind.BIOS
    assert "no boot entry of the ISO is for a PC" in decision.reason


def test_firmware_asked_for_and_missing() -> None:
    info = inspect_iso(MEMTEST)
    assert choose_firmware(info, FirmwareChoice.UEFI, BOTH).kind is FirmwareKind.UEFI
    with pytest.raises(HarnessFault) as fault:
        choose_firmware(info, FirmwareChoice.UEFI, {FirmwareKind.BIOS})
    assert "ovmf" in fault.value.hint
    with pytest.raises(UsageError):
        choose_firmware(info, FirmwareChoice.AUTO, {FirmwareKind.UEFI})


def test_hybrid_with_gpt_esp(tmp_path: Path) -> None:
    iso = make_iso(
        tmp_path / "a.iso",
        *BIOS_ENTRY,
        "-eltorito-alt-boot",
        *EFI_ENTRY,
        *("-append_partition", "2", "0xef", str(_file(tmp_path / "esp", bytes(1 << 20)))),
        *("-appended_part_as_gpt", "-partition_offset", "16"),
    )
    info = inspect_iso(iso)
    assert info.gpt
    assert info.esp
    assert not info.truncated


def test_truncated(tmp_path: Path) -> None:
    iso = make_iso(tmp_path / "a.iso", *BIOS_ENTRY, files={"big": bytes(400_000)})
    whole = iso.stat().st_size
    os.truncate(iso, 200_000)
    info = inspect_iso(iso)
    assert info.truncated
    assert info.missing_bytes == whole - 200_000
    assert info.size_bytes == 200_000


def test_udf_bridge(tmp_path: Path) -> None:
    image = pycdlib.PyCdlib()
    image.new(udf="2.60", vol_ident="BRIDGE")
    image.add_fp(BytesIO(b"x"), 1, "/X.;1", udf_path="/x")
    image.write(str(tmp_path / "u.iso"))
    image.close()
    info = inspect_iso(tmp_path / "u.iso")
    assert info.udf
    assert info.iso9660
    assert info.volume_id == "BRIDGE"


def test_udf_alone(tmp_path: Path) -> None:
    """Windows images declare UDF alone; made from a bridge by wiping its ISO 9660 descriptors but the boot record."""
    image = pycdlib.PyCdlib()
    image.new(udf="2.60", vol_ident="WINDOWS")
    image.add_fp(BytesIO(bytes(2048)), 2048, "/BOOT.;1", udf_path="/boot")
    image.add_eltorito("/BOOT.;1", udf_bootcatfile="/boot.cat")
    image.write(str(tmp_path / "u.iso"))
    image.close()
    data = bytearray((tmp_path / "u.iso").read_bytes())
    assert data[16 * 2048 : 16 * 2048 + 6] == b"\x01CD001"
    data[16 * 2048] = 9  # no longer a primary descriptor
    (tmp_path / "u.iso").write_bytes(data)
    info = inspect_iso(tmp_path / "u.iso")
    assert (info.udf, info.iso9660) == (True, False)
    assert info.volume_id == "WINDOWS"
    assert info.boots(Platform.X86)
    assert not info.truncated
    os.truncate(tmp_path / "u.iso", len(data) - 6 * 2048)
    assert 0 < inspect_iso(tmp_path / "u.iso").missing_bytes <= 6 * 2048
    os.truncate(tmp_path / "u.iso", 100 * 2048)
    assert inspect_iso(tmp_path / "u.iso").truncated


def test_broken_directories_do_not_matter(tmp_path: Path) -> None:
    iso = make_iso(tmp_path / "a.iso", *BIOS_ENTRY)
    data = bytearray(iso.read_bytes())
    root = struct.unpack_from("<I", data, 16 * 2048 + 158)[0]
    data[root * 2048 : root * 2048 + 2048] = b"\xff" * 2048
    data[16 * 2048 + 140 : 16 * 2048 + 156] = b"\xff" * 16  # path tables
    iso.write_bytes(data)
    with pytest.raises(Exception, match=r".+"):  # the general-purpose reader refuses it
        pycdlib.PyCdlib().open(str(iso))
    assert inspect_iso(iso).boots(Platform.X86)


def test_large_image_takes_no_time(tmp_path: Path) -> None:
    iso = make_iso(tmp_path / "a.iso", *BIOS_ENTRY)
    os.truncate(iso, 5 << 30)
    start_s = time.process_time()
    assert inspect_iso(iso).size_bytes == 5 << 30
    assert_cheap(time.process_time() - start_s, 1)


def test_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "none.iso", _file(tmp_path / "f", b"x") / "below.iso", tmp_path / ("n" * 300)):
        with pytest.raises(IsoError) as error:
            inspect_iso(path)
        assert error.value.missing == (len(path.name) < 255)
        assert "\n" not in error.value.message


def _bad(content: bytes) -> bytes:
    return content + bytes(200_000 - len(content))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"hello", "too short"),
        (bytes(200_000), "not an ISO 9660 or UDF image"),
        (_bad(b"\x1f\x8b\x08"), "gzip"),
        (_bad(b"\xfd7zXZ\x00"), "xz"),
        (_bad(b"<!DOCTYPE html>"), "web page"),
        (_bad(b"QFI\xfb"), "qcow2"),
        (_bad(bytes(510) + b"\x55\xaa"), "disk image"),
    ],
)
def test_no_iso(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(IsoError, match=says) as error:
        inspect_iso(_file(tmp_path / "bad.iso", content))
    assert not error.value.missing
    assert error.value.hint


def test_things_that_are_not_files(tmp_path: Path) -> None:
    with pytest.raises(IsoError, match="directory"):
        inspect_iso(tmp_path)
    os.mkfifo(tmp_path / "pipe.iso")
    with pytest.raises(IsoError, match="neither a file"):
        inspect_iso(tmp_path / "pipe.iso")
    (tmp_path / "loop.iso").symlink_to("loop.iso")
    with pytest.raises(IsoError):
        inspect_iso(tmp_path / "loop.iso")
    with pytest.raises(IsoError):
        inspect_iso(Path("nul\0.iso"))


def test_unreadable(tmp_path: Path) -> None:
    """In a child that gives up root, which reads everything."""
    iso = _file(tmp_path / "a.iso", b"x" * 100)
    iso.chmod(0)
    parent = tmp_path
    while parent != Path("/tmp") and parent != parent.parent:
        parent.chmod(0o755)
        parent = parent.parent
    code = (
        "import os, sys; from pathlib import Path; from hiperiso.iso.inspect import inspect_iso\n"
        "from hiperiso.errors import IsoError\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: inspect_iso(Path(sys.argv[1]))\n"
        "except IsoError as error: print(error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, iso], capture_output=True, text=True, check=True)
    assert "permission denied" in done.stdout


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=examples(60)
)
@given(st.lists(st.tuples(st.integers(0, 40 * 2048), st.binary(max_size=40)), max_size=12))
def test_damage_never_escapes(tmp_path: Path, patches: list[tuple[int, bytes]]) -> None:
    data = bytearray(MEMTEST.read_bytes()[: 64 * 2048])
    for at, patch in patches:
        data[at : at + len(patch)] = patch
    try:
        info = inspect_iso(_file(tmp_path / "damaged.iso", bytes(data)))
    except IsoError:
        return
    assert isinstance(info, IsoInfo)
    assert info.volume_id.isprintable()


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
