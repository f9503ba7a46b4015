"""Answers from traces written as QEMU writes them."""

from __future__ import annotations

import pytest

from hiperiso.contract.tracereport import SuspectKind
from hiperiso.contract.words import TraceLevel
from hiperiso.trace.answers.accesses import _DEVICES
from hiperiso.trace.tiers import tier_events

from .lines import Guest


def booted() -> Guest:
    guest = Guest()
    guest.boots()
    return guest


def test_devices_registers_drives_and_functions_have_their_names_and_times() -> None:
    guest = booted()
    guest.write("serial", 0x3F8, ord("x"))
    found = guest.found()
    ahci = next(row for row in found.devices if row.device == "AHCI")
    assert (ahci.reads, ahci.writes, ahci.registers[0].register) == (1, 1, "port 0 PxCI (command issue)")
    assert ahci.registers[0].address == "0xfebd5138"
    (drive,) = found.drives
    assert (drive.drive, drive.reads, drive.bytes_read, drive.over_time) == (
        "CD-ROM",
        1,
        2048,
        [(0, 1, 2048, 0, 0)],
    )
    (function,) = found.pci
    assert (function.place, function.vendor, function.device, function.class_code) == (
        "00:1f.2",
        "8086",
        "2922",
        "010601",
    )
    assert (function.bars[0].bar, function.bars[0].address, function.bars[0].mapped_s) == (
        5,
        "0xfebd5000",
        0.002,
    )
    assert [step.name for step in found.firmware] == [
        "PCI enumeration",
        "drives looked for",
        "boot medium read",
        "serial port set up",
    ][:3]


def test_a_silence_names_what_is_around_it() -> None:
    guest = booted()
    guest.t_s += 3.0
    guest.tick()
    silence = guest.found().silences[0]
    assert (silence.after, silence.before) == ("memory_region_ops_read", "memory_region_ops_write")
    assert silence.duration_s == pytest.approx(3.001, abs=0.01)


def test_a_guest_that_does_something_new_is_not_suspected() -> None:
    guest = booted()
    for lba in range(3000):
        guest.write("ahci", 0xFEBD5138, 1)
        guest.medium(100 + lba)
        guest.read("ahci", 0xFEBD5138, 0)
    assert guest.found().suspect is None


def test_a_poll_that_waits_with_a_timer_is_named_by_the_device_not_by_the_timer() -> None:
    guest = booted()
    for count in range(4000):
        guest.read("ahci", 0xFEBD5128, 0)
        for more in range(3):
            guest.read("acpi-tmr", 0x608, 4 * count + more)
        if count % 50 == 0:
            guest.tick()
    found = guest.found()
    assert found.suspect
    assert (found.suspect.device, found.suspect.register) == ("AHCI", "port 0 PxSSTS (link status)")
    assert found.suspect.kind is SuspectKind.POLLS
    assert "AHCI port 0 PxSSTS (link status)" in found.loops[0].registers


def test_a_guest_that_polls_a_clock_alone_is_named_by_the_clock() -> None:
    guest = booted()
    for count in range(3000):
        guest.read("hpet", 0xFED000F0, count)
    suspect = guest.found().suspect
    assert suspect
    assert (suspect.device, suspect.register) == ("HPET", "main counter")


def test_an_index_names_the_register_behind_the_data_port() -> None:
    guest = booted()
    for _ in range(3000):
        guest.write("rtc-index", 0x70, 0x8A)
        guest.read("rtc", 0x71, 0x26)
    suspect = guest.found().suspect
    assert suspect
    assert (suspect.device, suspect.register) == ("RTC", "register A (update in progress)")


def test_what_a_guest_prints_meanwhile_does_not_count() -> None:
    guest = booted()
    for round_ in range(60):
        guest.write("ahci", 0xFEBD512C, 1)
        guest.read("ahci", 0xFEBD5128, 0, step_s=0.05)
        for letter in f"retry {round_}\r\n":
            guest.read("serial", 0x3FD, 0x60)
            guest.write("serial", 0x3F8, ord(letter))
    suspect = guest.found().suspect
    assert suspect
    assert (suspect.device, suspect.register) == ("AHCI", "port 0 PxSSTS (link status)")
    assert suspect.kind is SuspectKind.REPEATS


