"""Events and summary of a boot's reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiperiso.contract.disk import DiskSummary, Place
from hiperiso.contract.schema import schema_of
from hiperiso.iso.sectormap import SectorMap, read_sector_map
from hiperiso.observe.disk import DiskChannel, disk_of_session, write_disk_json
from iso_images import SECTOR, make_tree, xorriso
from property_tests import examples

ZERO = 1795319000.0


@pytest.fixture(scope="module")
def iso(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("channel")
    (folder / "tree").mkdir()
    make_tree(folder / "tree")
    xorriso(folder / "tree", folder / "x.iso", "-R", "-J")
    return folder / "x.iso"


def trace(*reads: tuple[float, int, int]) -> bytes:
    return b"".join(
        f"1@{ZERO + t:.6f}:ide_atapi_cmd_read IDEState: 0x1; read dma: LBA={lba} nb_sectors={count}\n".encode()
        for t, lba, count in reads
    )


def test_one_event_for_each_file_and_second(iso: Path) -> None:
    layout = read_sector_map(iso)
    kernel, root = layout.paths()["/boot/vmlinuz"], layout.paths()["/live/filesystem.squashfs"]
    channel = DiskChannel(iso, ZERO)
    channel.feed(
        trace((0.5, kernel.lba, 10), (0.9, kernel.lba + 10, 10), (1.2, root.lba, 1), (1.25, kernel.lba, 1))
    )
    assert channel.drain(0.95) == []
    first = channel.drain(1.95)
    assert [(event.t, event.text) for event in first] == [(0.9, "/boot/vmlinuz")]
    assert first[0].values == {
        "place": "file",
        "lba": kernel.lba,
        "bytes": 20 * SECTOR,
        "requests": 2,
        "first_s": 0.5,
    }
    assert channel.drain(1.99) == []
    assert [event.text for event in channel.finish()] == ["/live/filesystem.squashfs", "/boot/vmlinuz"]
    assert channel.finish() == []
    summary = channel.summary()
    assert summary.root_image is not None
    assert (summary.root_image.path, summary.root_image.first_s) == ("/live/filesystem.squashfs", 1.2)
    row = summary.files[0]
    assert (row.path, row.order, row.requests, row.place) == ("/boot/vmlinuz", 1, 3, Place.FILE)
    assert (row.bytes_read, row.bytes_unique) == (21 * SECTOR, 20 * SECTOR)
    assert (row.first_s, row.last_s, row.size_bytes) == (0.5, 1.25, 300_000)
    assert summary.busy_s == summary.waiting_s == 0.05
    assert summary.waiting_estimated and summary.longest_wait_s is None
    assert (summary.first_s, summary.last_s, summary.requests) == (0.5, 1.25, 4)


def test_a_root_that_is_read_with_its_neighbours_has_not_been_opened(iso: Path) -> None:
    """GRUB reads whole clusters: the one before a root's first sector, and the one that its last is in."""
    root = read_sector_map(iso).paths()["/live/filesystem.squashfs"]
    end = root.lba + -(-root.size_bytes // SECTOR)
    channel = DiskChannel(iso, ZERO)
    channel.feed(trace((1, end - 3, 8), (2, root.lba - 4, 8)))
    brushed = channel.summary().root_image
    channel.feed(trace((9, root.lba + 20, 2), (12, root.lba - 1, 2), (13, root.lba, 8)))
    opened = channel.summary().root_image
    assert brushed is not None
    assert opened is not None
    assert (brushed.first_s, opened.first_s) == (1, 12)


def test_waiting_for_the_medium_is_measured_where_the_drive_traces_both_ends(iso: Path) -> None:
    channel = DiskChannel(iso, ZERO)
    done = b"1@%.6f:ahci_cmd_done ahci(0x1)[0]: cmd done\n"
    channel.feed(trace((0.5, 20, 1)) + done % (ZERO + 0.5125) + trace((3, 30, 1)) + done % (ZERO + 3.002))
    channel.feed(trace((9, 40, 1)))  # under way when the recording ended
    summary = channel.summary()
    assert summary.waiting_s == pytest.approx(0.0145, abs=1e-5)
    assert summary.longest_wait_s == pytest.approx(0.0125, abs=1e-5)
    assert not summary.waiting_estimated


def test_many_files_in_one_second_share_an_event(iso: Path) -> None:
    layout = read_sector_map(iso)
    files = [place for path, place in layout.paths().items() if path.startswith("/many/")]
    channel = DiskChannel(iso, ZERO)
    channel.feed(trace(*((0.001 * n, place.lba, 1) for n, place in enumerate(files))))
    events = channel.finish()
    assert len(events) == 21
    assert sum(event.values["bytes"] for event in events) == len(files) * SECTOR
    assert [event.data.files for event in events if event.data.files] == [len(files) - 20]


def test_a_read_across_files_is_shared_out(iso: Path) -> None:
    layout = read_sector_map(iso)
    channel = DiskChannel(iso, ZERO, lambda: layout)
    channel.feed(trace((0, 0, layout.sectors + 4)))
    summary = channel.summary()
    assert summary.bytes_read == (layout.sectors + 4) * SECTOR
    assert summary.bytes_unique == sum(summary.covered) == layout.sectors * SECTOR
    assert sum(summary.heat) == layout.sectors * SECTOR
    assert {row.path: row.bytes_read for row in summary.files}["[past the end]"] == 4 * SECTOR
    biggest = [row for row in summary.files if row.path == "/live/filesystem.squashfs"]
    assert biggest[0].bytes_read == -(-2_500_000 // SECTOR) * SECTOR


@settings(deadline=None, max_examples=examples(30))
@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 4000), st.integers(1, 500)), max_size=30))
def test_the_sums_agree(iso: Path, reads: list[tuple[float, int, int]]) -> None:
    channel = DiskChannel(iso, ZERO)
    channel.feed(trace(*reads))
    events = channel.finish()
    summary = channel.summary()
    total = sum(count for _, _, count in reads) * SECTOR
    assert sum(event.values["bytes"] for event in events) == total
    assert summary.bytes_read == sum(row.bytes_read for row in summary.files) == total
    assert summary.bytes_unique == sum(summary.covered) <= sum(summary.heat) <= total
    assert sorted(row.order for row in summary.files) == list(range(1, len(summary.files) + 1))
    jsonschema.validate(json.loads(msgspec.json.encode(summary)), schema_of("disk"))


