"""Sessions in which no QEMU runs: refused requests, and boots that are handed over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hiperiso.contract.eventdata import HandoverData
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import KvmState, LifecycleStage
from hiperiso.errors import ExitCode, HarnessFault, IsoError, UsageError
from hiperiso.session.bare import open_bare_session, record_refusal
from hiperiso.session.recovery import recover_orphans
from hiperiso.session.request import BootRequest
from integration.contract_reader import check_started, read_index, read_session


def asked(root: Path) -> BootRequest:
    return BootRequest(
        iso=Path("/ISOs/a b.iso"), log_root=root, settings=Settings(), origins={"ram_mb": "me"}
    )


def stages(path: Path) -> list[str]:
    events = [json.loads(line) for line in (path / "events.jsonl").read_text().splitlines()]
    return [e["text"] for e in events if (e["source"], e["kind"]) == ("harness", "status")]


def stage_of(path: Path) -> Any:
    return json.loads((path / "status.json").read_bytes())["stage"]


def test_a_boot_that_is_handed_over(tmp_path: Path) -> None:
    facts = {"detail": "no such device"}
    with open_bare_session(asked(tmp_path), kvm=KvmState.UNAVAILABLE, kvm_facts=facts) as session:
        (path,) = (entry for entry in tmp_path.iterdir() if entry.is_dir())
        check_started(json.loads((path / "session.json").read_bytes()))
        session.reach(LifecycleStage.FALLBACK_NO_KVM)
        assert stage_of(path) == "fallback_no_kvm"
        session.take_host_inventory()
        session.mark("kernel_loaded")
        outcome = session.hand_over("Linux 6.1", HandoverData(way="kexec"))
    manifest = read_session(outcome.path)
    assert (manifest["status"], manifest["result"], manifest["qemu_exit_code"]) == (
        "complete",
        "incomplete",
        None,
    )
    assert (manifest["end_reason"], manifest["fault"], manifest["kvm"]) == (
        "handed_over",
        "none",
        "unavailable",
    )
    assert manifest["analysis"]["boot_stage_final"] == "unknown"
    assert "handed over to Linux 6.1" in manifest["analysis"]["cause"]
    assert "handed over to Linux 6.1" in (path / "report.txt").read_text()
    assert stages(path) == ["mounted", "fallback_no_kvm"] and stage_of(path) == "session_complete"
    phases = [line.split("\t")[0] for line in (path / "timing.dat").read_text().splitlines()]
    assert phases == ["session_start", "kernel_loaded", "hand_over", "session_end"]
    assert "no such device" in (path / "env.txt").read_text() and (path / "hw" / "host_cpuinfo.txt").exists()
    assert outcome.exit_code is ExitCode.INCOMPLETE and not (path / "owner.lock").exists()


@pytest.mark.parametrize(
    ("error", "stage"),
    [
        (IsoError("no such ISO: /ISOs/a b.iso", missing=True), "iso_not_found"),
        (UsageError("hiperiso_guest_ram: 'much' is not an amount"), "fatal_error"),
    ],
)
def test_a_refused_request(tmp_path: Path, error: UsageError, stage: str) -> None:
    outcome = record_refusal(asked(tmp_path), error)
    manifest = read_session(outcome.path)
    assert (manifest["status"], manifest["result"], manifest["fault"]) == ("failed", "incomplete", "harness")
    assert manifest["fault_detail"] == error.message and outcome.error is error
    assert error.message in (outcome.path / "FAILURE.txt").read_text()
    assert stage_of(outcome.path) == stage and len(read_index(tmp_path)) == 1
    assert outcome.exit_code is ExitCode.USAGE


def test_a_block_that_fails_ends_its_session(tmp_path: Path) -> None:
    for raised, reported in (
        (HarnessFault("no kexec here"), "no kexec here"),
        (ZeroDivisionError("x"), "internal error"),
    ):
        root = tmp_path / type(raised).__name__
        with pytest.raises(type(raised)), open_bare_session(asked(root), kvm=KvmState.UNKNOWN) as session:
            raise raised
        assert session.outcome is not None
        assert reported in read_session(session.outcome.path)["fault_detail"]
        assert recover_orphans(root) == []


def test_an_end_is_an_end(tmp_path: Path) -> None:
    with open_bare_session(asked(tmp_path), kvm=KvmState.UNKNOWN) as session:
        first = session.hand_over("a system")
        assert session.refuse(HarnessFault("too late")) is first
    assert read_session(first.path)["status"] == "complete"


def test_a_log_root_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessFault, match="log root"):
        record_refusal(asked(tmp_path / "file"), UsageError("x"))


def test_an_iso_whose_name_is_not_utf8(tmp_path: Path) -> None:
    iso = Path(b"/ISOs/caf\xe9 'x'\n\x1b[2J.iso".decode(errors="surrogateescape"))
    request = BootRequest(iso=iso, log_root=tmp_path, settings=Settings(), origins={"iso": str(iso)})
    outcome = record_refusal(request, IsoError(f"{iso}: no such file", missing=True))
    manifest = read_session(outcome.path)
    assert manifest["iso_path"] == "/ISOs/caf\\udce9 'x'\n\x1b[2J.iso"
    assert read_index(tmp_path)[0]["iso_path"] == manifest["iso_path"]
    assert "caf\\udce9" in (outcome.path / "env.txt").read_text(encoding="utf-8")
    assert "caf\\udce9" in (outcome.path / "FAILURE.txt").read_text(encoding="utf-8")
