"""hiperiso records one boot of an ISO: contract, machine, observation, analysis.

Imports only the standard library, ``bootchain`` and the payload allowlist (qemu.qmp, msgspec). `__all__`
is public and imported on first use, so that ``import hiperiso`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hiperiso.version import __version__

if TYPE_CHECKING:
    from hiperiso.api import Session as Session
    from hiperiso.api import boot as boot
    from hiperiso.api import boot_async as boot_async
    from hiperiso.contract.stored import StoredSession as StoredSession
    from hiperiso.errors import HiperisoError as HiperisoError
    from hiperiso.session.interrupt import Interrupt as Interrupt

__all__ = [
    "HiperisoError",
    "Interrupt",
    "Session",
    "StoredSession",
    "__version__",
    "boot",
    "boot_async",
]

_PLACES: Final = {
    "HiperisoError": "hiperiso.errors",
    "Interrupt": "hiperiso.session.interrupt",
    "Session": "hiperiso.api",
    "StoredSession": "hiperiso.contract.stored",
    "boot": "hiperiso.api",
    "boot_async": "hiperiso.api",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
