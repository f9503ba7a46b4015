"""timing.json from timing.dat: the same phases, structured, with the time since the previous one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from hiperiso.contract import files
from hiperiso.contract.manifest import Timing, TimingPhase
from hiperiso.contract.naming import utc_text
from hiperiso.contract.store import atomic_write_json
from hiperiso.contract.stored import StoredSession


def write_timing(path: Path) -> Timing | None:
    """Derive timing.json of the session directory `path`; None when there is no timing.dat.

    Raises:
        OSError: the disk is full or gone.
    """
    session = StoredSession(path)
    if not session.has(files.TIMING_DAT):
        return None
    timing = parse_timing(path.name, session.text(files.TIMING_DAT))
    atomic_write_json(path / files.TIMING_JSON, timing)
    return timing


def parse_timing(session_id: str, text: str) -> Timing:
    """Read timing.dat: ``phase<TAB>uptime<TAB>iso8601`` lines. Torn or foreign lines are skipped."""
    phases: list[TimingPhase] = []
    for line in text.splitlines():
        mark = _parse_mark(line)
        if mark is None:
            continue
        phase, uptime_s, stamp = mark
        delta_s = uptime_s - phases[-1].uptime_s if phases else 0.0
        phases.append(
            TimingPhase(
                phase=phase, uptime_s=uptime_s, timestamp_utc=stamp, delta_ms=max(0, round(delta_s * 1000))
            )
        )
    total_s = phases[-1].uptime_s - phases[0].uptime_s if phases else 0.0
    return Timing(session_id=session_id, total_ms=max(0, round(total_s * 1000)), phases=phases)


def _parse_mark(line: str) -> tuple[str, float, str] | None:
    fields = line.split("\t")
    if len(fields) != 3 or not fields[0]:
        return None
    try:
        return fields[0], float(fields[1]), utc_text(datetime.fromisoformat(fields[2]))
    except ValueError:
        return None
