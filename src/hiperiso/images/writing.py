"""How an ISO can be written to a USB stick, from the facts in its first sectors."""

from __future__ import annotations

from hiperiso.contract.hardware import ImageKind
from hiperiso.images.recognise import Recognised


def writing_notes(found: Recognised) -> tuple[str, ...]:
    """One note on an ISO; none on anything else."""
    if found.kind is not ImageKind.ISO:
        return ()
    bios, uefi = found.info.mbr_boot, found.info.esp
    if not bios and not uefi:
        return (
            "written to a stick as it is (dd) it does not boot: it is not a hybrid, and boots only as a CD",
        )
    where = "under BIOS and UEFI" if bios and uefi else "only under BIOS" if bios else "only under UEFI"
    return (f"can be written to a stick as it is (dd): a hybrid, made to boot there {where}",)
