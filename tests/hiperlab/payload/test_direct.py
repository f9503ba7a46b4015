"""Booting an ISO without a hypervisor, on a machine that was started from the payload."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hiperlab.samples.store import build_sample
from integration.contract_reader import read_index

from .test_boot import Machine, Stick

pytestmark = pytest.mark.boots


@pytest.fixture
def machine(payload: Path, tmp_path: Path) -> Machine:
    return Machine(payload, tmp_path)


def stages(path: Path) -> list[str]:
    events = [json.loads(line) for line in (path / "events.jsonl").read_text().splitlines()]
    return [e["text"] for e in events if (e["source"], e["kind"]) == ("harness", "status")]


def handover(path: Path) -> dict[str, object]:
    events = [json.loads(line) for line in (path / "events.jsonl").read_text().splitlines()]
    (data,) = [e["data"] for e in events if e["kind"] == "handover"]
    return dict(data)


def check_handed_over(stick: Stick, iso: str) -> Path:
    path, manifest = stick.session()
    assert (manifest["status"], manifest["result"]) == ("complete", "incomplete")
    assert (manifest["end_reason"], manifest["fault"]) == ("handed_over", "none")
    assert manifest["iso_path"] == iso and manifest["qemu_exit_code"] is None
    assert stages(path) == ["mounted", "fallback_no_kvm"]
    assert "handed over" in (stick.logs / "last.txt").read_text()
    return path


def test_a_live_system_gets_the_machine_after_one_that_cannot(machine: Machine) -> None:
    files: dict[str, bytes | Path] = {
        "ISOs/not #1.iso": build_sample("not-bootable"),
        "ISOs/of mine/li#ve.iso": build_sample("live-squashfs"),
    }
    # KVM works there (the outer QEMU emulates it): the direct boot is asked for.
    parameters = '"hiperiso_iso=/ISOs/not #1.iso" hiperiso_fallback=1 hiperiso_after=menu,300'
    with machine.interactive(files, parameters) as person:
        person.wait_for("cannot be booted directly", 240)
        person.wait_for("h: boot it under the hypervisor", 60)
        person.type("m")
        person.wait_for("li#ve.iso", 60)
        person.wait_for("q: Leave", 60)
        person.type("2\r")
        person.wait_for("live login:", 240)
        person.type("root\r")
        person.wait_for("# ", 60)
        person.type("uname -r; ls /lib/modules; grep -c hiperiso_fallback /proc/cmdline; poweroff\r")
        person.wait_for("Power down", 120)
        assert "status fallback_no_kvm" in person.heard and "status launching_qemu" not in person.heard
    stick = machine.stick()
    (refused,) = [path for path in stick.logs.iterdir() if path.name.startswith("not-")]
    assert "neither a Linux kernel nor a live system" in (refused / "FAILURE.txt").read_text()
    assert json.loads((refused / "status.json").read_bytes())["stage"] == "fatal_error"
    assert stages(refused) == ["mounted", "fallback_no_kvm"]
    assert len(read_index(stick.logs)) == 2


def test_the_isos_own_kernel_gets_the_machine(machine: Machine) -> None:
    files: dict[str, bytes | Path] = {
        "ISOs/a.iso": build_sample("live-squashfs"),
        "hiperiso/hiperiso.json": json.dumps(
            {"iso_overrides": {"a.iso": {"no_kvm": "direct", "direct": "kexec"}}}
        ).encode(),
    }
    # Without KVM: the processor offers none.
    with machine.interactive(files, "hiperiso_iso=/ISOs/a.iso", cpu="Nehalem") as person:
        person.wait_for("Linux version 6", 300)
        person.wait_for("live login:", 240)
        person.type("root\r")
        person.wait_for("# ", 60)
        person.type("poweroff\r")
        person.wait_for("Power down", 120)
    path = check_handed_over(machine.stick(), "/ISOs/a.iso")
    data = handover(path)
    assert data["way"] == "kexec" and data["files"] == ["/live/vmlinuz", "/live/initrd.img"]
    assert str(data["arguments"]).endswith("findiso=/ISOs/a.iso") and data["told_by"] == "live-boot(7)"


def test_requests_that_are_refused_leave_a_session(machine: Machine) -> None:
    stick = machine.run(
        {"ISOs/a.iso": b"x"}, "hiperiso_iso=/ISOs/a.iso hiperiso_guest_ram=much", timeout_s=200
    )
    path, manifest = stick.session()
    assert manifest["status"] == "failed" and manifest["iso_path"] == "/ISOs/a.iso"
    assert "hiperiso_guest_ram: 'much'" in (path / "FAILURE.txt").read_text()
