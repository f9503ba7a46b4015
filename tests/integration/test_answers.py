"""Installers that are driven by answers: the Debian installer, from its package, by a preseed in its initramfs."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiperlab.samples import build_sample
from integration.conftest import Boot
from integration.contract_reader import read_session

PRESEED = """\
d-i debian-installer/locale string en_US.UTF-8
d-i keyboard-configuration/xkb-keymap select us
d-i netcfg/choose_interface select auto
d-i netcfg/get_hostname string preseeded
d-i netcfg/get_domain string example.org
"""


@pytest.mark.boots
def test_a_preseed_answers_all_up_to_the_mirror(boot: Boot, tmp_path: Path) -> None:
    """Without it the first question is that for the language."""
    (tmp_path / "answers").write_text(PRESEED)
    booted = boot(
        build_sample("debian-installer"),
        *("--auto-install", tmp_path / "answers", "--net", "user", "--append", "DEBIAN_FRONTEND=text"),
        *("--expect-text", "Debian archive mirror country:", "--timeout", "120"),
    )
    assert booted.exit_code == 0, booted.stderr
    manifest = read_session(booted.session)
    assert manifest["end_reason"] == "expected_text"
    serial = (booted.session / "serial.log").read_text(errors="replace")
    assert "Select a language" not in serial and "Detecting network hardware" in serial
    assert "auto_install: a preseed, added to the initramfs" in (booted.session / "report.txt").read_text()
