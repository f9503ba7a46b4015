"""The memory of real guests: what is read is what their serial consoles printed."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable

import pytest

from guest_memory.images import FIXTURES, fixture_names, index_from, load_image, sparse_file
from hiperiso.observe.memory import (
    GuestRam,
    KernelLogWatcher,
    TaskReader,
    Unreadable,
    console_lines,
    read_console,
)

DEBUG = 7  # not on the console by default
OpenImage = Callable[[str], GuestRam]


@pytest.mark.parametrize("name", fixture_names())
def test_the_log_is_what_the_serial_console_printed(open_image: OpenImage, name: str) -> None:
    watcher = KernelLogWatcher(open_image(name))
    records = watcher.poll(0.0)
    printed = (FIXTURES / f"{name}.log").read_bytes()
    with_caller = b"[    0.000000][" in printed
    read = b"".join(
        console_lines(record, with_caller=with_caller) for record in records if record.level < DEBUG
    )
    assert read == printed
    assert [record.seq for record in records] == list(range(len(records)))
    assert watcher.poll(0.3) == []
    assert watcher.kernel is not None
    assert watcher.kernel.release in records[0].text


@pytest.mark.parametrize("name", fixture_names())
def test_processes(open_image: OpenImage, name: str) -> None:
    watcher = KernelLogWatcher(open_image(name))
    watcher.poll(0.0)
    assert watcher.kernel is not None
    facts = json.loads((FIXTURES / f"{name}.json").read_text())
    index = index_from(facts["index"])
    reader = TaskReader(watcher.kernel.memory, index)
    if facts["tasks"] is None:
        assert any("CONFIG_DEBUG_INFO_BTF" in line for line in index.missing)
        with pytest.raises(Unreadable):
            reader.read()
        return
    tasks = reader.read()
    assert [json.loads(json.dumps(dataclasses.asdict(task))) for task in tasks] == facts["tasks"]
    by_pid = {task.pid: task for task in tasks}
    assert (by_pid[1].comm, by_pid[1].ppid, by_pid[1].is_kernel_thread) == ("init", 0, False)
    assert by_pid[1].root_type == "rootfs"  # an initramfs
    assert (by_pid[2].comm, by_pid[2].is_kernel_thread) == ("kthreadd", True)
    users = {task.argv for task in tasks if not task.is_kernel_thread}
    assert users == {
        ("init",),
        ("/sbin/getty", "-L", "115200", "ttyS0", "vt100"),
        ("/sbin/getty", "38400", "tty1", "linux"),
    }


@pytest.mark.parametrize("name", fixture_names())
def test_a_console_in_the_memory_of_the_vga_card_gives_its_address(open_image: OpenImage, name: str) -> None:
    watcher = KernelLogWatcher(open_image(name))
    watcher.poll(0.0)
    assert watcher.kernel is not None
    index = index_from(json.loads((FIXTURES / f"{name}.json").read_text())["index"])
    if index.missing:
        with pytest.raises(Unreadable):
            read_console(watcher.kernel.memory, index)
        return
    screen = read_console(watcher.kernel.memory, index)
    assert screen is not None
    assert (screen.number, screen.rows, screen.columns, screen.text) == (0, 25, 80, None)
    assert screen.vga_address is not None
    assert 0xB8000 <= screen.vga_address < 0xC0000


@pytest.mark.parametrize("name", fixture_names())
def test_another_layout_of_the_machine_gives_nothing_wrong(name: str) -> None:
    """With the PCI hole elsewhere the note is found and its kernel is not there, or all is right."""
    pages, ram_bytes, below = load_image(FIXTURES / f"{name}.image.gz")
    fd = sparse_file(pages, ram_bytes, below)
    right = GuestRam(fd, below_4g_bytes=below)
    wrong = GuestRam(fd, below_4g_bytes=8 << 20)
    expected = KernelLogWatcher(right).poll(0.0)
    records = KernelLogWatcher(wrong).poll(0.0)
    assert records in ([], expected)
    for ram in (right, wrong):
        ram.close()
    os.close(fd)
