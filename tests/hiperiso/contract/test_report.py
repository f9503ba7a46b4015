"""A report that a newer version wrote stays readable."""

from __future__ import annotations

import msgspec

from hiperiso.contract.report import Finding
from hiperiso.contract.words import FindingKind, Severity


def test_a_finding_of_a_newer_version_keeps_its_word_and_informs() -> None:
    stored = b'{"kind":"tpm_locked","severity":"grave","summary":"the TPM is locked"}'
    finding = msgspec.json.decode(stored, type=Finding)
    assert finding.kind == "tpm_locked"
    assert finding.kind not in set(FindingKind)
    assert finding.severity is Severity.INFO
    assert msgspec.json.decode(msgspec.json.encode(finding), type=Finding) == finding
