from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.config.hiperiso_json import parse_config, read_config
from hiperiso.config.rules import matches
from hiperiso.config.settings import Layer, Source, environment_layer, explain, resolve_settings
from hiperiso.contract.expected import Expected
from hiperiso.contract.row import PLACES, Where
from hiperiso.contract.secureboot import Trust
from hiperiso.contract.settings import Settings
from hiperiso.contract.words import AccelChoice, TraceLevel
from hiperiso.errors import UsageError


def layer(**values: Any) -> Layer:
    return Layer(values, lambda name: f"--{name}")


def test_defaults_are_the_contracts() -> None:
    settings, origins = resolve_settings([])
    assert (settings.ram_mb, settings.cpus, settings.display, settings.vga) == (2048, 2, "none", "std")
    assert origins == {}


def test_later_layers_win_and_origins_are_reported() -> None:
    environment = environment_layer(
        {"HIPERISO_GUEST_RAM": "1024", "HIPERISO_TRACE_LEVEL": "full", "HOME": "/"}
    )
    settings, origins = resolve_settings([environment, layer(ram="2G", cpus=None)])
    assert settings.ram_mb == 2048
    assert settings.trace is TraceLevel.FULL
    assert origins == {"ram_mb": "--ram", "trace": "HIPERISO_TRACE_LEVEL"}


@pytest.mark.parametrize(
    ("name", "raw", "attribute", "value"),
    [
        ("ram", "512", "ram_mb", 512),
        ("ram", "4GiB", "ram_mb", 4096),
        ("ram", 4096, "ram_mb", 4096),
        ("cpus", "4", "cpus", 4),
        ("net_dump", "1", "net_dump", True),
        ("net_dump", "no", "net_dump", False),
        ("cpu_features", "vmx, svm", "cpu_features", ("vmx", "svm")),
        ("cpu_features", ["vmx"], "cpu_features", ("vmx",)),
        ("accel", "TCG", "accel", AccelChoice.TCG),
        ("timeout", "1.5", "timeout_s", 1.5),
        ("expect", "installer, desktop", "expect", (Expected.INSTALLER, Expected.DESKTOP)),
    ],
)
def test_values_are_read(name: str, raw: Any, attribute: str, value: Any) -> None:
    settings, _ = resolve_settings([layer(**{name: raw})])
    assert getattr(settings, attribute) == value


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("ram", "lots"),
        ("ram", "0"),
        ("ram", True),
        ("ram", "-5"),
        ("cpus", "0"),
        ("cpus", "two"),
        ("trace", "loud"),
        ("timeout", "nan"),
        ("timeout", "-1"),
        ("timeout", "inf"),
        ("expect", "error"),
        ("expect_text", "("),
        ("cpu_features", "vmx,--foo,bar"),
        ("cpu_features", "a,host=on"),
        ("net_dump", "perhaps"),
        ("colour", "red"),
    ],
)
def test_bad_values_are_refused_with_their_origin(name: str, raw: Any) -> None:
    with pytest.raises(UsageError, match=f"--{name}"):
        resolve_settings([layer(**{name: raw})])


def test_all_errors_come_at_once() -> None:
    with pytest.raises(UsageError) as raised:
        resolve_settings([layer(ram="x", cpus="y"), environment_layer({"HIPERISO_VGA": "z"})])
    assert all(part in str(raised.value) for part in ("--ram", "--cpus", "HIPERISO_VGA"))


@given(
    st.dictionaries(
        st.sampled_from(["ram", "cpus", "vga", "timeout", "expect_text", "cpu_features"]), st.text()
    )
)
def test_any_text_is_read_or_refused(values: dict[str, str]) -> None:
    try:
        settings, _ = resolve_settings([layer(**values)])
    except UsageError:
        return
    assert settings.ram_mb > 0 and settings.cpus > 0 and settings.timeout_s > 0


def test_the_timeout_scales_where_the_guest_is_emulated() -> None:
    assert Settings(timeout_s=10).timeout_in_force_s(emulated=True) == 30
    assert Settings(timeout_s=10).timeout_in_force_s(emulated=False) == 10
    assert Settings(timeout_s=10, timeout_scale=1).timeout_in_force_s(emulated=True) == 10


def from_file(settings: dict[str, Any]) -> Layer:
    raw = json.dumps({"iso_overrides": {"*": settings}}).encode()
    return parse_config(raw, "/x/hiperiso.json").layer_for("/a.iso")


@pytest.mark.parametrize(("name", "value"), [("no_kvm", "direct"), ("direct", "kexec")])
def test_what_means_nothing_on_a_workstation_is_refused_wherever_it_is_given(name: str, value: str) -> None:
    variable = f"HIPERISO_{name.upper()}"
    for reported, origin in (
        (environment_layer({variable: value}), variable),
        (layer(**{name: value}), f"--{name}"),
        (from_file({name: value}), f"/x/hiperiso.json: iso_overrides['*'].{name}"),
    ):
        with pytest.raises(
            UsageError, match="does not apply on a workstation: only a machine booted"
        ) as raised:
            resolve_settings([reported])
        assert raised.value.message.startswith(origin)
        assert getattr(resolve_settings([reported], Where.STICK)[0], name) == value


