"""Booting an ISO without a hypervisor, on a machine that was started from the payload."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hiperlab.samples.store import build_sample

from .test_boot import MACHINE_S, Machine

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


def check_handed_over(path: Path, manifest: dict[str, Any]) -> Path:
    assert (manifest["status"], manifest["result"]) == ("complete", "incomplete")
    assert (manifest["end_reason"], manifest["fault"]) == ("handed_over", "none")
    assert manifest["qemu_exit_code"] is None and manifest["accel"] == "none"
    assert stages(path) == ["mounted", "fallback_no_kvm"]
    return path


@pytest.mark.slow  # a whole stick always ends with one, and the layouts have one
def test_a_live_system_gets_the_machine_after_what_cannot(machine: Machine) -> None:
    files: dict[str, bytes | Path] = {
        "ISOs/bad.iso": b"x",
        "ISOs/not #1.iso": build_sample("not-bootable"),
        "ISOs/of mine/li#ve.iso": build_sample("live-squashfs"),
        "hiperiso/hiperiso.json": json.dumps({"iso_overrides": {"bad*": {"ram": "much"}}}).encode(),
    }
    # KVM works there (the outer QEMU emulates it): the direct boot is asked for.
    parameters = "hiperiso_iso=/ISOs/../up.iso hiperiso_fallback=1 hiperiso_after=menu,300"
    with machine.interactive(files, parameters) as person:
        for choice, reported in (
            ("", "is not an absolute path on the data partition"),
            ("bad.iso", "'much' is not an amount of RAM"),
            ("not #1.iso", "cannot be booted directly"),
        ):
            if choice:
                person.choose(choice)
            person.wait_for(reported, MACHINE_S)
            can_go_on = choice == "not #1.iso"
            person.wait_for("h: boot it under the hypervisor" if can_go_on else "hiperiso_after)", MACHINE_S)
            person.type("m")
        person.choose("of mine/li#ve.iso")
        person.wait_for("live login:", MACHINE_S)
        person.type("root\r")
        person.wait_for("# ", MACHINE_S)
        person.type("uname -r; ls /lib/modules; poweroff\r")
        person.wait_for("Power down", MACHINE_S)
        assert "status fallback_no_kvm" in person.received and "status launching_qemu" not in person.received
    stick = machine.stick()
    found = {manifest["iso_path"]: (path, manifest) for path, manifest in stick.sessions()}
    for iso, why, reached in (
        ("/ISOs/../up.iso", "absolute path", ["mounted"]),
        ("/ISOs/bad.iso", "'much'", ["mounted"]),
        ("/ISOs/not #1.iso", "neither a Linux kernel nor a live system", ["mounted", "fallback_no_kvm"]),
    ):
        path, manifest = found.pop(iso)
        assert manifest["status"] == "failed" and why in (path / "FAILURE.txt").read_text()
        assert json.loads((path / "status.json").read_bytes())["stage"] == "fatal_error"
        assert stages(path) == reached
    path = check_handed_over(*found.pop("/ISOs/of mine/li#ve.iso"))
    assert not found and "handed over" in (stick.logs / "last.txt").read_text()
    data = handover(path)
    assert data["way"] == "live" and data["files"] == ["/live/filesystem.squashfs"]


@pytest.mark.slow  # a whole stick always ends with a direct boot
def test_the_isos_own_kernel_gets_the_machine(machine: Machine) -> None:
    files: dict[str, bytes | Path] = {
        "ISOs/a.iso": build_sample("live-squashfs"),
        "hiperiso/hiperiso.json": json.dumps(
            {"iso_overrides": {"a.iso": {"no_kvm": "direct", "direct": "kexec"}}}
        ).encode(),
    }
    # Without KVM: the processor offers none.
    with machine.interactive(files, "hiperiso_iso=/ISOs/a.iso", cpu="Nehalem") as person:
        person.wait_for("Linux version 6", MACHINE_S)
        person.wait_for("live login:", MACHINE_S)
        person.type("root\r")
        person.wait_for("# ", MACHINE_S)
        person.type("poweroff\r")
        person.wait_for("Power down", MACHINE_S)
    path, manifest = machine.stick().session()
    data = handover(check_handed_over(path, manifest))
    assert (manifest["iso_path"], manifest["kvm"]) == ("/ISOs/a.iso", "unavailable")
    assert data["way"] == "kexec" and data["files"] == ["/live/vmlinuz", "/live/initrd.img"]
    assert str(data["arguments"]).endswith("findiso=/ISOs/a.iso") and data["told_by"] == "live-boot(7)"
