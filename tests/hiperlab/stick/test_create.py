"""Real images: made, checked by other programs, broken, interrupted, repaired."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hiperiso.contract.stick import VENTOY_CPIO
from hiperiso.errors import HarnessFault, UsageError
from hiperlab.debian.packages import Sources
from hiperlab.stick.create import StickOptions, create_stick, update_stick
from hiperlab.stick.esp import extracted_esp, files_below
from hiperlab.stick.gpt import read_table
from hiperlab.stick.image import open_stick
from hiperlab.stick.layout import Extent
from hiperlab.stick.payload import Payload, read_payload
from hiperlab.stick.settings_file import parse_stick_config
from hiperlab.stick.verify import verify_stick

from .conftest import SIZE_BYTES, make_payload
from .oracle import cut, fsck_exfat, grub_reads, run


def extents(image: Path) -> dict[int, Extent]:
    with image.open("rb") as file:
        return {
            number: part.extent for number, part in read_table(file, image.stat().st_size).partitions.items()
        }


def data_hash(image: Path) -> str:
    extent = extents(image)[1]
    with image.open("rb") as file:
        file.seek(extent.offset_bytes)
        return hashlib.sha256(file.read(extent.size_bytes)).hexdigest()


def esp_files(image: Path) -> dict[str, bytes]:
    with image.open("rb") as file, extracted_esp(file, extents(image)[2]) as (_, folder):
        return {path: found.read_bytes() for path, found in files_below(folder).items()}


def broken(image: Path) -> list[str]:
    return [finding.what for finding in verify_stick(image).broken]


def test_a_stick_is_what_the_contract_says(stick: Path, tmp_path: Path) -> None:
    assert "No problems found" in run("sgdisk", "--verify", stick)
    parts = extents(stick)
    assert parts[1].first_sector < parts[2].first_sector
    assert parts[2].size_bytes == 64 << 20
    esp = cut(stick, parts[2].offset_bytes, parts[2].size_bytes, tmp_path / "esp")
    run("fsck.fat", "-n", esp)
    assert "VTOYEFI" in run("mdir", "-i", esp, "::")
    boot = esp.read_bytes()[:512]
    assert boot[54:62] == b"FAT16   "
    assert struct.unpack_from("<I", boot, 28)[0] == parts[2].first_sector  # hidden sectors
    files = esp_files(stick)
    assert {
        "EFI/BOOT/BOOTX64.EFI",
        "EFI/BOOT/grub.cfg",
        "EFI/hiperiso/vmlinuz",
        "EFI/hiperiso/initramfs.cpio.gz",
    } < set(files)
    assert {"EFI/hiperiso/OVMF.fd", "EFI/hiperiso/trace/standard.events", VENTOY_CPIO.lstrip("/")} < set(
        files
    )
    assert files["EFI/hiperiso/vmlinuz"] == b"kernel" * 1000
    fsck_exfat(cut(stick, parts[1].offset_bytes, parts[1].size_bytes, tmp_path / "data"))
    result = verify_stick(stick)
    assert (result.findings, result.filesystem) == ((), "exfat")
    assert result.manifest is not None and result.manifest.versions == {"kernel": "6.1"}


def test_the_menu_waits_for_the_data_partition_of_this_stick(stick: Path) -> None:
    with stick.open("rb") as file:
        unique = read_table(file, SIZE_BYTES).partitions[1].uuid
    assert f"waitdev=PARTUUID={unique} ".encode() in esp_files(stick)["EFI/BOOT/grub.cfg"]


def test_the_same_seed_gives_the_same_bytes_and_none_gives_others(
    master: Path, tmp_path: Path, options: StickOptions
) -> None:
    same, other = tmp_path / "same", tmp_path / "other"
    create_stick(same, SIZE_BYTES, options)
    assert hashlib.sha256(same.read_bytes()).digest() == hashlib.sha256(master.read_bytes()).digest()
    create_stick(other, SIZE_BYTES, replace(options, seed=""))
    with other.open("rb") as file, master.open("rb") as first:
        assert (
            read_table(file, SIZE_BYTES).partitions[1].uuid
            != read_table(first, SIZE_BYTES).partitions[1].uuid
        )


def test_ext4(tmp_path: Path, options: StickOptions) -> None:
    image = tmp_path / "stick.img"
    create_stick(image, SIZE_BYTES, replace(options, filesystem="ext4"))
    extent = extents(image)[1]
    part = cut(image, extent.offset_bytes, extent.size_bytes, tmp_path / "data")
    run("e2fsck", "-fn", part)
    assert grub_reads(part, "/hiperiso/hiperiso.json") == options.config
    assert verify_stick(image).filesystem == "ext4"
    with open_stick(image, writable=True) as opened:
        data = opened.data()
        name = 'it\'s "q" $x `y`.iso'
        data.make_folders("/ISOs/sub dir")
        data.add(f"/ISOs/sub dir/{name}", [b"abc" * 5000], 15000)
        assert b"".join(data.read(f"/ISOs/sub dir/{name}")) == b"abc" * 5000
        with pytest.raises(UsageError, match="already"):
            data.add(f"/ISOs/sub dir/{name}", [b""], 0)
        with pytest.raises(HarnessFault, match="full"):
            data.add("/ISOs/big.iso", [], 1 << 40)
        assert [file.path for file in data.walk("/ISOs")] == ["/ISOs/sub dir", f"/ISOs/sub dir/{name}"]
        assert data.find("/hiperiso/hiperiso.json") is not None
        assert list(data.walk("/none")) == []
    part = cut(image, extent.offset_bytes, extent.size_bytes, tmp_path / "data")
    run("e2fsck", "-fn", part)


def test_an_unknown_file_system_or_a_broken_configuration_writes_nothing(
    tmp_path: Path, options: StickOptions
) -> None:
    image = tmp_path / "stick.img"
    for changed in (
        replace(options, filesystem="xfs"),
        replace(options, config=b"{"),
        replace(options, config=b"[]"),
    ):
        with pytest.raises(UsageError):
            create_stick(image, SIZE_BYTES, changed)
    with pytest.raises(UsageError, match="too small"):
        create_stick(image, 1 << 20, options)
    assert not image.exists()


def test_overrides_that_no_command_line_holds_are_named_and_nothing_is_written(
    tmp_path: Path, options: StickOptions
) -> None:
    image = tmp_path / "stick.img"
    document = {"iso_overrides": {"/ISOs/a.iso": {"ram": 512, "expect_text": "x" * 2000}}}
    overlong = json.dumps(document).encode()
    with pytest.raises(UsageError, match=r"/ISOs/a\.iso: no space for expect_text") as raised:
        create_stick(image, SIZE_BYTES, replace(options, config=overlong))
    assert "pattern" in raised.value.hint and not image.exists()
    # What fits when the stick is made may fit no longer at an update: the menu leaves that ISO to the recorder.
    document = {"iso_overrides": {"/ISOs/a.iso": {"ram": 512, "expect_text": "x" * 1000}}}
    create_stick(image, SIZE_BYTES, replace(options, config=json.dumps(document).encode()))
    assert b"hiperiso_guest_ram=512" in esp_files(image)["EFI/BOOT/grub.cfg"]
    said: list[str] = []
    update_stick(image, replace(options, on_step=said.append, kernel_options="quiet " + "y" * 900))
    assert [line for line in said if "no space for expect_text" in line]
    assert b"hiperiso_guest_ram=512" not in esp_files(image)["EFI/BOOT/grub.cfg"]


def test_settings_that_would_keep_isos_from_booting_are_reported() -> None:
    config = b'{"iso_overrides": {"win*.iso": {"vga": "x"}, "*.iso": {"ram": "x"}, "fine": {"ram": 512}}}'
    reported = parse_stick_config(config).problems
    assert [line.split(": ")[0] for line in reported] == [
        "iso_overrides['win*.iso'].vga",
        "iso_overrides['*.iso'].ram",
    ]


def test_a_payload_that_does_not_fit(tmp_path: Path, sources: Sources) -> None:
    folder = make_payload(tmp_path / "p", kernel=bytes(50 << 20))
    options = StickOptions(payload=read_payload(folder), sources=sources, secure_boot=False)
    with pytest.raises(HarnessFault, match=r"must keep 15\.0 MiB free"):
        create_stick(tmp_path / "stick.img", SIZE_BYTES, options)
    assert not (tmp_path / "stick.img").exists()


def test_another_grub(tmp_path: Path, options: StickOptions) -> None:
    given = tmp_path / "grub.efi"
    given.write_bytes(b"MZ" + b"another" * 100)
    image = tmp_path / "stick.img"
    create_stick(image, SIZE_BYTES, replace(options, grub_efi=given))
    assert esp_files(image)["EFI/BOOT/BOOTX64.EFI"] == given.read_bytes()
    given.unlink()
    update_stick(image, replace(options, secure_boot=None))
    assert esp_files(image)["EFI/BOOT/BOOTX64.EFI"] == b"MZ" + b"another" * 100
    update_stick(image, options)  # says --no-secure-boot: ours again
    assert verify_stick(image).manifest.grub == "own"  # type: ignore[union-attr]
    text = tmp_path / "text"
    text.write_text("no program")
    with pytest.raises(UsageError, match="not a program for UEFI"):
        update_stick(image, replace(options, grub_efi=text))


def new_payload(tmp_path: Path) -> Payload:
    return read_payload(make_payload(tmp_path / "new", kernel=b"newer" * 3000))


def test_update_leaves_the_data_partition_as_it_is(
    stick: Path, tmp_path: Path, options: StickOptions
) -> None:
    with open_stick(stick, writable=True) as opened:
        opened.data().add("/ISOs/a.iso", [b"a" * 100000], 100000)
    before = data_hash(stick)
    assert update_stick(stick, replace(options, payload=new_payload(tmp_path))) == []
    assert data_hash(stick) == before
    assert esp_files(stick)["EFI/hiperiso/vmlinuz"] == b"newer" * 3000
    assert broken(stick) == []


def test_update_takes_the_titles_of_the_stick_over(tmp_path: Path, options: StickOptions) -> None:
    image = tmp_path / "stick.img"
    config = b'{"menu_alias": [{"image": "/ISOs/a.iso", "alias": "The A"}], "control": {"timeout": 9}}'
    create_stick(image, SIZE_BYTES, replace(options, config=config))
    update_stick(image, options)
    menu = esp_files(image)["EFI/BOOT/grub.cfg"]
    assert b"'The A'" in menu and b"set timeout=9" in menu
    assert verify_stick(image).findings == ()


def corrupt(image: Path, offset_bytes: int, size_bytes: int = 512) -> None:
    with image.open("r+b") as file:
        file.seek(offset_bytes)
        file.write(b"\xa5" * size_bytes)


def deletion(path: str) -> Callable[[Path, dict[int, Extent]], object]:
    return lambda image, parts: run("mdel", "-i", f"{image}@@{parts[2].offset_bytes}", f"::{path}")


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda image, parts: corrupt(image, 0, 440), "bios"),
        (lambda image, parts: corrupt(image, parts[3].offset_bytes + 5000), "bios"),
        (lambda image, parts: corrupt(image, parts[2].offset_bytes), "esp"),
        (lambda image, parts: corrupt(image, parts[2].offset_bytes + 4096, 60000), "esp"),
        (lambda image, parts: corrupt(image, 512), "table"),
        (deletion("/EFI/hiperiso/vmlinuz"), "missing"),
        (deletion("/ventoy/ventoy.cpio"), "missing"),
        (deletion("/EFI/hiperiso/stick.json"), "manifest"),
        (
            lambda image, parts: run(
                "mcopy", "-o", "-i", f"{image}@@{parts[2].offset_bytes}", "/etc/hostname", "::/EFI/hiperiso/OVMF.fd"
            ),
            "changed",
        ),
    ],
)  # fmt: skip
def test_damage_is_named_and_repaired(
    stick: Path, options: StickOptions, damage: Callable[[Path, dict[int, Extent]], object], named: str
) -> None:
    before = data_hash(stick)
    damage(stick, extents(stick))
    assert named in broken(stick)
    update_stick(stick, options)
    assert verify_stick(stick).findings == ()
    assert data_hash(stick) == before
    assert "No problems found" in run("sgdisk", "--verify", stick)


def test_what_is_not_a_stick(tmp_path: Path, options: StickOptions) -> None:
    empty = tmp_path / "empty.img"
    empty.write_bytes(bytes(1 << 20))
    assert broken(empty) == ["table"]
    with pytest.raises(HarnessFault, match="no partition table"):
        update_stick(empty, options)
    other = tmp_path / "other.img"
    other.write_bytes(bytes(100 << 20))
    run("sgdisk", "--new=1:2048:4095", other)
    assert "layout" in broken(other)
    with pytest.raises(UsageError, match="not a hiperiso stick"):
        update_stick(other, options)
    with pytest.raises(UsageError, match="cannot open"):
        verify_stick(tmp_path / "none.img")


def test_a_truncated_image(stick: Path) -> None:
    with stick.open("r+b") as file:
        file.truncate(SIZE_BYTES - (10 << 20))
    assert broken(stick)


class PowerCut(Exception):
    pass


def cut_at_step(word: str) -> Callable[[str], None]:
    def say(step: str) -> None:
        if word in step:
            raise PowerCut

    return say


def cut_after(size_bytes: int) -> Callable[[int], None]:
    written = 0

    def progress(count: int) -> None:
        nonlocal written
        written += count
        if written >= size_bytes:
            raise PowerCut

    return progress


@pytest.mark.parametrize(
    "interruption",
    [
        {"on_step": cut_at_step("writing the partition table")},
        {"on_step": cut_at_step("data partition")},
        {"on_step": cut_at_step("writing the system")},
        {"progress": cut_after(1)},
        {"progress": cut_after(30 << 20)},
        {"progress": cut_after(63 << 20)},
    ],
    ids=["before-the-table", "before-data", "before-system", "esp-begun", "esp-half", "esp-nearly"],
)
def test_an_interrupted_create_is_named_and_completed(
    tmp_path: Path, options: StickOptions, interruption: dict[str, Callable[..., None]]
) -> None:
    image = tmp_path / "stick.img"
    with pytest.raises(PowerCut):
        create_stick(image, SIZE_BYTES, replace(options, **interruption))  # type: ignore[arg-type]
    assert "unfinished" in broken(image)
    repaired = update_stick(image, options)
    assert any("was not finished" in line or "had only begun" in line for line in repaired)
    assert image.stat().st_size == SIZE_BYTES
    assert verify_stick(image).findings == ()
    parts = extents(image)
    fsck_exfat(cut(image, parts[1].offset_bytes, parts[1].size_bytes, tmp_path / "data"))


@pytest.mark.parametrize("size_bytes", [1, 40 << 20])
def test_an_interrupted_update_is_named_and_completed(
    stick: Path, tmp_path: Path, options: StickOptions, size_bytes: int
) -> None:
    before = data_hash(stick)
    newer = replace(options, payload=new_payload(tmp_path))
    with pytest.raises(PowerCut):
        update_stick(stick, replace(newer, progress=cut_after(size_bytes)))
    assert broken(stick) == ["esp"]
    assert update_stick(stick, newer) == []
    assert verify_stick(stick).findings == ()
    assert data_hash(stick) == before


def test_notes_do_not_make_a_stick_broken(stick: Path) -> None:
    part = extents(stick)[2]
    run("mcopy", "-i", f"{stick}@@{part.offset_bytes}", "/etc/hostname", "::/mine.txt")
    result = verify_stick(stick)
    assert [finding.what for finding in result.findings] == ["foreign"]
    assert not result.broken


def test_a_stick_with_shim_and_the_signed_grub(tmp_path: Path, options: StickOptions) -> None:
    image = tmp_path / "stick.img"
    create_stick(image, SIZE_BYTES, replace(options, secure_boot=None))
    files = esp_files(image)
    assert {files[f"EFI/BOOT/{name}"][:2] for name in ("BOOTX64.EFI", "grubx64.efi")} == {b"MZ"}
    assert files["EFI/BOOT/BOOTX64.EFI"] != files["EFI/hiperiso/grubx64.efi"]
    assert verify_stick(image).manifest.grub == "signed"  # type: ignore[union-attr]
    update_stick(image, replace(options, secure_boot=None))
    assert verify_stick(image).manifest.grub == "signed"  # type: ignore[union-attr]
