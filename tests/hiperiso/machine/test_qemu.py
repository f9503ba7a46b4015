"""What is asked of the QEMU binary: the installed one, and programs that stand in for others."""

import json
import subprocess
from pathlib import Path

import pytest

from hiperiso.errors import HarnessFault
from hiperiso.machine.facts import Accel
from hiperiso.machine.parts.board import Board
from hiperiso.machine.qemu import (
    BINARY,
    ENVIRONMENT_VARIABLE,
    TraceBackend,
    check_sandbox,
    check_vnc,
    cpu_features,
    displays,
    find_qemu,
    qemu_version,
    trace_backend,
    trace_events,
)
from waiting import DEADLINE_S


def program(directory: Path, body: str, name: str = BINARY) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_installed_qemu() -> None:
    qemu = find_qemu()
    assert qemu.is_absolute()
    assert qemu_version(qemu)[0].isdigit()
    assert len(trace_events(qemu)) > 1000
    assert trace_backend(qemu) in set(TraceBackend)
    assert "none" in displays(qemu)
    check_sandbox(qemu)
    check_vnc(qemu)
    assert {"vmx", "svm", "avx2", "hv-relaxed", "pmu"} < cpu_features(qemu)
    assert not {"family", "hv-spinlocks", "model-id"} & cpu_features(qemu)  # no switches


def test_variable_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = program(tmp_path, "", "other qemu")
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(other))
    assert find_qemu() == other
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(HarnessFault, match=ENVIRONMENT_VARIABLE):
        find_qemu()


def test_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HarnessFault, match="not installed") as fault:
        find_qemu()
    assert "apt install" in fault.value.hint


@pytest.mark.parametrize("body", ["echo hello", "exit 1", "echo broken library >&2; exit 127"])
def test_program_that_is_not_qemu(tmp_path: Path, body: str) -> None:
    with pytest.raises(HarnessFault):
        qemu_version(program(tmp_path, body))


def test_failure_says_what_qemu_said(tmp_path: Path) -> None:
    qemu = program(tmp_path, 'echo "-sandbox support is not enabled" >&2; exit 1')
    with pytest.raises(HarnessFault, match="support is not enabled"):
        check_sandbox(qemu)


RECORDS = """for word; do case $word in enable=*) file=${word##*file=};; esac; done; cat >/dev/null; """


@pytest.mark.parametrize(
    ("body", "backend"),
    [
        (RECORDS + r"""printf '\377\377\377\377\377\377\377\377\144' > "$file" """, TraceBackend.SIMPLE),
        (RECORDS + r"""echo 'runstate_set current_run_state 7' > "$file" """, TraceBackend.LOG),
        (RECORDS, None),
        ("echo 'option not supported by the selected tracing backends' >&2; exit 1", None),
    ],
    ids=["simple", "log", "nop", "refused"],
)
def test_trace_backends(tmp_path: Path, body: str, backend: TraceBackend | None) -> None:
    assert trace_backend(program(tmp_path, body)) is backend


def test_a_qemu_that_serves_no_screen(tmp_path: Path) -> None:
    with pytest.raises(HarnessFault, match="keymap"):
        check_vnc(program(tmp_path, 'case "$*" in *-vnc*) echo no keymap >&2; exit 1;; esac'))


def test_an_emulated_cpu_without_a_feature_keeps_the_leaf_with_the_width_of_addresses() -> None:
    """QEMU itself says up to which leaf its CPU answers."""
    board = Board(accel=Accel.TCG, ram_mb=64, cpus=1, cpu_features=("-svm",))
    asked = [
        {"execute": "qmp_capabilities"},
        {"execute": "qom-get", "arguments": {"path": "/machine/unattached/device[0]", "property": "xlevel"}},
        {"execute": "quit"},
    ]
    done = subprocess.run(
        [find_qemu(), *board.argv(), "-S", "-display", "none", "-qmp", "stdio"],
        input="".join(json.dumps(words) for words in asked),
        capture_output=True,
        text=True,
        check=True,
        timeout=DEADLINE_S,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    (level,) = [answer["return"] for answer in answers if isinstance(answer.get("return"), int)]
    assert level >= 0x80000008
