"""Which settings a file has for an ISO, in both forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hiperiso.config.hiperiso_json import parse_config, usable_config
from hiperiso.config.settings import resolve_settings
from hiperiso.contract.row import Where


def values(document: Any, iso: str) -> tuple[dict[str, Any], dict[str, str]]:
    layer = parse_config(json.dumps(document).encode(), "/x/h.json").layer_for(iso)
    return dict(layer.values), {name: layer.origin(name).removeprefix("/x/h.json: ") for name in layer.values}


@pytest.mark.parametrize(
    ("section", "override"),
    [
        ({"auto_install": [{"image": "/ISOs/a.iso", "template": "k"}]}, {"auto_install": "k"}),
        (
            {"auto_install": [{"parent": "/ISOs", "template": ["k", "l"], "autosel": 2}]},
            {"auto_install": "l"},
        ),
        ({"persistence": [{"image": "/isos/A.iso", "backend": ["p"]}]}, {"persistence": "p"}),
        ({"dud": [{"image": "*a.iso", "dud": "d"}, {"image": "*.iso", "dud": ["e"]}]}, {"dud": ["d", "e"]}),
        (
            {
                "conf_replace": [
                    {"iso": "a.iso", "org": "/o", "new": "n"},
                    {"iso": "/ISOs/*.iso", "org": "efi:/p", "new": "m", "img": 1},
                ]
            },
            {"conf_replace": ["org=/o;new=n", {"org": "efi:/p", "new": "m"}]},
        ),
        ({"auto_memdisk": ["/ISOs/*"]}, {"boot_mode": "memdisk"}),
    ],
)
def test_a_section_of_ventoys_form_is_an_override(section: Any, override: Any) -> None:
    """Both forms give the same settings, for the ISO that is meant only."""
    for iso, where in (("/ISOs/a.iso", Where.WORKSTATION), ("/ISOs/a.iso", Where.STICK)):
        named, _ = values(section, iso)
        plain, _ = values({"iso_overrides": {iso: override}}, iso)
        layers = [
            parse_config(json.dumps(one).encode(), "/x/h.json").layer_for(iso, lambda text: Path("/d") / text)
            for one in (section, {"iso_overrides": {iso: override}})
        ]
        one, other = (resolve_settings([layer], where)[0] for layer in layers)
        assert one == other and list(named) == list(plain)
    assert values(section, "/other/b.img")[0] == {}


def test_the_order_of_the_file_decides_between_the_forms() -> None:
    section = {"auto_install": [{"image": "*", "template": "k"}]}
    overrides = {"iso_overrides": {"*": {"auto_install": "o"}}}
    assert values(section | overrides, "/a.iso")[0] == {"auto_install": "o"}
    assert values(overrides | section, "/a.iso") == (
        {"auto_install": "k"},
        {"auto_install": "auto_install[0].template"},
    )
    # an override takes precedence of all entries of a section, not of the last one alone
    duds = {"dud": [{"image": "*", "dud": "d"}, {"image": "*", "dud": "e"}]}
    assert values(duds | {"iso_overrides": {"*": {"dud": ["x"]}}}, "/a.iso")[0] == {"dud": ["x"]}


def test_an_entry_that_chooses_nothing_sets_nothing() -> None:
    document = {"auto_install": [{"image": "*", "template": ["k"], "autosel": 0}]}
    assert values(document, "/a.iso")[0] == {}


def test_what_is_usable_of_a_broken_file() -> None:
    raw = (
        b'{"iso_override": {}, "menu_alias": 3, "control": {"timeout": 5, "x": 1},'
        b' "iso_overrides": {"a": {"ram": 1}}}'
    )
    config, errors = usable_config(raw, "h")
    assert [error.path for error in errors] == [
        "iso_override",
        "menu_alias",
        "control.x",
        "iso_overrides['a'].ram",
    ]
    assert config.menu.timeout_s == 5 and config.layer_for("/a").values == {
        "ram": 1
    }  # refused when /a is booted
    config, errors = usable_config(b'{"control": {"timeout": 5,}}', "h")
    assert config.menu.timeout_s is None and len(errors) == 1