def test_a_port_without_a_device_is_named_by_its_usual_owner() -> None:
    guest = booted()
    for _ in range(3000):
        guest.read("io", 0x2FD, 0xFF)
    suspect = guest.found().suspect
    assert suspect
    assert (suspect.device, suspect.register, suspect.address) == (
        "8250 (COM2)",
        "LSR (line status)",
        "0x2fd",
    )
    assert suspect.kind is SuspectKind.NO_DEVICE


def test_a_pci_function_that_is_not_there() -> None:
    guest = booted()
    for _ in range(3000):
        guest.write("pci-conf-idx", 0xCF8, 0x8000F000)
        guest.read("pci-conf-data", 0xCFC, 0xFFFFFFFF)
    suspect = guest.found().suspect
    assert suspect
    assert (suspect.device, suspect.register) == ("PCI 00:1e.0", "vendor and device ID")
    assert suspect.kind is SuspectKind.NO_DEVICE


def test_a_guest_that_waits_for_an_interrupt_is_named_by_what_it_used_last() -> None:
    guest = booted()
    guest.write("rtc-index", 0x70, 0x0B)
    guest.write("rtc", 0x71, 0x42)
    for letter in "waiting\r\n":
        guest.read("serial", 0x3FD, 0x60)
        guest.write("serial", 0x3F8, ord(letter))
    for _ in range(60):
        guest.t_s += 0.055
        guest.tick()
    suspect = guest.found().suspect
    assert suspect
    assert (suspect.device, suspect.register) == ("RTC", "register B (control)")
    assert suspect.kind is SuspectKind.WAITS


def test_a_guest_that_went_on_without_the_device_and_idles_is_not_suspected() -> None:
    guest = booted()
    guest.t_s += 5.0
    for letter in "Welcome\r\n":
        guest.read("serial", 0x3FD, 0x60)
        guest.write("serial", 0x3F8, ord(letter))
    for _ in range(60):
        guest.t_s += 0.055
        guest.tick()
    assert guest.found().suspect is None


def test_a_request_that_has_ended_is_not_waited_for() -> None:
    guest = Guest()
    guest.medium(16)
    guest.event("ahci_cmd_done ahci(0x1)[0]: cmd done")
    found = guest.found(after_s=30.0)
    assert (found.suspect, found.talking_to) == (None, "CD-ROM")


def test_a_guest_that_polls_the_interrupt_controller() -> None:
    guest = booted()
    for _ in range(5000):
        guest.read("apic-msi", 0xFEE00300, 0x1000, 0.0005)
    suspect = guest.found().suspect
    assert suspect
    assert (suspect.device, suspect.register) == ("APIC", "ICR low (delivery status)")


def test_a_command_of_the_drive_that_does_not_end() -> None:
    guest = booted()
    guest.medium(500)
    suspect = guest.found(after_s=5.0).suspect
    assert suspect
    assert (suspect.device, suspect.kind) == ("CD-ROM", SuspectKind.MEDIUM)


def test_a_drive_whose_commands_fail() -> None:
    guest = booted()
    for _ in range(40):
        guest.write("ahci", 0xFEBD5138, 1)
        guest.medium(500)
        guest.event("ide_atapi_cmd_error IDEState: 0x2; sense=0x3 asc=0x11")
        guest.read("ahci", 0xFEBD5120, 0x51, step_s=0.1)
    suspect = guest.found().suspect
    assert suspect
    assert suspect.kind is SuspectKind.MEDIUM


def test_without_the_full_tier_the_events_of_devices_are_the_accesses() -> None:
    guest = Guest()
    for _ in range(3000):
        guest.event("pckbd_kbd_read_status 0x1c")
    guest.event("serial_write write addr 0x00 val 0x41")
    found = guest.found()
    assert {row.device: row.reads + row.writes for row in found.devices} == {"i8042": 3000, "8250 (COM1)": 1}
    assert found.suspect
    assert found.suspect.register == "status"


