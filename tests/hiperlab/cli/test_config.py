"""`hiperiso config` as a person types it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from commands import run_command


def hiperiso(*words: str | Path, **variables: str) -> tuple[int, str, str]:
    return run("config", *words, **variables)


def run(*words: str | Path, **variables: str) -> tuple[int, str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HIPERISO_")}
    done = run_command(*words, env=inherited | variables, strict=True)
    return done.returncode, done.stdout, done.stderr


def test_what_is_in_force_and_why(tmp_path: Path) -> None:
    file = tmp_path / "hiperiso.json"
    file.write_text(json.dumps({"iso_overrides": {"a*": {"ram": "1G", "cpus": 4}, "b*": {"ram": 512}}}))
    code, out, err = hiperiso("explain", "a.iso", "--config", file, "--cpus", "8")
    assert code == 0, err
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines()}
    assert lines["ram"] == f"1024 [{file}: iso_overrides['a*'].ram]"
    assert lines["cpus"] == f"8 [--cpus], instead of 4 [{file}: iso_overrides['a*'].cpus]"
    assert lines["vga"] == "std [default]"
    assert lines["timeout_scale"] == "(3 where the guest is emulated, else 1) [default]"
    file.write_text('{"iso_overrides": {"a*": {"rma": 1},\n "b*": {"ram": 1}}}')
    code, out, err = hiperiso("explain", "c.iso", "--config", file)  # the whole file is checked
    assert (code, out) == (2, "")
    assert f"{file}:2:16: iso_overrides['b*'].ram: 1 is not an amount of RAM" in err
    assert f"{file}:1:27: iso_overrides['a*'].rma: unknown setting 'rma'; did you mean 'ram'?" in err


def test_every_place_that_a_value_comes_from(tmp_path: Path) -> None:
    (tmp_path / "hiperiso").mkdir()
    (tmp_path / "hiperiso/config.toml").write_text('timeout = 600\nram = "1G"\nvga = "virtio"\n')
    file = tmp_path / "hiperiso.json"
    file.write_text(
        '{"dud": [{"image": "a.iso", "dud": "d.img"}],\n"iso_overrides": {"*": {"ram": 512,\n"cpus": 4}}}'
    )
    words = ("explain", "a.iso", "--config", file, "--json", "--trace", "full")
    code, out, err = hiperiso(*words, XDG_CONFIG_HOME=str(tmp_path), HIPERISO_GUEST_CPUS="8")
    assert code == 0, err
    found = json.loads(out)
    assert {
        name: found[name]["source"] for name in ("timeout", "ram", "cpus", "trace", "firmware", "dud")
    } == {
        "timeout": "user's config",
        "ram": "file",
        "cpus": "environment",
        "trace": "command line",
        "firmware": "default",
        "dud": "file",
    }
    assert found["ram"]["origin"] == f"{file}: iso_overrides['*'].ram" and found["ram"]["line"] == 2
    assert found["dud"]["value"] == str(tmp_path / "d.img")
    assert found["cpus"]["instead_of"][0]["line"] == 3
    line = "BOOT_IMAGE=x hiperiso_iso=/ISOs/a.iso hiperiso_guest_ram=2G"
    code, out, err = hiperiso(
        "explain", "--config", file, "--json", "--cmdline", line, HIPERISO_GUEST_CPUS="8"
    )
    found = json.loads(out)
    assert (found["ram"]["value"], found["ram"]["source"]) == ("2048", "kernel command line")
    assert (found["cpus"]["value"], found["dud"]["value"]) == (
        "4",
        "/mnt/usb/d.img",
    )  # a stick has no environment
    code, out, err = hiperiso("explain", "--cmdline", line, "--ram", "4G")
    assert (code, out) == (2, "") and "a stick has no options: ram" in err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            '{"iso_overrides": {"*": {"rma": 1}}}',
            "iso_overrides['*'].rma: unknown setting 'rma'; did you mean 'ram'?",
        ),
        ('{"iso_overrides": {"*": {"ocr": "on"}}}', "ocr does not apply on a stick"),
        ('{"iso_override": {}}', "unknown section 'iso_override'; did you mean 'iso_overrides'?"),
        ('{"control": {"timeout": "soon"}}', "timeout"),
    ],
)
def test_what_a_stick_cannot_use_is_named(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "hiperiso.json"
    file.write_text(content)
    code, out, _ = hiperiso("check", file, "--where", "stick")
    assert code == 2 and f"{file}:1:" in out and said in out
    code, out, _ = hiperiso("check", file, "--where", "stick", "--json")
    found = json.loads(out)
    (problem,) = found["problems"]
    (fault,) = found["faults"]
    assert code == 2 and said in problem and not found["valid"]
    assert (fault["line"], fault["severity"]) == (1, "error") and fault["column"] > 1


def test_all_errors_at_once_and_before_a_boot(tmp_path: Path) -> None:
    file = tmp_path / "hiperiso.json"
    file.write_text('{"iso_override": {},\n "theme": {"colour": 1},\n "iso_overrides": {"x": {"cpus": 0,}}}')
    code, out, _ = hiperiso("check", file)
    places = [line.removeprefix(f"{file}:").split(": ")[0] for line in out.splitlines()]
    assert code == 2 and places == ["1:2", "2:12", "3:34", "3:35"]
    iso = tmp_path / "a.iso"
    iso.write_bytes(b"x")
    code, out, err = run("boot", iso, "--config", file, "--log-root", tmp_path / "logs")
    assert code == 2 and "has 4 errors" in err and all(f"{file}:{place}: " in err for place in places)
    assert not (tmp_path / "logs").exists()


def test_where_a_file_is_decides_what_can_be_checked(tmp_path: Path) -> None:
    stick = tmp_path / "hiperiso/hiperiso.json"
    stick.parent.mkdir()
    stick.write_text(
        '{"persistence": [{"image": "*", "backend": "/p.dat"}], "iso_overrides": {"*": {"ocr": "on"}}}'
    )
    code, out, _ = hiperiso("check", stick)
    assert code == 2 and f"no such file: {tmp_path}/p.dat" in out and "ocr does not apply on a stick" in out
    other = tmp_path / "other.json"
    other.write_text(stick.read_text())
    code, out, _ = hiperiso("check", other)
    assert code == 0 and out.count("warning: ") == 2
    code, out, _ = hiperiso("check", other, "--where", "workstation")
    assert code == 2 and "no such file: /p.dat" in out
    code, out, err = hiperiso("check", other, "--where", "stik")
    assert code == 2 and "did you mean stick?" in err


def test_what_cannot_be_read_at_all_is_an_error(tmp_path: Path) -> None:
    code, out, err = hiperiso("check", tmp_path / "none.json")
    assert (code, out) == (2, "") and "cannot read the configuration" in err
    (tmp_path / "broken.json").write_text("{")
    code, out, err = hiperiso("check", tmp_path / "broken.json")
    assert code == 2 and "broken.json:1:2: not valid JSON: the file ends before" in out and not err
    (tmp_path / "huge.json").write_bytes(b" " * (5 << 20))
    code, out, err = hiperiso("check", tmp_path / "huge.json")
    assert (code, out) == (2, "") and "larger than 4 MB" in err


def test_a_file_that_can_be_used_and_the_schema(tmp_path: Path) -> None:
    file = tmp_path / "hiperiso.json"
    document = {"iso_overrides": {"/ISOs/a.iso": {"no_kvm": "direct", "ram": "4G", "net_dump": True}}}
    file.write_text(json.dumps(document))
    code, out, _ = hiperiso("check", file, "--where", "stick")
    assert code == 0 and out == f"{file}: no problem found\n"
    code, out, _ = hiperiso("schema")
    assert code == 0 and Draft202012Validator(json.loads(out)).is_valid(document)