def test_what_means_nothing_on_a_stick_is_refused_there() -> None:
    with pytest.raises(UsageError, match="ocr does not apply on a stick: a stick has no program for OCR"):
        resolve_settings([from_file({"ocr": "on"})], Where.STICK)
    assert resolve_settings([from_file({"ocr": "on"})])[0].ocr == "on"


def test_a_default_asks_for_nothing() -> None:
    assert resolve_settings([layer(no_kvm="emulate", direct="auto")])[0] == Settings()
    assert resolve_settings([layer(ocr="off")], Where.STICK)[0] == Settings()


@pytest.mark.parametrize("name", ["iso", "log_root", "config"])
def test_where_to_read_and_write_is_not_overridden(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} cannot be set here"):
        resolve_settings([from_file({name: "/x"})])
    assert environment_layer({row.variable: "/x" for row in PLACES}).values == {}


def test_every_setting_is_explained() -> None:
    explained = explain(
        [environment_layer({"HIPERISO_GUEST_RAM": "1G"}), layer(ram="4G", cpu_features="vmx,svm")]
    )
    assert [item.row.name for item in explained][:2] == ["ram", "cpus"]
    found = {item.row.name: (item.given.value, item.given.origin) for item in explained}
    assert found["ram"] == ("4096", "--ram") and found["cpus"] == ("2", "")
    assert found["cpu_features"] == ("vmx,svm", "--cpu_features") and found["expect"] == ("", "")
    (instead,) = explained[0].instead_of
    assert (instead.value, instead.origin, instead.source) == (
        "1024",
        "HIPERISO_GUEST_RAM",
        Source.ENVIRONMENT,
    )


# ── hiperiso.json ──


def test_overrides_of_every_matching_pattern_apply_in_order(tmp_path: Path) -> None:
    path = tmp_path / "hiperiso.json"
    path.write_text(
        '\ufeff{"control": {}, "iso_overrides": {"*.iso": {"ram": 1024, "cpus": 1},'
        ' "*./windows11*.iso": {"ram": 4096, "cpu_features": ["vmx"]}, "other.iso": {"ram": 16}}}'
    )
    config = read_config(path)
    settings, origins = resolve_settings([config.layer_for("/isos/Windows11-x64.iso")])
    assert (settings.ram_mb, settings.cpus, settings.cpu_features) == (4096, 1, ("vmx",))
    assert "windows11" in origins["ram_mb"]


def test_the_contracts_own_example(tmp_path: Path) -> None:
    path = tmp_path / "hiperiso.json"
    path.write_text(
        '{"iso_overrides": {"*./windows11*.iso": {"ram": 4096, "tpm": true, "cpu_features": ["vmx"]}}}'
    )
    settings, _ = resolve_settings([read_config(path).layer_for("/x/windows11.iso")])
    assert (settings.ram_mb, settings.tpm, settings.cpu_features) == (4096, True, ("vmx",))


@pytest.mark.parametrize(
    ("raw", "trust"),
    [
        (True, Trust.VENDOR),
        ("1", Trust.VENDOR),
        (0, Trust.OFF),
        (2023, Trust.ONLY_2023),
        ("2011+2023", Trust.BOTH),
        ("REVOKED", Trust.REVOKED),
    ],
)
def test_what_secure_boot_trusts(raw: object, trust: Trust) -> None:
    settings, _ = resolve_settings([layer(secure_boot=raw)])
    assert settings.secure_boot is trust
    with pytest.raises(UsageError, match="not one of 0, 1, 2011"):
        resolve_settings([layer(secure_boot="2012")])


@pytest.mark.parametrize(
    ("pattern", "iso", "expected"),
    [
        ("*./windows11*.iso", "/ISOs/windows11.iso", True),
        ("windows11*.iso", "/ISOs/windows11.iso", True),
        ("/ISOs/*.iso", "/ISOs/a/b.iso", True),
        ("WIN*.ISO", "/ISOs/windows11.iso", True),
        ("linux*.iso", "/ISOs/windows11.iso", False),
        ("[", "/ISOs/windows11.iso", False),
    ],
)
def test_patterns(pattern: str, iso: str, expected: bool) -> None:
    assert matches(pattern, iso) is expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not valid JSON"),
        ("[]", "not an object"),
        ('{"iso_overrides": []}', "iso_overrides is not an object"),
        ('{"iso_overrides": {"a": 1}, "menu_tip": {}}', "menu_tip is not a list, or an object with tips"),
        ("\x00\xff", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "hiperiso.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=says) as raised:
        read_config(path)
    assert str(path) in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no\.json"):
        read_config(tmp_path / "no.json")
