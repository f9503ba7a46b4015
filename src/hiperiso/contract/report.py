"""report.json: the verdict with its evidence, as the analysis writes it."""

from __future__ import annotations

import msgspec

from hiperiso.contract.manifest import Analysis, IsoFacts, UtcTime
from hiperiso.contract.network import NetworkSummary
from hiperiso.contract.tracereport import TraceReport
from hiperiso.contract.words import BootStage, EndReason, FailureDomain, FindingKind, Severity, Source


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The source of a statement.

    ``event`` is the ``n`` of a line of events.jsonl; ``file`` with ``line`` (from 1) is used for sessions without
    events. ``t`` is seconds since QEMU started, when known; ``source`` is the channel that it was seen on.
    """

    text: str
    source: Source | None = None
    event: int | None = None
    t: float | None = None
    file: str = ""
    line: int | None = None


class StageReached(msgspec.Struct, frozen=True, kw_only=True):
    """A stage and the first sign of it."""

    stage: BootStage
    t: float | None
    delta_ms: int | None
    evidence: Evidence


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One fact found in the recording.

    ``count`` is how often it was seen (evidence holds the first few).
    """

    kind: FindingKind
    severity: Severity
    summary: str
    domain: FailureDomain = FailureDomain.NONE
    count: int = 1
    evidence: list[Evidence] = []


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """A phase of the boot: ``firmware``, ``loader``, ``kernel``, ``initramfs``, ``userspace``, ``shutdown`` or
    ``desktop``.

    ``start_s`` is seconds since QEMU started. The desktop's phase lies beside the others.
    """

    name: str
    start_s: float
    duration_ms: int


class HostUse(msgspec.Struct, frozen=True, kw_only=True):
    """How busy the host was during the recording; shares are of its time, from 0 to 1.

    ``waited_share``: the guest's busiest vCPU could have run and had no processor; ``stolen_share``: the host's own
    hypervisor gave its processors to others. ``load_max`` is the greatest load of one minute.
    """

    cpus: int
    load_max: float
    waited_share: float
    stolen_share: float


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """The last lines of a channel: ten at most, cleaned.

    With ``at_failure``, more than that followed the line that reported the failure: then it, with the lines around it.
    """

    channel: Source
    lines: list[str]
    at_failure: bool = False


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """report.json.

    ``next_steps`` are the next steps after an unsuccessful boot, most likely first; ``last_words`` are the ends of
    the active channels, the most recently active first. ``notes`` describe what was booted and how. ``iso`` is that of
    the manifest, ``network`` is network.json; ``trace`` has the answers of QEMU's trace, where there is one.
    """

    session_id: str
    generated_utc: UtcTime
    hiperiso_version: str
    analysis: Analysis
    end_reason: EndReason | None
    headline: str
    stages: list[StageReached]
    findings: list[Finding]
    recognised: list[str]
    files: list[str]
    phases: list[Phase] = []
    host: HostUse | None = None
    next_steps: list[str] = []
    last_words: list[Quote] = []
    notes: list[str] = []
    iso: IsoFacts | None = None
    network: NetworkSummary | None = None
    trace: TraceReport | None = None
