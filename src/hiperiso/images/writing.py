"""How an ISO can be written to a USB stick, from what its first sectors say."""

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
            "written to a stick as it is (dd) it does not boot: it is not a hybrid, and boots as a CD alone",
        )
    where = "under BIOS and UEFI" if bios and uefi else "under BIOS alone" if bios else "under UEFI alone"
    return (f"can be written to a stick as it is (dd): a hybrid, made to boot there {where}",)
