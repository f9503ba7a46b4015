"""The parts of init that need no process 1."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from bootchain.cmdline import Parameters
from bootchain.init.main import waits_by_itself
from bootchain.init.modules import (
    Modules,
    aliases_of_uevents,
    coldplug_aliases,
    parse_list,
    probe_asynchronously,
)
from bootchain.init.network import Network, Wanted, parse_ip, wanted, wired_interfaces
from bootchain.init.report import MAX_PART_CHARS, ChainReport, marked_lines
from bootchain.init.rescue import console_terminal, explanation
from bootchain.init.switchroot import protected_paths


def test_a_list_of_modules() -> None:
    assert parse_list("loop max_loop=8\n# no\n\n overlay # yes\n") == [["loop", "max_loop=8"], ["overlay"]]


def test_modules_of_a_list_are_loaded_in_one_call(tmp_path: Path) -> None:
    (tmp_path / "modules").write_text("loop max_loop=8\noverlay\naf_packet\n")
    calls: list[tuple[str, ...]] = []
    said: list[str] = []

    def run(*argv: str) -> int:
        calls.append(argv)
        return 1 if "af_packet" in argv else 0

    Modules(run, said.append).load_list(str(tmp_path / "modules"))
    assert calls == [
        ("modprobe", "-a", "-q", "overlay", "af_packet"),
        ("modprobe", "-q", "overlay"),
        ("modprobe", "-q", "af_packet"),
        ("modprobe", "-q", "loop", "max_loop=8"),
    ]
    assert said == ["cannot load the module af_packet"]


def test_announcements_of_the_kernel() -> None:
    event = b"add@/devices/x\0ACTION=add\0DEVPATH=/devices/x\0MODALIAS=usb:v0781\0SEQNUM=1\0"
    assert aliases_of_uevents(event) == ["usb:v0781"]
    assert aliases_of_uevents(event.replace(b"ACTION=add", b"ACTION=remove")) == []
    assert aliases_of_uevents(b"libudev\0\xfe\xed") == []


def test_coldplug_asks_once_for_each_device(tmp_path: Path) -> None:
    board = "devices/virtual/dmi/id"
    devices = {"bus/pci/devices/a": "pci:1\n", "bus/usb/devices/b": "usb:2\n", "bus/usb/devices/c": "pci:1\n"}
    for name, alias in {**devices, "bus/usb/devices/d": "", board: "dmi:3\n"}.items():
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "modalias").write_text(alias)
    (tmp_path / "bus/usb/devices/without").mkdir()
    calls: list[tuple[str, ...]] = []

    def run(*argv: str) -> int:
        calls.append(argv)
        return 0

    modules = Modules(run, print)
    assert modules.load_aliases(coldplug_aliases(str(tmp_path))) == 3
    assert modules.load_aliases(coldplug_aliases(str(tmp_path))) == 0
    assert [sorted(call[4:]) for call in calls] == [["dmi:3", "pci:1", "usb:2"]]


@pytest.mark.parametrize(
    ("cmdline", "alone"),
    [
        ("root=bootchain bootchain=waitdev,mountfs", True),
        ("root=bootchain bootchain=mountfs,waitdev", False),
        ("root=bootchain", False),
        ("root=bootchain bootchain=waitdev waitdev-timeout=0", False),
        ("root=bootchain bootchain=waitdev rootdelay=3", False),
        ("root=bootchain bootchain=waitdev,getimage ip=dhcp", False),
        ("root=bootchain bootchain=waitdev ip=nonsense", True),
    ],
)
def test_who_waits_for_a_device_need_not_wait_for_every_driver(cmdline: str, alone: bool) -> None:
    assert waits_by_itself(Parameters.parse(cmdline)) is alone


def test_drivers_probe_asynchronously_where_the_kernel_can(tmp_path: Path) -> None:
    probe_asynchronously(str(tmp_path / "missing"))
    assert not list(tmp_path.iterdir())
    (tmp_path / "async_probe").write_text("N")
    probe_asynchronously(str(tmp_path / "async_probe"))
    assert (tmp_path / "async_probe").read_text() == "Y"


def test_coldplug_without_a_waiter() -> None:
    started: list[Sequence[str]] = []

    def start(argv: Sequence[str]) -> int:
        started.append(argv)
        return len(started)

    def missing(argv: Sequence[str]) -> int:
        raise FileNotFoundError(2, "No such file or directory")

    ran: list[str] = []
    said: list[str] = []

    def run(*argv: str) -> int:
        ran.append(argv[0])
        return 0

    Modules(run, said.append).coldplug_meanwhile(start)
    assert {tuple(argv[:4]) for argv in started} == {("modprobe", "-a", "-b", "-q")}
    assert not ran
    assert not said
    Modules(lambda *_: 0, said.append).coldplug_meanwhile(missing)
    assert set(said) == {"cannot start modprobe: No such file or directory"}


@pytest.mark.parametrize(
    ("text", "interface", "address"),
    [
        ("dhcp", "", ""),
        ("on", "", ""),
        ("eth0:dhcp", "eth0", ""),
        (":::::eth1:dhcp", "eth1", ""),
        ("10.0.0.2::10.0.0.1:255.255.255.0:host:eth0:none:1.1.1.1:8.8.8.8", "eth0", "10.0.0.2"),
        ("10.0.0.2", "", ""),
    ],
)
def test_ip_parameters(text: str, interface: str, address: str) -> None:
    if text == "10.0.0.2":
        with pytest.raises(ValueError, match=r"ip=10\.0\.0\.2"):
            parse_ip(text)
        return
    plan = parse_ip(text)
    assert plan is not None
    assert (plan.interface, plan.address, plan.dhcp) == (interface, address, not address)


def test_static_addresses_have_all_their_fields() -> None:
    plan = parse_ip("10.0.0.2::10.0.0.1::host:eth0:off:1.1.1.1")
    assert plan is not None
    assert (plan.gateway, plan.mask, plan.name_servers) == ("10.0.0.1", "255.255.255.0", ("1.1.1.1",))


@pytest.mark.parametrize(
    "text", ["nonsense", "10.0.0.2;reboot::::::", "eth0/../x:dhcp", "10.0.0.2:::::-x:none"]
)
def test_what_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ip="):
        parse_ip(text)


@pytest.mark.parametrize(
    ("cmdline", "plans"),
    [
        ("root=bootchain", 0),
        ("ip=dhcp", 1),
        ("ip=off getimage=http://x/y", 0),
        ("getimage=http://x/y", 1),
        ("getimage=file:///x", 0),
        ("ping=10.0.0.1", 1),
        ("ip=eth0:dhcp ip=eth1:dhcp", 2),
    ],
)
def test_when_a_network_is_wanted(cmdline: str, plans: int) -> None:
    assert len(wanted(Parameters.parse(cmdline))) == plans


def test_off_is_not_a_network() -> None:
    assert parse_ip("off") is None
    assert parse_ip("none") is None


def test_a_static_address_is_set_with_busybox_words() -> None:
    calls: list[tuple[str, ...]] = []
    said: list[str] = []

    def run(*argv: str, **_: object) -> int:
        calls.append(argv)
        return 0

    (interface, *_) = [*wired_interfaces(), ""]
    plan = Wanted(interface=interface, dhcp=False, address="10.9.8.7", mask="255.0.0.0", gateway="10.0.0.1")
    up = Network(run, lambda _: None, said.append).set_up([plan])
    assert up == bool(interface)
    if interface:
        assert ("ip", "addr", "add", "10.9.8.7/255.0.0.0", "dev", interface) in calls
        assert said == [f"the network is up on {interface}"]


def test_records_become_lines_of_the_kernel_log() -> None:
    assert marked_lines('{"n": 1}') == ['bootchain: {"n": 1}']
    record = json.dumps({"cmdline": "word " * 700})
    lines = marked_lines(record)
    assert "".join(line[len("bootchain: ") :] for line in lines) == record
    assert [line[:11] for line in lines[:-1]] == ["bootchain+ "] * (len(lines) - 1)
    assert all(len(line) <= MAX_PART_CHARS + 11 and line[11] != " " and line[-1] != " " for line in lines)


def test_a_report_copies_whole_lines_once(tmp_path: Path) -> None:
    source, target = tmp_path / "chain.jsonl", tmp_path / "kmsg"
    target.touch()
    report = ChainReport(str(source), str(target))
    report.copy_news()
    source.write_text('{"n": 0}\n{"n"')
    report.copy_news()
    assert target.read_text() == '<6>bootchain: {"n": 0}\n'
    with source.open("a") as file:
        file.write(": 1}\n")
    report.copy_news()
    report.copy_news()
    assert target.read_text().splitlines()[1:] == ['<6>bootchain: {"n": 1}']


def test_what_must_stay_in_the_initramfs() -> None:
    mountinfo = [
        "1 1 0:2 / / rw - rootfs rootfs rw",
        "20 1 0:20 / /root rw - overlay overlayfs rw,lowerdir=/live/a\\040b:l0,upperdir=/rw/upper,workdir=/rw/work",
        "21 1 0:2 /kept /bound rw - rootfs rootfs rw",
        "22 1 0:22 / /usr ro - ext4 /dev/sda1 rw",
    ]
    assert protected_paths(mountinfo) == {
        *("/root", "/bound", "/usr", "/kept", "/live/a b", "/rw/upper", "/rw/work"),
    }


def test_the_explanation_is_safe_on_a_terminal(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"first\n" * 50 + b"evil \x1b]0;x\x07\xff\n")
    text = explanation("because \x1b[31m", str(log))
    assert "\x1b" not in text and "\x07" not in text
    assert text.count("| first") == 11 and "the boot has failed: because  [31m" in text


@pytest.mark.parametrize(
    ("active", "terminal"),
    [("tty0 ttyS0\n", "/dev/ttyS0"), ("ttyS0 tty0", "/dev/tty1"), ("", "/dev/console")],
)
def test_the_terminal_behind_the_console(tmp_path: Path, active: str, terminal: str) -> None:
    (tmp_path / "active").write_text(active)
    assert console_terminal(str(tmp_path / "active")) == terminal
    assert console_terminal(str(tmp_path / "missing")) == "/dev/console"
