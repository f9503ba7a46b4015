"""A desktop that failed is tried on another display adapter, or on another emulated CPU."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as with_fields

from hiperiso.contract.manifest import Manifest
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import (
    BootResult,
    EndReason,
    FindingKind,
    KvmState,
    SessionStatus,
    TraceLevel,
    Vga,
)
from hiperiso.session.request import BootOutcome, BootRequest
from hiperiso.session.secondtry import better_of, second_try


def outcome(
    path: Path, *kinds: FindingKind, accel: str = "tcg", reason: EndReason = EndReason.BOOT_FAILED
) -> BootOutcome:
    (path / "report.json").write_text(json.dumps({"findings": [{"kind": kind.value} for kind in kinds]}))
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
        accel=accel,
        end_reason=reason,
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
    other = second_try(request, outcome(tmp_path, *([kind] if kind else []), accel="kvm"))
    assert (other is not None) == again
    if other:
        settings = other.request.settings
        assert (settings.vga, settings.ram_mb, settings.cpu_features) == (Vga.VIRTIO, 512, ())
        assert "virtio GPU" in other.reason and "AVX" not in other.reason
        assert other.request.notes == (f"the second boot after {tmp_path.name}: {other.reason}",)


def test_an_emulated_cpu_has_no_avx_on_the_other_adapter_where_llvmpipe_draws(tmp_path: Path) -> None:
    request = BootRequest(iso=Path("/a.iso"), log_root=tmp_path, settings=Settings())
    other = second_try(request, outcome(tmp_path, FindingKind.COMPOSITOR_FAILED, accel="tcg"))
    assert other is not None
    assert (other.request.settings.vga, other.request.settings.cpu_features) == (
        Vga.VIRTIO,
        ("-avx2", "-avx"),
    )
    assert "virtio GPU, and a CPU without AVX" in other.reason


@pytest.mark.parametrize(
    ("kinds", "accel", "settings", "again"),
    [
        ((FindingKind.SEGFAULT, FindingKind.DESKTOP_BLANK), "tcg", Settings(), True),
        ((FindingKind.SEGFAULT, FindingKind.DESKTOP_FAILED), "tcg", Settings(vga=Vga.VIRTIO), True),
        ((FindingKind.SEGFAULT, FindingKind.COMPOSITOR_FAILED), "tcg", Settings(), True),
        ((FindingKind.SEGFAULT,), "tcg", Settings(), False),
        ((FindingKind.SEGFAULT, FindingKind.DESKTOP_FAILED), "kvm", Settings(), False),
        ((FindingKind.SEGFAULT, FindingKind.DESKTOP_FAILED), "tcg", Settings(cpu="Haswell"), False),
        ((FindingKind.SEGFAULT, FindingKind.DESKTOP_FAILED), "tcg", Settings(cpu_features=("vmx",)), False),
        ((FindingKind.SEGFAULT, FindingKind.DESKTOP_FAILED), "tcg", Settings(keep=True), False),
    ],
)
def test_a_crash_under_emulation_is_tried_without_avx(
    tmp_path: Path, kinds: tuple[FindingKind, ...], accel: str, settings: Settings, again: bool
) -> None:
    request = BootRequest(iso=Path("/a.iso"), log_root=tmp_path, settings=settings)
    other = second_try(request, outcome(tmp_path, *kinds, accel=accel))
    assert (other is not None) == again
    if other:
        changed = other.request.settings
        assert (changed.vga, changed.cpu_features) == (settings.vga, ("-avx2", "-avx"))


def test_a_crash_before_the_time_ran_out_is_tried_without_avx(tmp_path: Path) -> None:
    request = BootRequest(iso=Path("/a.iso"), log_root=tmp_path, settings=Settings())
    other = second_try(request, outcome(tmp_path, FindingKind.SEGFAULT, reason=EndReason.TIMEOUT))
    assert other is not None and other.request.settings.cpu_features == ("-avx2", "-avx")
    assert second_try(request, outcome(tmp_path, reason=EndReason.TIMEOUT)) is None


def test_what_the_user_has_interrupted_is_not_tried_again(tmp_path: Path) -> None:
    request = BootRequest(iso=Path("/a.iso"), log_root=tmp_path, settings=Settings())
    kinds = (FindingKind.SEGFAULT, FindingKind.DESKTOP_FAILED)
    assert second_try(request, outcome(tmp_path, *kinds, reason=EndReason.INTERRUPTED)) is None


def test_a_crash_with_a_chosen_cpu_is_still_tried_on_another_adapter(tmp_path: Path) -> None:
    request = BootRequest(iso=Path("/a.iso"), log_root=tmp_path, settings=Settings(cpu="Haswell"))
    other = second_try(request, outcome(tmp_path, FindingKind.SEGFAULT, FindingKind.DESKTOP_BLANK))
    assert other is not None and other.request.settings.vga is Vga.VIRTIO
    assert (other.request.settings.cpu, other.request.settings.cpu_features) == ("Haswell", ())


def test_the_second_boot_counts_where_it_succeeded(tmp_path: Path) -> None:
    first = outcome(tmp_path)
    failed, succeeded = (
        replace(first, manifest=with_fields(first.manifest, result=result))
        for result in (BootResult.FAILURE, BootResult.SUCCESS)
    )
    assert better_of(first, failed) is first
    assert better_of(first, succeeded) is succeeded
