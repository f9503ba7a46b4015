"""Which settings of a configuration need a part that the payload does not have."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from hiperlab.stick.settings_file import parse_stick_config
from hiperlab.stick.unmet import SECURE_BOOT, SWTPM, unmet

PLAIN = {"kernel": "6.1.0"}


def lacking(overrides: Mapping[str, object], versions: dict[str, str], **sections: object) -> list[str]:
    raw = json.dumps({"iso_overrides": overrides, **sections}).encode()
    return unmet(parse_stick_config(raw).overrides.rules, versions)


@pytest.mark.parametrize("value", [True, "1", "on", 1])
def test_a_tpm_needs_swtpm(value: object) -> None:
    overrides = {"/ISOs/a.iso": {"tpm": value}, "*rescue*": {"tpm": value}}
    (line,) = lacking(overrides, PLAIN)
    assert "tpm is set for /ISOs/a.iso, *rescue*" in line and "payload build --swtpm" in line
    assert lacking(overrides, {**PLAIN, SWTPM: "0.7"}) == []
    assert lacking(overrides, {}) == []  # what an old payload has is not known


@pytest.mark.parametrize("value", ["1", "2011", "2011+2023", "revoked"])
def test_secure_boot_needs_its_firmware(value: str) -> None:
    (line,) = lacking({"/ISOs/a.iso": {"secure_boot": value}}, PLAIN)
    assert line.startswith("secure_boot is set for /ISOs/a.iso") and "payload build --secure-boot" in line
    assert lacking({"/ISOs/a.iso": {"secure_boot": value}}, {**PLAIN, SECURE_BOOT: ""}) == []


@pytest.mark.parametrize("value", [False, "0", "off"])
def test_what_is_off_needs_nothing(value: object) -> None:
    assert lacking({"a": {"tpm": value, "secure_boot": value, "ram": "2G"}}, PLAIN) == []


def test_what_is_not_valid_is_reported_elsewhere() -> None:
    assert lacking({"a": {"tpm": "perhaps", "secure_boot": []}}, PLAIN) == []
