"""Kinds of harness faults, as far as another step follows from them; the events of a session carry them."""

from __future__ import annotations

from enum import StrEnum

from hiperiso.errors import HiperisoError, IsoError, StorageFull


class FaultKind(StrEnum):
    """What failed on our side: ``data.kind`` of a fault."""

    STORAGE_FULL = "storage_full"
    BAD_IMAGE = "bad_image"


def kind_of_fault(error: HiperisoError) -> FaultKind | None:
    """The kind of an error; None where its message is all there is."""
    if isinstance(error, StorageFull):
        return FaultKind.STORAGE_FULL
    return FaultKind.BAD_IMAGE if isinstance(error, IsoError) and not error.missing else None
