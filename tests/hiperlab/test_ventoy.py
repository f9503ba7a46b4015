"""A Ventoy configuration, taken over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hiperiso.config.check import check_config
from hiperiso.config.hiperiso_json import parse_config
from hiperiso.contract.sections import SECTIONS, SUFFIXES, WITHOUT_COUNTERPART
from hiperiso.contract.words import FirmwareKind
from hiperiso.errors import UsageError
from hiperlab.ventoy import Imported, import_ventoy
from property_tests import examples

VENTOY = """{
    "control": [
        { "VTOY_DEFAULT_MENU_MODE": "1" },
        { "VTOY_MENU_TIMEOUT": "10" },
        { "VTOY_DEFAULT_SEARCH_ROOT": "/ISO" },
        { "VTOY_SOMETHING_NEW": "x" }
    ],
    "theme_legacy": { "display_mode": "CLI" },
    "theme": {
        "file": "/ventoy/theme/theme.txt",
        "gfxmode": "1920x1080",
        "ventoy_left": "5%"
    },
    "menu_tip": {
        "left": "10%",
        "tips": [ { "image": "/ISO/a.iso", "tip1": "one", "tip2": "two" } ]
    },
    "menu_class": [ { "key": "ubuntu", "class": "ubuntu" } ],
    "auto_install": [
        { "image": "/ISO/a.iso", "template": [ "/s/1.ks", "/s/2.ks" ], "autosel": 2, "timeout": 5 },
        { "parent": "/ISO", "template": "/s/all.ks" },
        { "image": "/ISO/b.iso" }
    ],
    "persistence_uefi": [ { "image": "/ISO/live.iso", "backend": "/p/uefi.dat" } ],
    "persistence": [ { "image": "/ISO/live.iso", "backend": "/p/other.dat" } ],
    "password": { "bootpwd": "secret" }
}
"""


def imported(text: str = VENTOY, firmware: FirmwareKind = FirmwareKind.UEFI) -> Imported:
    return import_ventoy(b"\xef\xbb\xbf" + text.encode(), "ventoy.json", firmware)


def test_what_has_a_counterpart_works() -> None:
    made = imported()
    config = parse_config(made.text.encode(), "h")
    assert (config.menu.timeout_s, config.menu.search_root, config.menu.depth) == (10, "/ISO", 8)
    assert config.menu.tips == {"/ISO/a.iso": "one two"}
    assert config.layer_for("/ISO/a.iso").values["auto_install"] == "/s/2.ks"  # more than its directory
    assert config.layer_for("/ISO/c.iso").values["auto_install"] == "/s/all.ks"
    assert config.layer_for("/ISO/live.iso").values["persistence"] == "/p/uefi.dat"
    assert made.document["theme"] == {"file": "/ventoy/theme/theme.txt", "gfxmode": "1920x1080"}


def test_the_rest_is_listed_with_its_place() -> None:
    left = {fault.path: (fault.line, fault.column, str(fault)) for fault in imported().left}
    assert {path: place[:2] for path, place in left.items()} == {
        "control[0].VTOY_DEFAULT_MENU_MODE": (3, 11),
        "control[3].VTOY_SOMETHING_NEW": (6, 11),
        "theme_legacy": (8, 5),
        "theme.ventoy_left": (12, 9),
        "menu_tip.left": (15, 9),
        "menu_class": (18, 5),
        "auto_install[0].timeout": (20, 86),
        "auto_install[2]": (22, 9),
        "persistence": (25, 5),
        "password": (26, 5),
    }
    assert "no passwords" in left["password"][2] and "takes precedence" in left["persistence"][2]


def test_a_star_is_one_character_in_ventoy() -> None:
    document = {
        "dud": [{"image": "/ISO/a-**.iso", "dud": "/d"}],
        "auto_memdisk": ["/ISO/Win[1]?*.iso"],
        "conf_replace": [{"iso": "/ISO/c*.iso", "org": "/x", "new": "/y"}],
    }
    config = parse_config(imported(json.dumps(document)).text.encode(), "h")

    def settings_for(name: str) -> list[str]:
        return list(config.layer_for(f"/ISO/{name}.iso").values)

    assert settings_for("a-12") == ["dud"] and settings_for("c1") == ["conf_replace"]
    assert settings_for("Win[1]?x") == ["boot_mode"]
    assert settings_for("a-1") == settings_for("a-123") == settings_for("Win1xx") == settings_for("c") == []


def test_the_default_of_several_themes_comes_first() -> None:
    theme = {"file": ["/a/theme.txt", "/b/theme.txt", "/c/theme.txt"], "default_file": 2}
    made = imported(json.dumps({"theme": theme}))
    assert made.document["theme"]["file"] == ["/b/theme.txt", "/a/theme.txt", "/c/theme.txt"]
    for number in (0, 1, 9, "x"):
        made = imported(json.dumps({"theme": theme | {"default_file": number}}))
        assert made.document["theme"]["file"] == theme["file"]


def test_values_of_published_files() -> None:
    """As people write them: the highest resolution, an entry of another menu, lists of one, nothing chosen."""
    control = [
        {"VTOY_LINUX_REMOUNT": "1"},
        {"VTOY_WIN_UEFI_RES_LOCK": "3"},
        {"VTOY_DEFAULT_IMAGE": "F5>Power>Halt"},
    ]
    document = {
        "control": [*control, {"VTOY_MAX_SEARCH_LEVEL": "max"}, {"VTOY_MENU_TIMEOUT": "0"}],
        "theme": {
            "gfxmode": "max",
            "file": ["/ventoy/theme/a/theme.txt"],
            "default_file": "0",
            "resolution_fit": 1,
        },
        "menu_alias": [{"dir": "/ISO/Linux", "alias": "[\u6211\u7684] <Linux> +++"}],
        "persistence": [{"image": "/a.iso", "backend": "/p/a.dat", "autosel": 0, "timeout": 5}],
        "auto_install": [
            {"image": "/ubuntu-**.**.*-live-server-amd64.iso", "template": ["/s/one.user-data"]}
        ],
        "injection": [{"parent": "/ISO/Windows", "archive": "/driver/win.zip"}],
    }
    made = imported(json.dumps(document))
    assert made.document["theme"] == {"gfxmode": "auto", "file": ["/ventoy/theme/a/theme.txt"]}
    assert {fault.path for fault in made.left} == {
        "control[0].VTOY_LINUX_REMOUNT",
        "control[1].VTOY_WIN_UEFI_RES_LOCK",
        "control[2].VTOY_DEFAULT_IMAGE",
        "theme.resolution_fit",
        "persistence[0].timeout",
    }
    config = parse_config(made.text.encode(), "h")
    assert (config.menu.timeout_s, config.menu.depth, config.menu.default_image) == (0, 8, "")
    assert "persistence" not in config.layer_for("/a.iso").values
    ubuntu = config.layer_for("/ubuntu-24.04.1-live-server-amd64.iso").values
    assert ubuntu == {"auto_install": "/s/one.user-data"}
    assert config.layer_for("/ISO/Windows/w.iso").values == {"injection": "/driver/win.zip"}


def test_comments_are_no_loss() -> None:
    made = imported('{"//": "a", "//": "b", "control": [{"//": "c", "VTOY_MENU_TIMEOUT": "5"}]}')
    assert made.left == () and made.document["control"]["timeout"] == 5


def test_the_other_firmware() -> None:
    made = imported(firmware=FirmwareKind.BIOS)
    assert made.document["theme"] == {"display_mode": "CLI"}
    assert made.document["persistence"][0]["backend"] == "/p/other.dat"


def test_nothing_said_is_ventoys_default() -> None:
    """Ventoy searches the whole partition."""
    assert imported("{}").document["control"] == {"search_root": "/", "depth": 8}


@pytest.mark.parametrize(
    ("text", "says"), [("{", "1:2: not valid JSON"), ("[]", "not an object"), ('{"a": 1,}', "1:8:")]
)
def test_what_is_no_configuration(text: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        import_ventoy(text.encode(), "ventoy.json")
    assert "ventoy.json:" in raised.value.message and says in raised.value.message


SCALARS: st.SearchStrategy[Any] = st.sampled_from(
    ["/ISO/a.iso", "*", "[", "", "x", "1", 0, 5, -1, True, None, "\ud800", {}, []]
)
KEYS = sorted(
    {name for section in SECTIONS.values() for key in section.keys for name in (key.name, *key.aliases)}
)
ENTRIES = st.dictionaries(
    st.sampled_from([*KEYS, "tips"]), SCALARS | st.lists(SCALARS, max_size=3), max_size=5
)
NAMES = [
    name + suffix for name in (*SECTIONS, *WITHOUT_COUNTERPART, "other") for suffix in ("", *SUFFIXES[:2])
]
FILES = st.dictionaries(
    st.sampled_from(NAMES),
    ENTRIES
    | st.lists(ENTRIES | SCALARS, max_size=3)
    | st.fixed_dictionaries({"tips": st.lists(ENTRIES, max_size=2)}),
    max_size=6,
)


@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FILES)
@example({"persistence": [{"image": "/ISO/\u00e9.iso", "backend": "/\ud800"}]})
def test_the_result_is_always_valid(document: dict[str, Any]) -> None:
    made = import_ventoy(json.dumps(document).encode(), "v")
    assert check_config(made.text.encode()).errors == []
    mentioned = {fault.path.split("[")[0].split(".")[0] for fault in made.left} | set(made.taken)
    assert set(document) <= mentioned
