"""The plugin parameters of the contract give the same settings in every form, so that a plan is the same, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from commands import run_command
from hiperiso.config.hiperiso_json import parse_config
from hiperiso.contract.kernel_cmdline import word_as_grub
from hiperiso.contract.stick import DATA_MOUNT
from hiperiso.stick.order import read_order, settings_of
from integration.conftest import environment
from integration.forms import options

FORMS: dict[str, Any] = {
    "auto_install": "/answers/ks.cfg",
    "persistence": "/changes.dat",
    "dud": ["/first.img", "/second.img"],
    "injection": "/files.tar.gz",
    "conf_replace": ["org=/boot/grub/grub.cfg;new=/my.cfg", "org=efi:/a;new=/b"],
    "secure_boot": "2011+2023",
    "tpm": True,
    "cpu_features": ["vmx", "-avx2"],
    "boot_mode": "grub2",
    "net_dump": True,
}
"""Each as hiperiso.json has it."""


def variable(name: str, value: Any) -> str:
    if isinstance(value, list):
        return ("," if name == "cpu_features" else ";").join(value)
    return "1" if value is True else value


def explained(*words: object, **variables: str) -> dict[str, Any]:
    done = run_command("config", "explain", "/a.iso", "--json", *words, env=environment(**variables))
    assert done.returncode == 0, done.stderr
    values: dict[str, Any] = json.loads(done.stdout)
    return values


def test_option_variable_and_file_mean_the_same(tmp_path: Path) -> None:
    config = tmp_path / "hiperiso.json"
    config.write_text(json.dumps({"iso_overrides": {"*.iso": FORMS}}))
    by_file = explained("--config", config)
    by_option = explained(*(word for name, value in FORMS.items() for word in options(name, value)))
    by_variable = explained(
        **{f"HIPERISO_{name.upper()}": variable(name, value) for name, value in FORMS.items()}
    )
    unset = explained()
    for name in FORMS:
        values = [form[name]["value"] for form in (by_file, by_option, by_variable)]
        assert values[0] == values[1] == values[2] != unset[name]["value"], name
        origins = [form[name]["origin"] for form in (by_file, by_option, by_variable)]
        assert (
            "iso_overrides" in origins[0]
            and origins[1].startswith("--")
            and origins[2].startswith("HIPERISO_")
        )


@pytest.mark.parametrize("name", FORMS)
def test_the_kernel_command_line_of_a_stick_and_its_file_mean_the_same(name: str) -> None:
    value = FORMS[name]
    raw = json.dumps({"iso_overrides": {"*": {name: value}}}).encode()
    by_file, _ = settings_of(read_order(""), "/a.iso", parse_config(raw, "/hiperiso/hiperiso.json"))
    single = f"hiperiso_{name}={variable(name, value)}"
    words = [f"hiperiso_{name}={item}" for item in value] if name in ("dud",) else [single]
    by_line, _ = settings_of(read_order(" ".join(map(word_as_grub, words))), "/a.iso", None)
    assert by_line == by_file != settings_of(read_order(""), "/a.iso", None)[0]
    if name in ("auto_install", "persistence", "injection"):
        assert getattr(by_line, name) == DATA_MOUNT / str(value).lstrip("/")
