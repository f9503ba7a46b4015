"""Changes of a live system: written in one boot, which ends like a power cut, and found in the next."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hiperlab.samples.debianlive import DEBIAN_LIVE, live_recipe
from integration.conftest import Boot, command, environment, iso_of
from waiting import DEADLINE_S, wait_until

NAME = "mark.service"
UNIT = """\
[Unit]
After=live-config.service
[Service]
Type=oneshot
StandardOutput=tty
TTYPath=/dev/ttyS0
ExecStart=/bin/sh /usr/local/bin/mark
"""
SCRIPT = """\
if [ -f /root/mark ]; then echo "mark found: $(cat /root/mark)"; exit; fi
echo left > /root/mark
sync
echo mark written
"""


def marking_live_iso(folder: Path) -> Path:
    """The Debian live system with a unit that writes a file, or says that it is there."""
    system = replace(
        DEBIAN_LIVE,
        files={**DEBIAN_LIVE.files, f"etc/systemd/system/{NAME}": UNIT, "usr/local/bin/mark": SCRIPT},
        links={
            **DEBIAN_LIVE.links,
            f"etc/systemd/system/multi-user.target.wants/{NAME}": f"/etc/systemd/system/{NAME}",
        },
    )
    arguments = "components persistence console=tty0 console=ttyS0,115200"
    return iso_of(live_recipe(arguments, serial_menu=True, system=system), folder, "marking.iso")


def kill_qemu_when_written(log_root: Path, recorder: subprocess.Popen[bytes]) -> None:
    def written() -> bool:
        logs = [log.read_bytes() for log in log_root.glob("*/serial.log")]
        return any(b"mark written" in log for log in logs)

    wait_until(lambda: written() or recorder.poll() is not None, "no mark was written")
    assert recorder.poll() is None
    for entry in Path("/proc").iterdir():
        if (
            entry.name.isdigit()
            and str(log_root).encode() in _arguments(entry)
            and b"-sandbox" in _arguments(entry)
        ):
            os.kill(int(entry.name), signal.SIGKILL)


def _arguments(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.boots
@pytest.mark.slow
def test_changes_survive_a_power_cut(boot: Boot, tmp_path: Path) -> None:
    iso, image, log_root = marking_live_iso(tmp_path), tmp_path / "changes.dat", tmp_path / "first"
    create = ("persistence", "create", "--label", "persistence", "--size", "64", image)
    subprocess.run(command(*create), check=True, env=environment())
    config = tmp_path / "hiperiso.json"
    config.write_text(json.dumps({"iso_overrides": {"*": {"persistence": "changes.dat", "timeout": 200}}}))
    first = command("boot", iso, "--log-root", log_root, "--config", config, "--expect-text", "never seen")
    with subprocess.Popen(
        first, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as recorder:
        kill_qemu_when_written(log_root, recorder)
        assert recorder.wait(DEADLINE_S) == 4  # QEMU's end is no fault of the guest
    repaired = subprocess.run(["e2fsck", "-p", image], capture_output=True, text=True, check=False)
    assert repaired.returncode in (0, 1), repaired.stdout
    subprocess.run(["e2fsck", "-f", "-n", image], check=True, capture_output=True)
    found = boot(iso, "--persistence", image, "--expect-text", "mark found: left", "--timeout", "200")
    assert found.exit_code == 0, found.stderr
