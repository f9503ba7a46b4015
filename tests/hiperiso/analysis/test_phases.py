"""How long each phase took."""

from __future__ import annotations

from hiperiso.analysis.phases import phases_of
from hiperiso.contract.words import BootStage

TIMES = {
    BootStage.FIRMWARE: 0.2,
    BootStage.BOOTLOADER: 1.5,
    BootStage.KERNEL: 6.0,
    BootStage.INITRAMFS: 9.0,
    BootStage.USERSPACE: 14.0,
    BootStage.LOGIN: 38.0,
}


def rows(**extra: object) -> list[tuple[str, float, int]]:
    phases = phases_of(TIMES, **extra)  # type: ignore[arg-type]
    return [(phase.name, phase.start_s, phase.duration_ms) for phase in phases]


def test_each_phase_lasts_until_the_next_began() -> None:
    assert rows(kernel_began_s=5.0, desktop=(37.0, 62.5)) == [
        ("firmware", 0.0, 1500),
        ("loader", 1.5, 3500),
        ("kernel", 5.0, 4000),
        ("initramfs", 9.0, 5000),
        ("userspace", 14.0, 24000),
        ("desktop", 37.0, 25500),
    ]


def test_what_was_not_seen_is_left_out() -> None:
    times = {BootStage.KERNEL: 6.0, BootStage.USERSPACE: 14.0, BootStage.LOGIN: None}
    assert [(p.name, p.duration_ms) for p in phases_of(times)] == [("firmware", 6000), ("kernel", 8000)]
    assert phases_of({}) == []