def test_names_that_would_act_on_a_terminal_are_cleaned(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a\x1b[31m\u202eb\n<script>").write_bytes(b"x" * 100)
    xorriso(tmp_path / "tree", tmp_path / "x.iso", "-R")
    channel = DiskChannel(tmp_path / "x.iso", ZERO)
    layout = channel.load()
    (place,) = layout.paths().values()
    channel.feed(trace((0, place.lba, 1)))
    (event,) = channel.finish()
    assert event.text.isprintable()
    assert "<script>" in event.text  # text stays text; who makes markup of it escapes


# ── stored sessions ──


def session(folder: Path, iso: Path, *, start_utc: str = "2036-01-01T00:00:00Z") -> Path:
    folder.mkdir()
    (folder / "session.json").write_text(json.dumps({"iso_path": str(iso), "start_time_utc": start_utc}))
    (folder / "trace.log").write_bytes(trace((0.5, 16, 1), (0.6, 17, 1)))
    started = {"n": 0, "t": 0.01, "source": "harness", "kind": "started", "data": {"wall_s": ZERO + 0.01}}
    (folder / "events.jsonl").write_text("torn\n" + json.dumps(started) + "\n")
    return folder


def test_a_stored_session(iso: Path, tmp_path: Path) -> None:
    folder = session(tmp_path / "s", iso)
    path = write_disk_json(folder)
    assert path == folder / "disk.json"
    summary = msgspec.json.decode(path.read_bytes(), type=DiskSummary)
    assert summary.first_s == pytest.approx(0.5, abs=0.001)
    assert [row.path for row in summary.files] == ["[volume descriptors]"]
    before = path.stat().st_mtime_ns
    assert write_disk_json(folder) == path
    assert path.stat().st_mtime_ns == before


def test_the_analysis_reads_a_trace_that_the_recording_did_not(iso: Path, tmp_path: Path) -> None:
    folder = session(tmp_path / "s", iso)
    (folder / "serial.log").write_bytes(b"SeaBIOS\r\n")
    argv = [sys.executable, "-m", "hiperiso.analysis.cli", "analyze", "--no-exit-code", str(folder)]
    subprocess.run(argv, check=True, capture_output=True, timeout=120)
    summary = msgspec.json.decode((folder / "disk.json").read_bytes(), type=DiskSummary)
    assert [row.path for row in summary.files] == ["[volume descriptors]"]


def test_an_iso_that_is_gone_or_has_changed_gives_no_names(iso: Path, tmp_path: Path) -> None:
    gone = disk_of_session(session(tmp_path / "gone", tmp_path / "nothing.iso"))
    changed = disk_of_session(session(tmp_path / "changed", iso, start_utc="1999-01-01T00:00:00Z"))
    for summary in (gone, changed):
        assert summary is not None
        assert (summary.mapped, summary.requests) == (False, 2)
        assert [row.place for row in summary.files] == [Place.UNMAPPED]


def test_no_trace_no_table(tmp_path: Path) -> None:
    assert disk_of_session(tmp_path) is None
    (tmp_path / "trace.log").write_bytes(os.urandom(5000))
    (tmp_path / "session.json").write_bytes(b'["not an object"')
    assert disk_of_session(tmp_path) is None
    assert write_disk_json(tmp_path) is None
    assert not (tmp_path / "disk.json").exists()


def test_a_channel_without_an_image_still_counts(tmp_path: Path) -> None:
    channel = DiskChannel(tmp_path / "none.iso", ZERO, SectorMap.unknown)
    channel.feed(trace((1, 100, 8)))
    (event,) = channel.finish()
    assert (event.text, event.values["bytes"]) == ("[not mapped]", 8 * SECTOR)
    assert channel.summary().heat == [0] * 256


def test_every_file_that_was_read_is_named_once_with_the_time_of_its_last_read(iso: Path) -> None:
    layout = read_sector_map(iso)
    kernel = layout.paths()["/boot/vmlinuz"]
    channel = DiskChannel(iso, ZERO)
    channel.feed(trace((0.5, kernel.lba, 1), (0.7, kernel.lba + 1, 1)))
    assert channel.touched() == [("/boot/vmlinuz", 0.7)]
    assert channel.touched() == []
    channel.feed(trace((1.5, 0, min(layout.sectors, 1 << 16))))
    paths = dict(channel.touched())
    assert {"/boot/vmlinuz", "/live/filesystem.squashfs"} <= set(paths)
    assert set(paths.values()) == {1.5}
