"""The boots that the README shows, each as it stands there, on an ISO that it fits."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from hiperlab.samples import build_sample
from integration.conftest import command, environment
from integration.contract_reader import read_session
from waiting import DEADLINE_S

README = (Path(__file__).parents[2] / "README.md").read_text()
BOOTS = re.findall(r"^\$ hiperiso (boot (?!--help).*)$", README, re.MULTILINE)
SAMPLES = {"Welcome to": "systemd-login", "Advanced options>Rescue mode": "menu-grub-text"}
"""Words of an example -> the ISO that it is for; else any with a login."""


def test_the_examples_are_found() -> None:
    assert len(BOOTS) >= 7
    assert all(any(words in example for example in BOOTS) for words in SAMPLES)


@pytest.mark.slow
@pytest.mark.boots
@pytest.mark.parametrize("example", BOOTS)
def test_an_example_boots(example: str, tmp_path: Path) -> None:
    line, _, program = example.partition(" | ")
    words = shlex.split(line, comments=True)
    name = next((sample for text, sample in SAMPLES.items() if text in line), "login-serial")
    (tmp_path / words[-1 if words[-1].endswith(".iso") else 1]).symlink_to(build_sample(name))
    done = subprocess.run(
        command(*words),
        cwd=tmp_path,
        env=environment(HIPERISO_LOG_DIR=str(tmp_path / "logs")),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=5 * DEADLINE_S,
    )
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    (session,) = (tmp_path / "logs").glob("*_*")
    assert read_session(session)["result"] == "success"
    if program:  # jq .analysis
        assert json.loads(done.stdout)["analysis"]["boot_result"] == "success"
    assert ("--net-dump" in words) is (session / "network.pcap").exists()
