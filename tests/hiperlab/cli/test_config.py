"""`hiperiso config` as a person types it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from commands import run_command


def hiperiso(*words: str | Path) -> tuple[int, str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HIPERISO_")}
    done = run_command("config", *words, env=environment, strict=True)
    return done.returncode, done.stdout, done.stderr


def test_what_is_in_force_and_why(tmp_path: Path) -> None:
    file = tmp_path / "hiperiso.json"
    file.write_text(json.dumps({"iso_overrides": {"a*": {"ram": "1G", "cpus": 4}, "b*": {"ram": 1}}}))
    code, out, err = hiperiso("explain", "a.iso", "--config", file, "--cpus", "8")
    assert code == 0, err
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines()}
    assert lines["ram"] == f"1024 [{file}: iso_overrides['a*'].ram]"
    assert (lines["cpus"], lines["vga"]) == ("8 [--cpus]", "std [default]")
    assert lines["timeout_scale"] == "(3 where the guest is emulated, else 1) [default]"
    code, out, err = hiperiso("explain", "b.iso", "--config", file)
    assert (code, out) == (2, "") and f"{file}: iso_overrides['b*'].ram: 1 is not an amount of RAM" in err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            '{"iso_overrides": {"*": {"rma": 1}}}',
            "iso_overrides['*'].rma: unknown setting 'rma'; did you mean 'ram'?",
        ),
        ('{"iso_overrides": {"*": {"ocr": "on"}}}', "ocr does not apply on a stick"),
        ('{"control": {"timeout": "soon"}}', "timeout"),
    ],
)
def test_what_a_stick_cannot_use_is_named(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "hiperiso.json"
    file.write_text(content)
    code, out, _ = hiperiso("check", file)
    assert code == 2 and str(file) in out and said in out
    code, out, _ = hiperiso("check", file, "--json")
    (problem,) = json.loads(out)["problems"]
    assert code == 2 and said in problem


def test_what_cannot_be_read_at_all_is_an_error(tmp_path: Path) -> None:
    code, out, err = hiperiso("check", tmp_path / "none.json")
    assert (code, out) == (2, "") and "cannot read the configuration" in err
    (tmp_path / "broken.json").write_text("{")
    code, out, err = hiperiso("check", tmp_path / "broken.json")
    assert (code, out) == (2, "") and "broken.json is not valid JSON" in err


def test_a_file_that_can_be_used_and_the_schema(tmp_path: Path) -> None:
    file = tmp_path / "hiperiso.json"
    document = {"iso_overrides": {"/ISOs/a.iso": {"no_kvm": "direct", "ram": "4G", "net_dump": True}}}
    file.write_text(json.dumps(document))
    code, out, _ = hiperiso("check", file)
    assert code == 0 and out == f"{file}: no problem found\n"
    code, out, _ = hiperiso("schema")
    assert code == 0 and Draft202012Validator(json.loads(out)).is_valid(document)
