"""Bad input and bad luck: one clear line, the right exit code, and the artifacts that the contract guarantees."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hiperlab.samples.store import build_sample
from integration.conftest import Boot, command, environment
from integration.contract_reader import read_session
from waiting import DEADLINE_S


def only_session(log_root: Path) -> Path:
    (session,) = [path for path in log_root.iterdir() if path.is_dir()]
    return session


def one_clear_line(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.startswith("hiperiso: ")]
    assert len(lines) == 1, stderr
    return lines[0]


def test_a_missing_iso(boot: Boot, tmp_path: Path) -> None:
    booted = boot(tmp_path / "no.iso")
    assert booted.exit_code == 2
    assert "no such ISO" in one_clear_line(booted.stderr)
    assert not booted.log_root.exists()


def test_a_mistyped_iso(boot: Boot, tmp_path: Path) -> None:
    (tmp_path / "debian-13.1.0-amd64-netinst.iso").write_bytes(b"")
    booted = boot(tmp_path / "debian-13.10-amd64-netinst.iso")
    assert booted.exit_code == 2
    assert "did you mean debian-13.1.0-amd64-netinst.iso?" in booted.stderr
    assert not booted.log_root.exists()
    booted = boot(tmp_path / "gone" / "x.iso")
    assert f"there is no {tmp_path}/gone; {tmp_path} is there" in booted.stderr


@pytest.mark.parametrize(
    ("kind", "says"),
    [("empty", "empty"), ("text", "not an ISO"), ("random", "not an ISO"), ("directory", "directory")],
)
def test_what_is_not_an_iso(kind: str, says: str, boot: Boot, tmp_path: Path) -> None:
    path = tmp_path / f"{kind}.iso"
    if kind == "directory":
        path.mkdir()
    else:
        path.write_bytes({"empty": b"", "text": b"hello\n", "random": os.urandom(100_000)}[kind])
    booted = boot(path)
    assert booted.exit_code == 2
    assert says in one_clear_line(booted.stderr)
    manifest = read_session(only_session(booted.log_root))
    assert manifest["status"] == "failed"
    assert manifest["analysis"]["failure_domain"] in ("none", "unknown")


def test_an_unwritable_log_root(boot: Boot, tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file stands in the way")
    booted = boot(build_sample("not-bootable"))
    assert booted.exit_code == 4
    assert "cannot write to the log root" in one_clear_line(booted.stderr)
    assert booted.stdout == ""


def test_a_read_only_log_root(tmp_path: Path) -> None:
    root = tmp_path / "logs"
    root.mkdir()
    done = in_namespace(
        f"mount -t tmpfs -o ro none {root}", "boot", build_sample("not-bootable"), "--log-root", root
    )
    assert done.returncode == 4
    assert "cannot write to the log root" in one_clear_line(done.stderr)


@pytest.mark.boots
def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    root, kept = tmp_path / "logs", tmp_path / "kept"
    root.mkdir()
    done = in_namespace(
        f"mount -t tmpfs -o size=600k none {root}",
        *("boot", build_sample("login-serial"), "--log-root", root, "--trace", "full", "--timeout", "60"),
        after=f"cp -a {root} {kept}",
    )
    assert done.returncode == 4
    assert "No space left" in one_clear_line(done.stderr)
    assert "Traceback" not in done.stderr
    session = only_session(kept)
    for name in ("session.json", "status.json", "env.txt"):
        assert (session / name).stat().st_size > 0
    assert '"status": "failed"' in (session / "session.json").read_text()
    assert (session / "SESSION_COMPLETE").exists()


@pytest.mark.boots
def test_an_iso_that_vanishes(boot: Boot, tmp_path: Path) -> None:
    iso = tmp_path / "gone.iso"
    shutil.copy(build_sample("login-serial"), iso)
    remover = subprocess.Popen(
        [sys.executable, "-c", REMOVE_WHEN_RUNNING, tmp_path / "logs", iso], stdin=subprocess.DEVNULL
    )
    booted = boot(iso)
    assert remover.wait(DEADLINE_S) == 0
    assert booted.exit_code == 4
    assert "vanished" in one_clear_line(booted.stderr)
    manifest = read_session(booted.session)
    assert (manifest["status"], manifest["fault"]) == ("failed", "harness")


REMOVE_WHEN_RUNNING = """
import sys, time
from pathlib import Path
root, iso = map(Path, sys.argv[1:])
while not any('"running"' in path.read_text() for path in root.glob("*/status.json")):
    time.sleep(0.02)
iso.unlink()
"""


@pytest.mark.boots
def test_a_truncated_iso_is_booted_and_reported(boot: Boot, tmp_path: Path) -> None:
    iso = tmp_path / "short.iso"
    whole = build_sample("login-serial").read_bytes()
    iso.write_bytes(whole[: len(whole) // 2])
    booted = boot(iso, "--timeout", "20")
    manifest = read_session(booted.session)
    assert manifest["result"] in ("failure", "incomplete")
    assert "truncated" in (booted.session / "events.jsonl").read_text()


@pytest.mark.parametrize(
    "options",
    [
        ["--ram", "lots"],
        ["--cpus", "0"],
        ["--trace", "loud"],
        ["--expect", "nirvana"],
        ["--expect-text", "("],
        ["--config", "/no/such.json"],
        ["--boot-mode", "sideways"],
        ["--no-such-option"],
        ["--cpu-features", "vmx,host-phys-bits=on"],
    ],
    ids=lambda options: options[0],
)
def test_bad_options_are_usage_errors(options: list[str], boot: Boot) -> None:
    booted = boot(build_sample("not-bootable"), *options)
    assert booted.exit_code == 2
    assert booted.stdout == ""
    assert booted.stderr.strip()
    assert not booted.log_root.exists()


def test_kvm_that_was_asked_for_and_does_not_work(boot: Boot) -> None:
    probe = subprocess.run(command("doctor", "--json"), capture_output=True, text=True, check=False)
    if '"name": "KVM", "state": "ok"' in " ".join(probe.stdout.split()):
        return  # nothing to refuse here
    booted = boot(build_sample("not-bootable"), "--accel", "kvm")
    assert booted.exit_code == 4
    assert "KVM was requested" in one_clear_line(booted.stderr)
    assert read_session(booted.session)["fault"] == "harness"


def test_a_qemu_that_is_none(boot: Boot, tmp_path: Path) -> None:
    fake = tmp_path / "qemu"
    fake.write_text("#!/bin/sh\necho 'no such machine' >&2\nexit 1\n")
    fake.chmod(0o755)
    booted = boot(build_sample("not-bootable"), HIPERISO_QEMU=str(fake))
    assert booted.exit_code == 4
    assert one_clear_line(booted.stderr)
    assert read_session(booted.session)["fault"] == "harness"


def in_namespace(setup: str, *arguments: object, after: str = "true") -> subprocess.CompletedProcess[str]:
    """Run hiperiso with its own mounts, invisible to others."""
    script = f'{setup} && {{ "$@"; code=$?; {after}; exit $code; }}'
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    return subprocess.run(
        [*unshare, "sh", "-c", script, "sh", *command(*arguments)],
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE_S,
        stdin=subprocess.DEVNULL,
        env=environment(),
        check=False,
    )
