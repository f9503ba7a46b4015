"""Every error of a configuration at once, each at its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from hiperiso.config.check import Place, check_config
from hiperiso.config.faults import Fault
from hiperiso.config.hiperiso_json import parse_config
from hiperiso.contract.row import Where
from hiperiso.contract.schema import CONFIGURATION, schema_of
from hiperiso.contract.words import Severity
from property_tests import examples

VALID = """{
  "$schema": "hiperiso.schema.json",
  "control": {
    "timeout": 10,
    "depth": 4
  },
  "theme": {
    "gfxmode": "1024x768,auto",
    "display_mode": "GUI"
  },
  "menu_alias": [
    {"image": "/ISOs/a.iso", "alias": "A"}
  ],
  "menu_tip": {
    "tips": [
      {"image": "/ISOs/a.iso", "tip": "first"}
    ]
  },
  "auto_install": [
    {"image": "/ISOs/a*.iso", "template": "/a.ks"}
  ],
  "persistence": [
    {"image": "/ISOs/live.iso", "backend": ["/a.dat", "/b.dat"], "autosel": 2}
  ],
  "dud": [
    {"image": "/ISOs/a.iso", "dud": ["/d.img"]}
  ],
  "conf_replace": [
    {"iso": "/ISOs/a.iso", "org": "/boot/grub/grub.cfg", "new": "/n.cfg"}
  ],
  "auto_memdisk": [
    "/ISOs/small/*.iso"
  ],
  "iso_overrides": {
    "*.iso": {
      "ram": "4G",
      "cpus": 2,
      "trace": "full",
      "tpm": true,
      "cpu_features": [
        "vmx",
        "-avx2"
      ]
    },
    "[ab]*.img": {
      "timeout": 900.5,
      "expect": ["login"]
    }
  }
}
"""


class Break(NamedTuple):
    """A fault to put into the valid file: the text replaced, and what has to be reported in its line."""

    old: str
    new: str
    says: str
    near: str = ""


BREAKS = (
    Break('"control": {', '"contrl": {', "unknown section 'contrl'", "control"),
    Break('"iso_overrides": {', '"iso_override": {', "unknown section 'iso_override'", "iso_overrides"),
    Break('"timeout": 10', '"timeout": "soon"', "is not a number from 0 to 3600"),
    Break('"depth": 4', '"dept": 4', "unknown key 'dept'", "depth"),
    Break('"gfxmode": "1024x768,auto"', '"gfxmode": 7', "a whole number in place of a text"),
    Break('"display_mode": "GUI"', '"display_mode": "GUI2"', "not one of GUI, CLI", "GUI"),
    Break('"image": "/ISOs/a.iso", "alias"', '"image": "a.iso", "alias"', "is not a path like"),
    Break(', "tip": "first"', ', "tipp": "first"', "unknown key 'tipp'", "tip"),
    Break('"image": "/ISOs/a*.iso", ', "", "the entry has no image or parent"),
    Break('"autosel": 2', '"autosel": 3', "there are 2 to choose from"),
    Break('"dud": ["/d.img"]', '"dud": ["/d.img", 4]', "a whole number in place of a text"),
    Break('"org": "/boot/grub/grub.cfg"', '"org": "boot/grub.cfg"', "is not a path on the ISO"),
    Break('"/ISOs/small/*.iso"', '"/ISOs/small["', "[ is not closed"),
    Break('"ram": "4G"', '"ram": "4 apples"', "is not an amount of RAM"),
    Break('"ram": "4G"', '"ram": 8', "is not an amount of RAM"),
    Break('"cpus": 2', '"cpuss": 2', "unknown setting 'cpuss'", "cpus"),
    Break('"trace": "full"', '"trace": "ful"', "'ful' is not one of", "full"),
    Break('"tpm": true', '"tpm": {}', "an object in place of"),
    Break('"tpm": true', '"tpm": null', "null is not a value here"),
    Break('"-avx2"', '"avx 2"', "is not the name of a CPU feature"),
    Break('"[ab]*.img"', '"[ab*.img"', "[ is not closed"),
    Break('"[ab]*.img"', '"[b-a]*.img"', "the range b-a is empty"),
    Break('"timeout": 900.5', '"timeout": -1', "is not a positive number of seconds"),
    Break('"expect": ["login"]', '"expect": ["logn"]', "'logn' is not one of", "login"),
    # of the text itself
    Break('"depth": 4', '"depth": 4,', "a comma before '}'"),
    Break('"timeout": 10,', '"timeout": 10', "a comma is missing"),
    Break('"cpus": 2,', '"cpus": 2, // two', "JSON has no comments"),
    Break('"tpm": true', '"tpm": True', "did you mean true"),
    Break('"ram": "4G"', "\"ram\": '4G'", "a text is written in double quotes"),
    Break('"cpus": 2,', '"cpus": 2, "ram": 512,', "'ram' is given twice, first in line"),
)


def check(text: str, place: Place = Place()) -> list[Fault]:  # noqa: B008 - frozen
    return check_config(text.encode(), place).faults


def test_the_valid_file_is_valid() -> None:
    assert check(VALID) == []


@pytest.mark.parametrize("broken", BREAKS, ids=[f"{one.new[:24]}" for one in BREAKS])
def test_each_fault_alone(broken: Break) -> None:
    assert VALID.count(broken.old) == 1
    text = VALID.replace(broken.old, broken.new)
    (fault,) = check(text)
    assert broken.says in str(fault)
    assert fault.line == VALID[: VALID.index(broken.old)].count("\n") + 1
    assert not broken.near or fault.nearest == broken.near
    shown = text.splitlines()[fault.line - 1][fault.column - 1 :]
    assert shown.strip() or "comma" in fault.message


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(st.sampled_from(range(len(BREAKS))), min_size=2, max_size=12))
def test_every_fault_of_many_is_reported_in_its_line(chosen: set[int]) -> None:
    wanted: list[Break] = []
    for number in sorted(chosen):
        broken = BREAKS[number]
        if not any(broken.old in other.old or other.old in broken.old for other in wanted):
            wanted.append(broken)
    text = VALID
    for broken in wanted:
        assert text.count(broken.old) == 1
        text = text.replace(broken.old, broken.new)
    hidden = _hidden(wanted)
    faults = check(text)
    for broken in wanted:
        line = VALID[: VALID.index(broken.old)].count("\n") + 1
        found = [fault for fault in faults if fault.line == line and broken.says in str(fault)]
        assert broken in hidden or found, (broken, [fault.in_file("x") for fault in faults])
    assert len(faults) >= len(set(wanted) - hidden)
    for fault in faults:
        assert 1 <= fault.line <= text.count("\n") + 1 and fault.column >= 1


def _hidden(wanted: list[Break]) -> set[Break]:
    """What cannot be judged any more: the content of a section whose name is misspelt."""
    hidden: set[Break] = set()
    for section, name in (("control", "contrl"), ("iso_overrides", "iso_override")):
        if any(f'"{name}"' in broken.new for broken in wanted):
            start = VALID.index(f'"{section}"')
            end = VALID.index("\n  }", start)
            inside = [b for b in wanted if start < VALID.index(b.old) < end and "JSON" not in _syntax(b)]
            hidden |= set(inside)
    return hidden


def _syntax(broken: Break) -> str:
    of_text = ("comma", "comments", "did you mean true", "double quotes", "twice")
    return "JSON" if any(word in broken.says for word in of_text) else ""


PIECES = st.sampled_from(
    [*'{}[],:"', "'", " ", "\n", "\\", "1", "-1", "true", "null", '"*"', '"ram"', '"control"', '"iso_overrides"',
     '"menu_tip"', '"tips"', '"image"', '"theme"', '"auto_memdisk"', '"conf_replace"', "\x00", "\ud800", "\U0001f600"]
)  # fmt: skip


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60))
def test_no_text_is_a_traceback(text: str) -> None:
    checked = check_config(text.encode("utf-8", "surrogatepass"))
    for fault in checked.faults:
        assert fault.in_file("x")


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(0, len(VALID)), st.sampled_from([*'{}[],:"\\', "'", "x", "\n", "\x00"]), st.booleans())
def test_a_slip_of_the_finger_is_reported(position: int, char: str, replace: bool) -> None:
    """Whatever the standard library refuses has an error, and nothing else of the text has one."""
    text = VALID[:position] + char + VALID[position + replace :]
    errors = check_config(text.encode()).errors
    try:
        json.loads(text)
    except ValueError:
        assert errors


def test_a_flood_of_errors_ends() -> None:
    flood = json.dumps({"iso_overrides": {"*": {f"unknown{number}": 1 for number in range(100_000)}}})
    faults = check(flood)
    assert 1000 <= len(faults) <= 1001 and "there may be more errors" in " ".join(map(str, faults))


def test_what_a_later_key_replaces_is_checked_too() -> None:
    text = """{"iso_overrides": {"*": {"rma": 1}, "*": {"ram": 512}},
    "persistence": [{"image": "/a"}, {"image": "/b", "image": 4, "image": "/c", "backend": "/x"}],
    "iso_overrides": {"a": {"cpuss": 1, "cpus": 0, "cpus": 2}}}"""
    found = [(fault.line, fault.path, str(fault.nearest)) for fault in check(text)]
    assert found == [
        (1, "iso_overrides['*'].rma", "ram"),
        (1, "iso_overrides['*']", ""),
        (2, "persistence[0]", ""),
        (2, "persistence[1].image", ""),
        (2, "persistence[1].image", ""),
        (2, "persistence[1].image", ""),
        (3, "iso_overrides", ""),
        (3, "iso_overrides['a'].cpuss", "cpus"),
        (3, "iso_overrides['a'].cpus", ""),
        (3, "iso_overrides['a'].cpus", ""),
    ]
    flood = "".join(f'"control": {{"timeout": {number}, "depht": 1}},' for number in range(5000))
    assert len(check(f'{{{flood} "theme": {{}}}}')) > 200


def test_the_keys_of_a_replacement() -> None:
    text = """{"iso_overrides": {"*": {"conf_replace": [{"org": "/a", "nwe": "b"}, {"new": "b"},
    {"org": "/a", "new": 5}, {"//": "why", "org": "/a", "new": "b"}]},
    "a": {"conf_replace": {"orf": "/a", "new": "b"}}}}"""
    found = {fault.path.partition("conf_replace")[2]: (str(fault), fault.nearest) for fault in check(text)}
    assert {path: near for path, (_, near) in found.items()} == {
        "[0].nwe": "new",
        "[1]": "",
        "[2].new": "",
        ".orf": "org",
    }
    assert "there is no 'org' in it" in found["[1]"][0]
    document = json.loads(text)
    valid = document["iso_overrides"]["*"]["conf_replace"][3]
    assert check(json.dumps({"iso_overrides": {"*": {"conf_replace": valid}}})) == []


def test_line_ends_of_windows_and_a_byte_order_mark() -> None:
    """Both as editors write them: columns count what a person sees."""
    text = VALID.replace('"cpus"', '"cpuss"').replace('"ram"', '"rma"').replace("\n", "\r\n")
    found = check_config(b"\xef\xbb\xbf" + text.encode()).faults
    lines = VALID.splitlines()
    assert [(fault.line, fault.column, fault.nearest) for fault in found] == [
        (lines.index('      "ram": "4G",') + 1, 7, "ram"),
        (lines.index('      "cpus": 2,') + 1, 7, "cpus"),
    ]


def test_comments_are_allowed_in_every_object() -> None:
    text = """{"//": "a", "//": "b", "_comment": "c", "control": {"// x": 1, "timeout": 5},
    "menu_alias": [{"//": "d", "image": "/a.iso", "alias": "A"}],
    "iso_overrides": {"//": "e", "*": {"$comment": "f", "ram": 512}}}"""
    assert check(text) == []
    assert Draft202012Validator(schema_of(CONFIGURATION)).is_valid(json.loads(text))
    assert parse_config(text.encode(), "h").layer_for("/a.iso").values == {"ram": 512}


def test_the_schema_for_editors_agrees() -> None:
    """What it can express: not patterns, ranges of texts, or relations of two keys."""
    validator = Draft202012Validator(schema_of(CONFIGURATION))
    assert validator.is_valid(json.loads(VALID))
    beyond = (
        "is not closed",
        "range b-a",
        "choose from",
        "amount of RAM",
        "path on the ISO",
        "CPU feature",
        "0 to 3600",
    )
    for broken in BREAKS:
        if not _syntax(broken) and not any(word in broken.says for word in beyond):
            assert not validator.is_valid(json.loads(VALID.replace(broken.old, broken.new))), broken


# ── places ──


def test_where_a_setting_applies() -> None:
    text = '{"iso_overrides": {"*": {"ocr": "on",\n "no_kvm": "direct"}}}'
    assert [fault.severity for fault in check(text)] == [Severity.WARNING] * 2
    (on_stick,) = check(text, Place(where=Where.STICK))
    assert "ocr does not apply on a stick" in on_stick.message and on_stick.line == 1
    (here,) = check(text, Place(where=Where.WORKSTATION))
    assert "no_kvm does not apply on a workstation" in here.message and (here.line, here.column) == (2, 2)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    document: dict[str, Any] = {
        "theme": {"file": "/there", "fonts": ["/no.pf2"]},
        "auto_install": [{"image": "*", "template": ["there", "no.ks"], "autosel": 1}],
        "conf_replace": [{"iso": "*", "org": "/x", "new": "no.cfg"}],
        "iso_overrides": {
            "*": {"disk": ["4G", "no.qcow2,bus=nvme"], "persistence": "there", "dud": "no.img"}
        },
    }
    document["iso_overrides"] |= {"/ISOs/a.iso": {}, "/there": {}, "/ISOs/*": {}}
    place = Place(
        locate=lambda text: tmp_path / text.lstrip("/"), exists=Path.exists, root=tmp_path, strict=True
    )
    found = {fault.path: fault for fault in check(json.dumps(document), place)}
    assert sorted(found) == [
        "auto_install[0].template[1]",
        "conf_replace[0].new",
        "iso_overrides['*'].disk[1]",
        "iso_overrides['*'].dud",
        "iso_overrides['/ISOs/a.iso']",
        "theme.fonts[0]",
    ]
    assert all("no such file" in found[path].message for path in sorted(found)[:4])
    assert found["iso_overrides['/ISOs/a.iso']"].message == "'/ISOs/a.iso' is not on the stick"
    assert found["theme.fonts[0]"].severity is Severity.WARNING
    assert not [f for f in check(json.dumps(document), Place(exists=place.exists, locate=place.locate))
                if f.severity is Severity.ERROR]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"ram": 1}, 'ram: a setting stands in iso_overrides, with the ISOs it is for: {"iso_overrides"'),
        ({"theme_uefi": {}}, "theme_uefi: a section is for every firmware; did you mean 'theme'?"),
        ({"password": {}}, "password: Ventoy's section has no counterpart: a stick has no passwords"),
        ({"menu_alias": {}}, "menu_alias: menu_alias is not a list"),
        ({"control": [{"timeout": 5}, 3]}, "control[1]: an entry is an object"),
        (
            {"control": {"timeout": 5, "VTOY_MENU_TIMEOUT": 6}},
            "control.VTOY_MENU_TIMEOUT: means the same as 'timeout', which is given, too",
        ),
        (
            {"menu_alias": [{"image": "/a.iso", "dir": "/b", "alias": "x"}]},
            "menu_alias[0].dir: means the same as 'image'",
        ),
        (
            {"injection": [{"image": "/a.iso", "parent": "/b", "archive": "x"}]},
            "injection[0].parent: the entry has image, too: one of them",
        ),
        ({"iso_overrides": {"a": 1}}, "iso_overrides['a']: iso_overrides['a'] is not an object"),
        ({"iso_overrides": {"*": {"iso": "/x"}}}, "iso_overrides['*'].iso: iso cannot be set here"),
        ({"iso_overrides": {"x/": {}}}, "iso_overrides['x/']: the pattern ends in /"),
        ({"iso_overrides": {"": {}}}, "iso_overrides['']: the pattern is empty"),
        ([], "the document is not an object"),
    ],
)
def test_forms(document: Any, says: str) -> None:
    (fault,) = check(json.dumps(document))
    assert str(fault).startswith(says)


@pytest.mark.parametrize(
    ("encoding", "says"),
    [
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("utf-32-be", "UTF-32"),
    ],
)
def test_another_encoding_is_one_error(encoding: str, says: str) -> None:
    checked = check_config(VALID.encode(encoding))
    (fault,) = checked.errors
    assert f"the file is {says}, not UTF-8: save it as UTF-8" in fault.message and not checked.is_json


@pytest.mark.parametrize(
    ("raw", "column"), [(b'{"a": "\xff"}', 8), (b"\xff\xfe{", 1), (b'{\n"\xc3\xa9": \xe9}', 6)]
)
def test_bytes_that_are_not_utf_8_have_a_place(raw: bytes, column: int) -> None:
    checked = check_config(raw)
    (fault,) = checked.faults
    assert fault.column == column and "not UTF-8" in fault.message and not checked.is_json
