"""Every sample ISO is booted for real and must be judged right: stage, result and domain, from a valid session."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from hiperiso.contract.schema import schema_of
from hiperlab.samples.store import build_sample, find_sample, list_samples
from integration.conftest import Boot
from integration.contract_reader import read_session

EXIT_CODES = {"success": 0, "failure": 1, "incomplete": 3, "no_serial": 3}

# What a wait costs that can only end at the timeout; native seconds, three times that here.
TIMEOUTS_S = {"hang": 8, "hang-silent": 6}

CASES = [
    (sample.name, str(firmware))
    for sample in list_samples()
    for firmware in sample.outcomes
    if str(firmware) == "bios"
    or sample.name in ("memtest", "login-serial", "uefi-only", "bios-only", "missing-kernel")
]


@pytest.mark.boots
@pytest.mark.parametrize(("name", "firmware"), CASES)
def test_the_verdict_is_right(name: str, firmware: str, boot: Boot) -> None:
    sample = find_sample(name)
    expected = next(outcome for kind, outcome in sample.outcomes.items() if str(kind) == firmware)
    options = ["--firmware", firmware, "--ram", "1024"]
    if name in TIMEOUTS_S:
        options += ["--timeout", str(TIMEOUTS_S[name])]
    booted = boot(build_sample(name), *options)
    manifest = read_session(booted.session)
    analysis = manifest["analysis"]
    seen = (analysis["boot_stage_final"], analysis["boot_result"], analysis["failure_domain"])
    assert seen == (expected.stage, expected.result, expected.domain), analysis["cause"]
    assert booted.exit_code == EXIT_CODES[expected.result]
    assert manifest["fault"] == ("guest" if expected.result == "failure" else "none")
    assert manifest["status"] == "complete"
    _validate_schemas(booted.session)


def _validate_schemas(folder: Path) -> None:
    for name, file in (("session", "session.json"), ("status", "status.json"), ("timing", "timing.json")):
        Draft202012Validator(schema_of(name)).validate(msgspec.json.decode((folder / file).read_bytes()))
    Draft202012Validator(schema_of("report")).validate(
        msgspec.json.decode((folder / "report.json").read_bytes())
    )
    event_schema = Draft202012Validator(schema_of("event"))
    lines = (folder / "events.jsonl").read_bytes().splitlines()
    for number, line in enumerate(lines):
        event = msgspec.json.decode(line)
        event_schema.validate(event)
        assert event["n"] == number
    index_schema = Draft202012Validator(schema_of("index-line"))
    for line in (folder.parent / "index.jsonl").read_bytes().splitlines():
        index_schema.validate(msgspec.json.decode(line))
