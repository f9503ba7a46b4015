"""Variable stores for OVMF that trust what a PC of some year trusts: built by virt-fw-vars, the field's tool.

Its package (virt-firmware) carries Microsoft's certificates. States: `hiperiso.contract.secureboot.Trust`.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Final

from hiperiso.contract.secureboot import Trust
from hiperlab.extras import require_extra
from hiperlab.run import run_text

with contextlib.suppress(ImportError):  # what needs it reports it
    from virt import firmware

_MICROSOFT: Final = "77fa9abd-0359-4d32-bd60-28f4e78f784b"
"""The owner of Microsoft's entries (UEFI firmware of PCs names it)."""

_YEARS: Final = {
    Trust.ONLY_2011: ("2011",),
    Trust.ONLY_2023: ("2023",),
    Trust.BOTH: ("2011", "2023"),
    Trust.REVOKED: ("2011", "2023"),
}
_REVOKED: Final = {Trust.REVOKED: ("2011",)}
_KINDS: Final = ("ms-uefi", "windows")
_TIMEOUT_S: Final = 60.0


def build_store(template: Path, store: Path, trust: Trust) -> None:
    """Write the variable store `store`, from the empty one `template`, in which `trust` holds and Secure Boot is on.

    Raises:
        Unsupported: virt-firmware is not installed.
        HarnessFault: it fails.
    """
    require_extra("virt", "secureboot", purpose=f"secure_boot {trust}")
    certificates = Path(firmware.__path__[0]) / "certs" / "microsoft.com"
    argv = [sys.executable, "-m", "virt.firmware.vars", "--input", str(template), "--output", str(store)]
    argv += ["--enroll-microsoft", "--microsoft-db", "none", "--microsoft-kek", "all"]
    argv += _certificates("--add-db", certificates, _YEARS[trust])
    argv += _certificates("--add-dbx-cert", certificates, _REVOKED.get(trust, ()))
    run_text([*argv, "--secure-boot"], package="virt-firmware", timeout_s=_TIMEOUT_S)


def _certificates(option: str, folder: Path, years: tuple[str, ...]) -> list[str]:
    words = []
    for year in years:
        for kind in _KINDS:
            words += [option, _MICROSOFT, str(folder / f"{kind}-{year}.pem")]
    return words
