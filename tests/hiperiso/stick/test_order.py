"""What the boot menu asks for, read from the kernel command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hiperiso.config.hiperiso_json import HiperisoConfig, read_config
from hiperiso.contract.settings import Settings
from hiperiso.contract.stick import DATA_MOUNT
from hiperiso.contract.words import DirectWay, Display, NoKvm, TraceLevel
from hiperiso.errors import UsageError
from hiperiso.stick.order import (
    HOST_RESERVE_MB,
    After,
    Order,
    asked_iso,
    cut_note,
    fit_to_host,
    on_data_partition,
    read_order,
    settings_of,
    usable_order,
    without_machine,
)

MENU = (
    "BOOT_IMAGE=/EFI/hiperiso/vmlinuz quiet root=bootchain bootchain=waitdev,mountfs,hiperiso "
    "waitdev=PARTUUID=1 mountfs=DEVNAME hiperiso_log_dir=/hiperiso/logs "
)


def test_what_the_menu_writes() -> None:
    order = read_order(MENU + r'hiperiso_trace_level=full "hiperiso_iso=/ISOs/it\'s (a) \"name\".iso"')
    assert order == Order(
        iso='/ISOs/it\'s (a) "name".iso',
        log_root="/hiperiso/logs",
        values={"trace": "full"},
        for_all={"trace": "full"},
    )


def test_what_the_menu_passes_for_an_iso_is_for_that_iso_alone(tmp_path: Path) -> None:
    path = tmp_path / "hiperiso.json"
    path.write_text(json.dumps({"iso_overrides": {"/ISOs/a.iso": {"ram": "512", "dud": ["/x", "/y"]}}}))
    order = read_order(
        f"{MENU} hiperiso_guest_ram=300 hiperiso_iso=/ISOs/a.iso hiperiso_guest_ram=512 hiperiso_dud=/x hiperiso_dud=/y"
        " hiperiso_fallback=1"  # typed by a person
    )
    own, _ = settings_of(order, "/ISOs/a.iso", read_config(path))
    assert (own.fallback, own.ram_mb, own.dud) == (True, 512, (DATA_MOUNT / "x", DATA_MOUNT / "y"))
    other, origins = settings_of(order, "/ISOs/b.iso", read_config(path))
    assert (other.fallback, other.ram_mb, other.dud) == (True, 300, ())
    assert set(origins) == {"fallback", "ram_mb"}
    without, _ = settings_of(order, "/ISOs/b.iso", None)
    assert (without.fallback, without.ram_mb, len(without.dud)) == (
        True,
        512,
        2,
    )  # no file: all of it was typed
    refused = usable_order("hiperiso_iso=/../x hiperiso_fallback=1")
    assert settings_of(refused, "/ISOs/b.iso", read_config(path))[0].fallback


def test_without_anything() -> None:
    assert read_order("quiet") == Order()
    assert (Order().log_root, Order().after, Order().iso) == ("/hiperiso/logs", After.POWEROFF, "")


def test_the_path_is_tidied() -> None:
    order = read_order("hiperiso_iso=//ISOs/./a.iso hiperiso_log_dir=/hiperiso/logs/a/")
    assert (order.iso, order.log_root) == ("/ISOs/a.iso", "/hiperiso/logs/a")


@pytest.mark.parametrize("path", ["ISOs/a.iso", "/ISOs/../../etc/shadow", ".."])
def test_paths_stay_on_the_stick(path: str) -> None:
    with pytest.raises(UsageError, match=r"hiperiso_iso.*hiperiso_log_dir"):
        read_order(f"hiperiso_iso={path} hiperiso_log_dir={path}")


@pytest.mark.parametrize(
    ("text", "after", "wait_s"),
    [
        ("poweroff", After.POWEROFF, 30.0),
        ("reboot,5", After.REBOOT, 5.0),
        ("menu,0.5", After.MENU, 0.5),
        ("reboot hiperiso_after=poweroff,0", After.POWEROFF, 0.0),
    ],
)
def test_what_follows(text: str, after: After, wait_s: float) -> None:
    order = read_order(f"hiperiso_after={text}")
    assert (order.after, order.wait_s) == (after, wait_s)


@pytest.mark.parametrize("text", ["", "sleep", "reboot,", "reboot,-1", "menu,nan", "menu,99999", "menu,1,2"])
def test_what_cannot_follow(text: str) -> None:
    with pytest.raises(UsageError, match="hiperiso_after"):
        read_order(f"hiperiso_after={text}")


def test_what_is_left_of_a_refused_command_line() -> None:
    text = "hiperiso_iso=//ISOs/../x.iso hiperiso_log_dir=logs hiperiso_after=reboot,3 hiperiso_guest_ram=1"
    with pytest.raises(UsageError):
        read_order(text)
    assert usable_order(text) == Order(values={"ram": "1"}, after=After.REBOOT, wait_s=3.0)
    assert asked_iso(text) == "/ISOs/../x.iso"
    assert asked_iso("hiperiso_iso=/ quiet") == asked_iso("quiet") == ""
    with pytest.raises(UsageError, match="hiperiso_after"):
        read_order("hiperiso_after=direct")  # by a key alone


def test_a_command_line_that_is_full_may_have_been_cut() -> None:
    assert cut_note("x" * 2046 + "\n") == ""
    assert "2047 characters" in cut_note("x" * 2047 + "\n")
    assert "2047 characters" in cut_note("é" * 1024)


def test_without_a_hypervisor() -> None:
    order = read_order("hiperiso_no_kvm=direct hiperiso_direct=kexec hiperiso_fallback=1")
    settings, _ = settings_of(order, "/ISOs/a.iso", None)
    assert (settings.no_kvm, settings.direct, settings.fallback) == (NoKvm.DIRECT, DirectWay.KEXEC, True)
    assert (Settings().no_kvm, Settings().direct) == (NoKvm.EMULATE, DirectWay.AUTO)
    with pytest.raises(UsageError, match=r"emulate, direct.*auto, live, kexec"):
        settings_of(read_order("hiperiso_no_kvm=x hiperiso_direct=y"), "/a.iso", None)


def test_configuration_below_command_line(tmp_path: Path) -> None:
    path = tmp_path / "hiperiso.json"
    overrides = {"*.iso": {"ram": 512, "cpus": 4}, "b*": {"cpus": 8}}
    path.write_text(json.dumps({"iso_overrides": overrides}))
    order = read_order("hiperiso_guest_ram=256 hiperiso_trace_level=none")
    settings, origins = settings_of(order, "/ISOs/a.iso", read_config(path))
    assert (settings.ram_mb, settings.cpus, settings.trace) == (256, 4, TraceLevel.NONE)
    assert origins["ram_mb"] == "hiperiso_guest_ram" and "iso_overrides" in origins["cpus"]
    assert settings_of(order, "/ISOs/b.iso", read_config(path))[0].cpus == 8
    assert settings_of(order, "/ISOs/b.iso", None)[0].cpus == Settings().cpus


def test_settings_that_need_a_machine_are_named_for_a_direct_boot() -> None:
    settings, _ = settings_of(
        read_order("hiperiso_injection=/a.tar hiperiso_tpm=1 hiperiso_guest_ram=256"), "/a.iso", None
    )
    assert without_machine(settings) == ["injection", "tpm"] and without_machine(Settings()) == []


def test_bad_settings_are_named() -> None:
    with pytest.raises(UsageError, match=r"hiperiso_guest_ram.*hiperiso_guest_cpus"):
        settings_of(read_order("hiperiso_guest_ram=lots hiperiso_guest_cpus=0"), "/a.iso", None)


def test_what_means_nothing_on_a_stick_is_refused() -> None:
    with pytest.raises(UsageError, match=r"hiperiso_ocr: .*hiperiso_config: .*a stick has its own"):
        settings_of(read_order("hiperiso_ocr=on hiperiso_config=/x.json"), "/ISOs/a.iso", None)


def test_paths_in_settings_count_from_the_data_partition() -> None:
    assert on_data_partition("/hiperiso/a.cfg") == on_data_partition("hiperiso/a.cfg")
    assert on_data_partition("/hiperiso/a.cfg") == DATA_MOUNT / "hiperiso/a.cfg"
    with pytest.raises(ValueError, match="is outside of the data partition"):
        on_data_partition("/ISOs/../../etc/shadow")


def test_the_guest_fits_into_the_machine() -> None:
    settings, notes = fit_to_host(Settings(ram_mb=2048), 1000, 0)
    assert settings.ram_mb == 1000 - HOST_RESERVE_MB and "2048" in notes[0]
    assert fit_to_host(Settings(ram_mb=2048), 2048 + HOST_RESERVE_MB, 4) == (Settings(ram_mb=2048), [])
    assert fit_to_host(Settings(ram_mb=2048), 0, 2) == (Settings(ram_mb=2048), [])
    assert fit_to_host(Settings(ram_mb=2048), 50, 2)[0].ram_mb > 0


def test_the_guest_gets_no_more_processors_than_there_are() -> None:
    settings, notes = fit_to_host(Settings(cpus=8), 10_000, 2)
    assert settings.cpus == 2 and "2 of 8 vCPUs" in notes[0]
    assert fit_to_host(Settings(cpus=8), 10_000, 8) == (Settings(cpus=8), [])
    assert fit_to_host(Settings(cpus=8), 10_000, 0) == (Settings(cpus=8), [])  # unknown


def test_what_the_machine_cannot_do_is_said() -> None:
    settings, notes = fit_to_host(Settings(display=Display.VNC), 10_000, 2)
    assert settings.display is Display.VNC
    assert len(notes) == 1 and "VNC" in notes[0]


def test_the_guest_may_be_shown() -> None:
    assert fit_to_host(Settings(display=Display.GTK), 10_000, 2) == (Settings(display=Display.GTK), [])


def test_the_menu_shows_the_guest_where_nothing_else_is_said(tmp_path: Path) -> None:
    def display(cmdline: str, config: HiperisoConfig | None = None) -> Display:
        return settings_of(read_order(cmdline), "/ISOs/a.iso", config)[0].display

    assert display("hiperiso_show=1") is Display.GTK
    assert settings_of(read_order("hiperiso_show=1"), "/ISOs/a.iso", None)[1] == {"display": "hiperiso_show"}
    assert display("hiperiso_show=1 hiperiso_display=none") is Display.NONE
    path = tmp_path / "hiperiso.json"
    path.write_text('{"iso_overrides": {"*": {"display": "none"}}}')
    assert display("hiperiso_show=1", read_config(path)) is Display.NONE
    assert display("hiperiso_show=1 hiperiso_show=0") is Display.NONE
    assert display("") is Display.NONE
