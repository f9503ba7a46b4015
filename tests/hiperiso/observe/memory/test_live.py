"""Guests that run: the content of their memory while they boot, compared with their own output."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from guest_memory.images import console_lines_of
from guest_memory.qemu import Guest, stock_kernel, write_initrd
from hiperiso.observe.memory import KernelIndex, TaskReader, console_lines, index_kernel, read_console
from hiperlab.samples import guests
from waiting import wait_until

SERIAL = "console=tty0 console=ttyS0,115200"
DEBUG = 7
STOPS = 5
"""How often a kernel is started to be stopped at its first lines."""
pytestmark = pytest.mark.boots


def index_of(guest: Guest) -> KernelIndex:
    assert guest.watcher.kernel is not None
    return index_kernel(guest.watcher.kernel.memory)


@pytest.mark.parametrize(
    ("arguments", "ram_mb"),
    [("", 1024), pytest.param("nokaslr vga=791", 5120, marks=pytest.mark.slow)],
    ids=["1 GB", "5 GB, nokaslr, framebuffer"],
)
def test_a_whole_boot_is_what_the_serial_console_prints(tmp_path: Path, arguments: str, ram_mb: int) -> None:
    initrd = write_initrd(tmp_path / "initrd.gz", guests.LOGIN)
    command_line = f"{SERIAL} {arguments}".strip()
    with Guest(
        tmp_path, kernel=stock_kernel(), initrd=initrd, arguments=command_line, ram_mb=ram_mb
    ) as guest:
        guest.run_until(lambda: b"login:" in guest.serial_bytes)
        found = guest.watcher.kernel
        assert found is not None
        index = index_of(guest)
        tasks = TaskReader(found.memory, index).read()
        screen = read_console(found.memory, index)
        guest.stop()
        printed = console_lines_of(guest.serial_bytes)
    read = b"".join(console_lines(record) for record in guest.records if record.level < DEBUG)
    assert read.splitlines() == printed
    assert len(printed) > 200
    assert {record.boot for record in guest.records} == {0}
    assert [record.seq for record in guest.records] == list(range(len(guest.records)))
    assert index.missing == ()
    programs = {task.comm: task for task in tasks if not task.is_kernel_thread}
    assert (programs["init"].pid, programs["init"].root_type) == (1, "rootfs")
    assert programs["getty"].argv[0] == "/sbin/getty"
    assert screen is not None
    if "vga" in arguments:  # a console on a framebuffer has its text in RAM
        assert screen.text is not None
        assert "sample login:" in screen.text
    else:
        assert screen.vga_address is not None


@pytest.mark.parametrize("kaslr", ["", pytest.param("nokaslr", marks=pytest.mark.slow)])
def test_a_kernel_that_restarts_is_read_again_from_its_start(tmp_path: Path, kaslr: str) -> None:
    initrd = write_initrd(tmp_path / "initrd.gz", guests.REBOOTS)
    with Guest(tmp_path, kernel=stock_kernel(), initrd=initrd, arguments=f"{SERIAL} {kaslr}") as guest:
        guest.run_until(lambda: guest.serial_bytes.count(b"Run /init as init process") >= 2)
        guest.stop()
    for boot in (0, 1):
        records = [record for record in guest.records if record.boot == boot]
        assert records[0].text.startswith("Linux version")
        assert records[0].seq == 0
        assert any("Run /init" in record.text for record in records)


def test_a_panic_is_read_without_any_console(tmp_path: Path) -> None:
    with Guest(tmp_path, kernel=stock_kernel(), initrd=None, arguments="quiet") as guest:
        guest.run_until(lambda: any("end Kernel panic" in record.text for record in guest.records))
        assert guest.serial_bytes == b""
    (panic,) = [
        record for record in guest.records if record.text.startswith("Kernel panic - not syncing: VFS:")
    ]
    assert panic.level == 0


def test_a_kernel_that_stopped_before_its_note_is_found_by_its_symbols(tmp_path: Path) -> None:
    for _ in range(STOPS):
        if check_early_kernel(tmp_path):
            return
    pytest.fail(f"{STOPS} kernels had their note already when they were stopped: this machine is too busy")


def check_early_kernel(folder: Path) -> bool:
    """Returns False where the kernel had got too far when it was stopped: another process had the processor."""
    arguments = "earlyprintk=serial,ttyS0,115200"
    with Guest(folder, kernel=stock_kernel(), initrd=None, arguments=arguments) as guest:
        wait_until(
            lambda: b"] BIOS-provided physical RAM map" in guest.serial_bytes,
            lambda: f"{guest.serial_bytes!r}",
            poll_s=0.002,
        )
        guest.process.send_signal(signal.SIGSTOP)

        def is_read() -> bool:
            guest.poll()
            return bool(guest.records)

        wait_until(is_read, "nothing is read of a kernel that stands still", poll_s=0.1)
        early = guest.watcher.kernel
        assert early is not None
        if early.memory.note.address != 0:
            return False
        assert guest.records[0].text.startswith(f"Linux version {early.release}")
        guest.process.send_signal(signal.SIGCONT)
        guest.run_until(lambda: any("end Kernel panic" in record.text for record in guest.records))
        guest.run_until(
            lambda: guest.watcher.kernel is not None and guest.watcher.kernel.memory.note.address != 0
        )
    assert {record.boot for record in guest.records} == {0}
    assert [record.seq for record in guest.records] == list(range(len(guest.records)))
    return True
