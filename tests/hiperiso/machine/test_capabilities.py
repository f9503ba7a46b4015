"""The checks of the doctor, with the machine arranged through its environment."""

from pathlib import Path

import pytest

from hiperiso.machine.capabilities import Check, CheckState, boot_would_work, check_machine, group_of
from hiperiso.machine.qemu import ENVIRONMENT_VARIABLE


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_this_machine_boots(tmp_path: Path) -> None:
    checks = check_machine(log_root=tmp_path / "not" / "yet")
    assert boot_would_work(checks)
    assert not (tmp_path / "not").exists()
    wanted = {
        "QEMU",
        "trace",
        "KVM",
        "BIOS",
        "UEFI",
        "UEFI Secure Boot",
        "swtpm",
        "xorriso",
        "disk",
        "shared memory",
    }
    assert wanted <= set(by_name(checks))
    assert all(check.fix for check in checks if check.state is not CheckState.OK)
    assert all(not check.fix for check in checks if check.state is CheckState.OK)


def test_no_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    checks = by_name(check_machine(log_root=tmp_path))
    assert checks["QEMU"].state is CheckState.MISSING
    assert "apt install" in checks["QEMU"].fix
    assert checks["swtpm"].state is CheckState.WARN
    assert checks["xorriso"].fix == "apt install xorriso"
    assert not boot_would_work(list(checks.values()))


def test_the_group_to_join_is_that_of_the_device(tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    assert group_of(device) == "kvm"
    device.touch()
    assert group_of(device) == device.group()


def test_log_root_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    check = by_name(check_machine(log_root=tmp_path / "file" / "logs"))["disk"]
    assert check.state is CheckState.MISSING
    assert "--log-root" in check.fix


def test_more_ram_than_shared_memory(tmp_path: Path) -> None:
    check = by_name(check_machine(log_root=tmp_path, guest_ram_mb=1 << 40))["shared memory"]
    assert check.state is CheckState.WARN
    assert "--ram" in check.fix
