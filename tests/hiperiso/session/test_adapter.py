"""A screen that stayed blank, and a compositor that ended each time, is tried on another display adapter."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as with_fields

from hiperiso.contract.manifest import Manifest
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import BootResult, FindingKind, KvmState, SessionStatus, TraceLevel, Vga
from hiperiso.session.adapter import better_of, on_another_adapter
from hiperiso.session.request import BootOutcome, BootRequest


def outcome(path: Path, kind: FindingKind | None) -> BootOutcome:
    if kind:
        (path / "report.json").write_text(json.dumps({"findings": [{"kind": kind.value}]}))
    manifest = Manifest(
        session_id=path.name,
        status=SessionStatus.COMPLETE,
        iso_path="/a.iso",
        iso_basename="a.iso",
        log_dir=str(path),
        start_time_utc="2026-01-01T00:00:00Z",
        kvm=KvmState.UNAVAILABLE,
        trace_level=TraceLevel.STANDARD,
        guest_ram_mb=512,
        guest_cpus=1,
    )
    return BootOutcome(path=path, manifest=manifest)


@pytest.mark.parametrize(
    ("kind", "vga", "origins", "again"),
    [
        (FindingKind.DESKTOP_BLANK, Vga.STD, {}, True),
        (FindingKind.COMPOSITOR_FAILED, Vga.STD, {}, True),
        (FindingKind.DESKTOP_BLANK, Vga.STD, {"vga": "--vga"}, False),
        (FindingKind.DESKTOP_BLANK, Vga.VIRTIO, {"vga": "--vga"}, False),
        (FindingKind.DESKTOP_FAILED, Vga.STD, {}, False),
        (None, Vga.STD, {}, False),
    ],
)
def test_a_blank_screen_is_tried_on_another_adapter(
    tmp_path: Path, kind: FindingKind | None, vga: Vga, origins: dict[str, str], again: bool
) -> None:
    request = BootRequest(
        iso=Path("/a.iso"), log_root=tmp_path, settings=Settings(vga=vga, ram_mb=512), origins=origins
    )
    other = on_another_adapter(request, outcome(tmp_path, kind))
    assert (other is not None) == again
    if other:
        assert (other.settings.vga, other.settings.ram_mb) == (Vga.VIRTIO, 512)


def test_the_second_boot_counts_where_it_succeeded(tmp_path: Path) -> None:
    first = outcome(tmp_path, None)
    failed, succeeded = (
        replace(first, manifest=with_fields(first.manifest, result=result))
        for result in (BootResult.FAILURE, BootResult.SUCCESS)
    )
    assert better_of(first, failed) is first
    assert better_of(first, succeeded) is succeeded
