"""Variable stores that are built: what is in them, as the tool itself prints it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hiperiso.contract.secureboot import Trust
from hiperiso.machine.firmware import find_firmware
from hiperlab.trust import build_store

OLD = ("Microsoft Corporation UEFI CA 2011", "Microsoft Windows Production PCA 2011")
NEW = ("Microsoft UEFI CA 2023", "Windows UEFI CA 2023")


def listed(store: Path) -> dict[str, str]:
    """Variable -> what is printed of it."""
    argv = [sys.executable, "-m", "virt.firmware.vars", "--input", store, "--print", "--verbose"]
    text = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=True).stdout
    return {part.split(" ", 1)[0]: part for part in text.split("name=")[1:]}


@pytest.mark.parametrize(
    ("trust", "trusted", "revoked"),
    [
        (Trust.ONLY_2011, OLD, ()),
        (Trust.ONLY_2023, NEW, ()),
        (Trust.BOTH, (*OLD, *NEW), ()),
        (Trust.REVOKED, (*OLD, *NEW), OLD),
    ],
)
def test_what_a_store_trusts(
    tmp_path: Path, trust: Trust, trusted: tuple[str, ...], revoked: tuple[str, ...]
) -> None:
    plain = find_firmware().uefi
    assert plain is not None and plain.variables_template is not None
    build_store(plain.variables_template, tmp_path / "vars.fd", trust)
    variables = listed(tmp_path / "vars.fd")
    for name in (*OLD, *NEW):
        assert (f"subject CN={name}\n" in variables["db"]) is (name in trusted), name
        assert (f"subject CN={name}\n" in variables["dbx"]) is (name in revoked), name
    assert "bool: ON" in variables["SecureBootEnable"]
    assert {"PK", "KEK"} < set(variables)
    assert (tmp_path / "vars.fd").stat().st_size == plain.variables_template.stat().st_size
