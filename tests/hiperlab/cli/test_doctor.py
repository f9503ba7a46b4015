"""The doctor's two forms of answer, and its exit code."""

import json
from pathlib import Path

import pytest

from hiperlab.cli.doctor import doctor


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(log_root=tmp_path) == 0
    shown = capsys.readouterr().out
    for name in ("QEMU", "KVM", "UEFI Secure Boot", "shared memory"):
        assert name in shown
    assert "boot will work here" in shown


def test_json_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(as_json=True, log_root=tmp_path) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["boot_would_work"] is True
    assert {"name", "state", "detail", "fix"} == set(answer["checks"][0])


def test_exit_code_when_no_boot_would_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HIPERISO_QEMU", str(tmp_path / "none"))
    assert doctor(log_root=tmp_path) == 4
    assert "does not work yet" in capsys.readouterr().out
