"""Finding devices: the forms of root=, partition tables, and a sysfs of plain files."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootchain.devices import Finder, SpecError, ask_blkid, parse_spec, unescape
from bootchain.partitions import read_partition

from .steps.places import ext4, run, tree


@pytest.mark.parametrize(
    ("text", "tag", "value", "optical"),
    [
        ("LABEL=ALT_regular-rescue/x86_64", "LABEL", "ALT_regular-rescue/x86_64", False),
        ("CDROM:LABEL=ALT_regular-rescue/x86_64", "LABEL", "ALT_regular-rescue/x86_64", True),
        ('LABEL="two words"', "LABEL", "two words", False),
        ("LABEL=a=b:c", "LABEL", "a=b:c", False),
        ("UUID=1A2B-3C4D", "UUID", "1A2B-3C4D", False),
        ("PARTLABEL=root", "PARTLABEL", "root", False),
        ("PARTUUID=1234abcd-02", "PARTUUID", "1234abcd-02", False),
        ("/dev/sda1", "path", "/dev/sda1", False),
        ("/dev/mapper/vg-root", "path", "/dev/mapper/vg-root", False),
        ("/dev/disk/by-label/my\\x20disk", "LABEL", "my\\x20disk", False),
        ("/dev/disk/by-uuid/12", "UUID", "12", False),
        ("sda1", "path", "/dev/sda1", False),
        ("8:1", "number", "8:1", False),
        ("008:001", "number", "8:1", False),
        ("CDROM:", "any", "", True),
        ("CDROM:/dev/sr0", "path", "/dev/sr0", True),
        ("CDROM:11:0", "number", "11:0", True),
    ],
)
def test_forms_of_root(text: str, tag: str, value: str, optical: bool) -> None:
    spec = parse_spec(text)
    assert (spec.tag, spec.value, spec.optical) == (tag, value, optical)


def test_partnroff() -> None:
    spec = parse_spec("PARTUUID=12345678-01/PARTNROFF=2")
    assert (spec.value, spec.offset) == ("12345678-01", 2)


@pytest.mark.parametrize(
    "text", ["", "LABEL=", "UUID=", "SERIAL=1", "a/b", "x:y", "1:", "PARTUUID=1/PARTNROFF=x", "USB:LABEL=x"]
)
def test_what_is_not_a_device(text: str) -> None:
    with pytest.raises(SpecError):
        parse_spec(text)


@given(st.text())
def test_a_spec_is_read_or_refused(text: str) -> None:
    try:
        parse_spec(text)
    except SpecError as error:
        assert str(error)


def test_unescape() -> None:
    assert unescape("my\\x20disk\\x2f1") == "my disk/1"
    assert unescape("\\xzz \\x4") == "\\xzz \\x4"
    assert unescape("r\\xc3\\xb6t") == "röt"


class Machine:
    """A sysfs and a /dev in which image files stand for devices."""

    def __init__(self, place: Path) -> None:
        self.sysfs = place / "sys"
        self.dev = place / "dev"
        self.dev.mkdir()
        (self.sysfs / "class" / "block").mkdir(parents=True)

    def add(self, name: str, image: Path | None, *, parent: str = "", number: int = 0, **files: str) -> None:
        directory = self.sysfs / "devices" / parent / name
        directory.joinpath("holders").mkdir(parents=True)
        minor = len(list(self.sysfs.joinpath("class/block").iterdir()))
        size = image.stat().st_size if image else 0
        content = {
            "uevent": f"MAJOR=8\nMINOR={minor}\nDEVNAME={name}\n{files.pop('more', '')}",
            "size": str(size // 512),
            **({"partition": str(number)} if number else {}),
            **{key.replace("__", "/"): value for key, value in files.items()},
        }
        tree(directory, content)
        self.sysfs.joinpath("class/block", name).symlink_to(directory)
        if image:
            self.dev.joinpath(name).symlink_to(image)

    def find(self, text: str) -> str | None:
        found = Finder(parse_spec(text), sysfs=str(self.sysfs), dev=str(self.dev)).find()
        return found.name if found else None


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def labelled(path: Path, label: str) -> Path:
    return ext4(path, options=("-L", label))


def test_cdrom_is_whatever_holds_an_iso9660_file_system(machine: Machine, tmp_path: Path) -> None:
    source = tree(tmp_path / "tree", {"rescue": "x"})
    iso = tmp_path / "a.iso"
    run("xorriso", "-as", "mkisofs", "-quiet", "-V", "ALT_regular-rescue/x86_64", "-o", iso, source)
    machine.add("sda", labelled(tmp_path / "disk", "ALT_regular-rescue/x86_64"[:16]), device__type="0")
    machine.add("sr0", None, device__type="5")
    assert machine.find("CDROM:LABEL=ALT_regular-rescue/x86_64") is None
    assert machine.find("CDROM:") is None
    assert machine.find("CDROM:8:0") is None
    assert machine.find("8:0") == "sda"
    machine.add("sdb", iso, device__type="0")
    assert machine.find("CDROM:LABEL=ALT_regular-rescue/x86_64") == "sdb"
    assert machine.find("CDROM:") == "sdb"
    assert machine.find("CDROM:8:2") == "sdb"
    machine.add("sr1", iso, device__type="5")
    assert machine.find("CDROM:LABEL=ALT_regular-rescue/x86_64") == "sr1"


def test_whole_disks_and_low_numbers_come_first(machine: Machine, tmp_path: Path) -> None:
    image = labelled(tmp_path / "a", "same")
    machine.add("sdaa", image)
    machine.add("sdb", None)
    machine.add("sdb10", image, parent="sdb", number=10)
    machine.add("sdb9", image, parent="sdb", number=9)
    assert machine.find("LABEL=same") == "sdaa"
    machine.add("sdc", image)
    assert machine.find("LABEL=same") == "sdc"
    assert machine.find("/dev/sdb9") == "sdb9"


def test_what_an_array_stands_on_is_not_taken(machine: Machine, tmp_path: Path) -> None:
    machine.add("sda", labelled(tmp_path / "a", "same"))
    machine.sysfs.joinpath("class/block/sda/holders/md0").touch()
    assert machine.find("LABEL=same") is None
    machine.add("md0", tmp_path / "a")
    assert machine.find("LABEL=same") == "md0"


def test_a_changed_medium_is_read_again(machine: Machine, tmp_path: Path) -> None:
    machine.add("sr0", labelled(tmp_path / "a", "old"), diskseq="1")
    finder = Finder(parse_spec("LABEL=new"), sysfs=str(machine.sysfs), dev=str(machine.dev))
    assert finder.find() is None
    labelled(tmp_path / "a", "new")
    assert finder.find() is None  # no change was reported
    machine.sysfs.joinpath("class/block/sr0/diskseq").write_text("2")
    assert finder.find() is not None
    labelled(tmp_path / "a", "newer")
    finder.forget("sr0")
    assert finder.find() is None


GPT = ("-n", "1:2048:4095", "-n", "3:4096:8191", "-c", "3:röt fs")
GUID = "11223344-5566-7788-99AA-BBCCDDEEFF00"


def gpt(path: Path) -> Path:
    run("truncate", "-s", "8M", path)
    run("sgdisk", *GPT, "-u", f"3:{GUID}", path)
    return path


def test_partitions_of_a_gpt(machine: Machine, tmp_path: Path) -> None:
    disk = gpt(tmp_path / "disk")
    fs = labelled(tmp_path / "fs", "content")
    machine.add("nvme0n1", disk)
    machine.add("nvme0n1p1", fs, parent="nvme0n1", number=1)
    machine.add("nvme0n1p3", fs, parent="nvme0n1", number=3)
    assert machine.find(f"PARTUUID={GUID}") == "nvme0n1p3"
    assert machine.find(f"PARTUUID={GUID.lower()}") == "nvme0n1p3"
    assert machine.find(f"PARTUUID={GUID}/PARTNROFF=-2") == "nvme0n1p1"
    assert machine.find("PARTLABEL=röt fs") == "nvme0n1p3"
    assert machine.find("PARTLABEL=r\\xc3\\xb6t\\x20fs") == "nvme0n1p3"
    assert machine.find("PARTUUID=11223344-0000-0000-0000-000000000000") is None


def test_what_the_kernel_says_of_a_partition_needs_no_table(machine: Machine, tmp_path: Path) -> None:
    fs = labelled(tmp_path / "fs", "content")
    machine.add("sda", fs)
    machine.add("sda1", fs, parent="sda", number=1, more="PARTUUID=abc-01\nPARTNAME=some name\n")
    assert machine.find("PARTUUID=ABC-01") == "sda1"
    assert machine.find("PARTLABEL=some name") == "sda1"


def mbr(*kinds: int) -> bytes:
    table = bytearray(512)
    struct.pack_into("<I", table, 440, 0x00C0FFEE)
    for number, kind in enumerate(kinds):
        table[450 + 16 * number] = kind
    table[510:] = b"\x55\xaa"
    return bytes(table)


def test_partitions_of_an_mbr(machine: Machine, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(mbr(0x83, 5) + bytes(1 << 16))
    machine.add("sda", disk)
    machine.add("sda1", disk, parent="sda", number=1)
    machine.add("sda12", disk, parent="sda", number=12)
    assert machine.find("PARTUUID=00c0ffee-0C") == "sda12"


@given(st.binary(max_size=4096), st.integers(-1, 300), st.booleans())
def test_any_table_is_read(noise: bytes, number: int, magic: bool) -> None:
    data = bytearray(noise.ljust(1024, b"\0"))
    if magic:
        data[512:520] = b"EFI PART"
    uuid, name = read_partition(lambda at, count: bytes(data[at : at + count]), number)
    assert isinstance(uuid + name, str)


def test_a_protective_mbr_gives_no_identifier() -> None:
    table = mbr(0xEE)
    assert read_partition(lambda at, count: table[at : at + count], 1) == ("", "")


def test_blkid_is_asked_about_the_unknown(machine: Machine, tmp_path: Path) -> None:
    minix = tmp_path / "strange"
    minix.write_bytes(b"something strange" + bytes(1 << 16))
    machine.add("sda", minix)
    program = tmp_path / "blkid"
    program.write_text(
        f'#!{sys.executable}\nimport sys\nprint(sys.argv[1] + \': LABEL="a b" UUID="U-1" TYPE="odd"\')\n'
    )
    program.chmod(0o755)
    finder = Finder(parse_spec("LABEL=a b"), sysfs=str(machine.sysfs), dev=str(machine.dev))
    finder.blkid = str(program)
    found = finder.find()
    assert found and found.name == "sda"


def test_the_blkid_of_this_machine_is_understood(tmp_path: Path) -> None:
    path = ext4(tmp_path / "a", options=("-L", "two words", "-U", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"))
    found = ask_blkid("/usr/sbin/blkid", str(path))
    assert found
    assert (found.kind, found.labels, found.uuid) == (
        "ext4",
        ("two words",),
        "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
    )


def test_the_devices_of_this_machine_are_listed() -> None:
    names = {device.name for device in Finder(parse_spec("LABEL=x")).devices()}
    with_size = {
        path.name for path in Path("/sys/class/block").iterdir() if path.joinpath("size").read_text() != "0\n"
    }
    # Others attach and detach loop devices meanwhile.
    assert {n for n in names if "loop" not in n} == {n for n in with_size if "loop" not in n}