def test_in_the_full_tier_no_access_counts_twice() -> None:
    guest = Guest()
    guest.read("serial", 0x3FD, 0x60)
    for _ in range(99):
        guest.event("serial_read read addr 0x05 val 0x60")
        guest.read("serial", 0x3FD, 0x60)
    assert guest.found().devices[0].reads == 100


def test_the_python_decoder_gives_the_same_answers() -> None:
    guest = booted()
    for count in range(2000):
        guest.read("ahci", 0xFEBD5128, 0)
        guest.read("acpi-tmr", 0x608, count)
    assert guest.found() == guest.found(compiled=False)


def test_every_event_that_is_an_access_is_in_the_detailed_tier() -> None:
    assert set(_DEVICES) <= set(tier_events(TraceLevel.DETAILED))


def with_nvme() -> Guest:
    guest = booted()
    guest.event("pci_cfg_read nvme 00:03.0 @0x0 -> 0x101b36")
    guest.event("pci_update_mappings_add nvme 00:03.0 0,0xfebf0000+0x4000")
    guest.write("nvme", 0xFEBF1000, 1)
    return guest


def test_a_command_without_an_answer_is_named_not_the_clock_by_which_the_guest_waits() -> None:
    guest = with_nvme()
    for count in range(4000):
        guest.read("acpi-tmr", 0x608, count)
    suspect = guest.found().suspect
    assert suspect and suspect.kind is SuspectKind.WAITS
    assert (suspect.device, suspect.register) == ("NVMe", "queue 0 submission tail doorbell")
    assert suspect.since_s == pytest.approx(0.008, abs=0.002)


def test_a_command_that_was_answered_is_not_named() -> None:
    guest = with_nvme()
    guest.write("nvme", 0xFEBF1004, 1)  # the completion was taken
    for count in range(4000):
        guest.read("acpi-tmr", 0x608, count)
    suspect = guest.found().suspect
    assert suspect and (suspect.device, suspect.register) == ("ACPI", "PM timer")


@pytest.mark.parametrize("answered", [False, True])
def test_a_queue_of_a_virtio_device_that_nothing_answers(answered: bool) -> None:
    guest = booted()
    guest.event("pci_cfg_read virtio-blk-pci 00:04.0 @0x0 -> 0x10011af4")
    guest.event("virtio_queue_notify vdev 0x5 n 0 vq 0x6")
    if answered:
        guest.event("virtio_blk_req_complete vdev 0x5 req 0x7 status 0")
    for _ in range(50):
        guest.tick()
        guest.t_s += 0.055
    suspect = guest.found().suspect
    assert (suspect is None) is answered
    if suspect:
        assert (suspect.device, suspect.register) == ("virtio-blk-pci", "queue 0 notify")


def test_a_port_of_the_vga_is_a_register_and_its_memory_a_screen() -> None:
    guest = booted()
    for cell in range(0, 4000, 2):
        guest.write("vga-lowmem", 0xB8000 + cell, 0x20)
    assert guest.found().talking_to == "AHCI"
    for count in range(4000):
        guest.read("vga", 0x3DA, 9 * (count & 1))
    found = guest.found()
    assert found.suspect and (found.suspect.device, found.suspect.register) == ("VGA", "input status 1")
    assert found.talking_to == "VGA"


def test_a_loop_begins_where_it_begins_though_the_guest_had_done_nothing_new_before() -> None:
    guest = booted()
    guest.read("keyboard", 0x64, 0x1C)
    for count in range(2000):
        guest.read("acpi-tmr", 0x608, count)
    begin_s = guest.t_s
    for _ in range(3000):
        guest.read("keyboard", 0x64, 0x1C)
    suspect = guest.found().suspect
    assert suspect and suspect.device == "i8042"
    assert suspect.since_s == pytest.approx(begin_s, abs=0.2)
