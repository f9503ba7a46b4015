"""Options that change what is booted or watched, each on a real boot."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path

import pytest

from hiperiso.trace.show import TraceFile
from hiperlab.samples import build_sample
from integration.conftest import Boot
from integration.contract_reader import read_session
from integration.forms import EITHER, given


@pytest.mark.boots
def test_grub2_boots_an_iso_whose_own_loader_has_no_part_in_it(boot: Boot, tmp_path: Path) -> None:
    """With files that are added to its initramfs: the words before its login prompt."""
    issue = tmp_path / "tree/etc/issue"
    issue.parent.mkdir(parents=True)
    issue.write_text("Injected \\l\n\n")
    subprocess.run(["tar", "-cJf", tmp_path / "files", "-C", tmp_path / "tree", "."], check=True)
    booted = boot(
        build_sample("uefi-only"),
        *("--boot-mode", "grub2", "--firmware", "bios", "--injection", tmp_path / "files"),
        *("--timeout", "60"),
    )
    manifest = read_session(booted.session)
    assert (manifest["result"], manifest["analysis"]["boot_stage_final"]) == ("success", "login")
    assert "Injected /dev/ttyS0" in (booted.session / "serial.log").read_text(errors="replace")
    assert not list(booted.session.glob("medium.*"))


@pytest.mark.boots
def test_memdisk_starts_the_loader_from_memory(boot: Boot) -> None:
    booted = boot(build_sample("ipxe"), "--boot-mode", "memdisk", "--timeout", "60")
    manifest = read_session(booted.session)
    assert "iPXE" in manifest["analysis"]["guest"]
    assert manifest["analysis"]["boot_stage_final"] == "bootloader"


@pytest.mark.boots
@pytest.mark.parametrize("form", EITHER)
def test_expected_text_and_network_dump(boot: Boot, tmp_path: Path, form: str) -> None:
    settings = given(form, tmp_path, net_dump=True, expect_text=r"net0: 10\.0\.2\.15")
    booted = boot(build_sample("ipxe"), *settings, "--timeout", "60")
    manifest = read_session(booted.session)
    assert booted.exit_code == 0
    assert manifest["end_reason"] == "expected_text"
    assert manifest["hw_inventory"]["has_network_pcap"] is True
    (magic,) = struct.unpack_from("<I", (booted.session / "network.pcap").read_bytes())
    assert magic == 0xA1B2C3D4
    network = json.loads((booted.session / "network.json").read_text())
    answers = [one["message"] for one in network["dhcp"] if one["server"] == "10.0.2.2"]
    assert (answers[0], answers[-1]) == ("offer", "ack")
    assert "10.0.2.15" in network["guest"]
    assert 0 < network["first_s"] <= network["last_s"] < 300
    assert "Network\n" in (booted.session / "report.txt").read_text()


@pytest.mark.boots
def test_an_expected_stage_ends_the_boot(boot: Boot) -> None:
    early = boot(build_sample("login-serial"), "--expect", "kernel", "--timeout", "60")
    assert early.exit_code == 0
    assert early.manifest["end_reason"] == "expected_stage"


@pytest.mark.boots
@pytest.mark.slow  # the judge's own tests have every stage
def test_an_unmet_stage_fails(boot: Boot) -> None:
    unmet = boot(build_sample("poweroff"), "--expect", "login", "--timeout", "60")
    assert unmet.exit_code == 1
    assert unmet.manifest["result"] == "failure"


@pytest.mark.boots
def test_the_contracts_variables_are_the_defaults(boot: Boot) -> None:
    booted = boot(
        build_sample("not-bootable"),
        HIPERISO_GUEST_RAM="333",
        HIPERISO_GUEST_CPUS="3",
        HIPERISO_TRACE_LEVEL="none",
        HIPERISO_VGA="none",
        HIPERISO_FALLBACK="1",
    )
    manifest = read_session(booted.session)
    assert (manifest["guest_ram_mb"], manifest["guest_cpus"], manifest["trace_level"]) == (333, 3, "none")
    assert manifest["kvm"] == "unknown"
    command = (booted.session / "qemu.cmdline").read_text()
    assert "-m 333M" in command
    assert "-smp 3" in command
    assert "-vga none" in command
    assert not list(booted.session.glob("trace.*"))


@pytest.mark.boots
def test_a_configuration_file_applies_to_the_isos_it_names(boot: Boot, tmp_path: Path) -> None:
    config = tmp_path / "hiperiso.json"
    config.write_text(
        json.dumps({"iso_overrides": {"*not-bootable*": {"ram": 222}, "*other*": {"ram": 111}}})
    )
    booted = boot(build_sample("not-bootable"), "--config", config)
    assert booted.manifest["guest_ram_mb"] == 222


@pytest.mark.boots
@pytest.mark.parametrize("level", ["detailed", "full"])
def test_higher_trace_tiers_trace_more(level: str, boot: Boot) -> None:
    booted = boot(build_sample("not-bootable"), "--trace", level)
    manifest = read_session(booted.session)
    assert manifest["analysis"]["has_trace"] == 1
    for trace in booted.session.glob("trace.[bl]*"):  # what QEMU wrote, and what was made of it
        records = {event.event: event.records for event in TraceFile(trace).summary().events}
        assert records["pci_cfg_read"] > 100, trace
        assert ("memory_region_ops_read" in records) == (level == "full"), trace


@pytest.mark.boots
def test_a_network_card_a_processor_and_a_device_of_ones_own(boot: Boot) -> None:
    booted = boot(
        build_sample("ipxe"),
        *("--net", "user", "--nic", "e1000", "--cpu", "Nehalem", "--qemu-arg", "-device usb-ehci,id=mine"),
        *("--expect-text", "82540em", "--timeout", "60"),  # iPXE's driver of that card
    )
    assert booted.exit_code == 0, booted.stderr
    read_session(booted.session)
    assert "mine" in (booted.session / "hw" / "qemu_qtree.txt").read_text()
    assert "-cpu Nehalem" in (booted.session / "qemu.cmdline").read_text()
    assert not (booted.session / "network.pcap").exists()
    assert "further arguments: -device usb-ehci,id=mine" in (booted.session / "events.jsonl").read_text()
