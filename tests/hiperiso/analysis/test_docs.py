"""docs/verdict.md explains every stage; the tables know every kind of finding, with its severities."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from hiperiso.analysis.signatures import everything
from hiperiso.analysis.signatures.pictures import SIGNATURES
from hiperiso.contract.words import BootStage, FindingKind, Severity

PAGE = Path(__file__).parents[3] / "docs/verdict.md"
BY_THE_HANDS = {
    FindingKind.BOOT_MENU,
    FindingKind.MENU_KEY,
    FindingKind.MENU_RETURNED,
    FindingKind.MENU_NO_REACTION,
    FindingKind.MENU_ENTRY_MISSING,
}
BY_THE_TPM = {FindingKind.TPM_COMPARED, FindingKind.TPM_MISMATCH}
BY_THE_JUDGE = (
    BY_THE_HANDS
    | BY_THE_TPM
    | {
        kind
        for kind in FindingKind
        if kind
        in (
            FindingKind.RESET,
            FindingKind.DESKTOP_BLANK,
            FindingKind.COMPOSITOR_FAILED,
            FindingKind.LOGIN_FAILED,
        )
        or kind.startswith("guest_")
    }
)


def test_every_stage_is_explained() -> None:
    text = PAGE.read_text()
    assert not [stage for stage in BootStage if f"`{stage}`" not in text]


def test_every_kind_is_made_by_a_signature_with_the_severities_of_its_row() -> None:
    made: dict[FindingKind, set[Severity]] = defaultdict(set)
    for signature in (*everything(), *SIGNATURES):
        if signature.kind:
            made[signature.kind].add(signature.severity)
    assert not made.keys() & BY_THE_JUDGE
    assert made == {kind: set(kind.severities) for kind in FindingKind if kind not in BY_THE_JUDGE}
