"""One list of ISOs: ``stick list`` prints what the machine shows, under any names and any hiperiso.json."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hiperiso.config.hiperiso_json import read_config, usable_config
from hiperiso.errors import UsageError
from hiperiso.stick.choice import iso_question
from hiperiso.stick.partition import find_isos
from hiperlab.stick.data import FolderData
from hiperlab.stick.listing import list_stick
from property_tests import examples

_PIECES = [*"a. '\"`\\\n\u202e日%*[é", "b.iso", ".ISO", "c.Img", "$x", "\x1b[2J"]
NAMES = (
    st.lists(st.sampled_from(_PIECES), min_size=1, max_size=4)
    .map("".join)
    .filter(lambda name: name not in (".", ".."))
)
TREES = st.lists(st.lists(NAMES, min_size=1, max_size=7), max_size=8)
ROOTS = st.sampled_from(["/ISOs", "/", "/other//deep/", "/ISOs/.hidden", "/../x", "/ISOs/a"])
CONTROL = st.fixed_dictionaries(
    {}, optional={"search_root": ROOTS, "depth": st.integers(-1, 9), "timeout": st.integers(-1, 4000)}
)


def make(root: Path, folder: str, tree: list[list[str]]) -> list[str]:
    """Files of these paths below `folder`; what cannot be made beside the others is left out."""
    made = []
    for parts in tree:
        path = root.joinpath(folder, *parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError:
            continue
        made.append("/" + path.relative_to(root).as_posix())
    return made


@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES, CONTROL, st.data())
@example([["x.iso"], ["a", "y.iso"]], {"search_root": "/", "depth": 1}, None)
def test_the_machine_shows_what_the_workstation_lists(
    tree: list[list[str]], control: dict[str, Any], data: Any
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        made = [*make(root, "ISOs", tree), *make(root, "other/deep", tree[:2])]
        document: dict[str, Any] = {"control": control}
        if data is not None and made:
            chosen = st.sampled_from([*made, *(path.rpartition("/")[0] for path in made)])
            control["default_image"] = data.draw(chosen)
            document["menu_alias"] = [{"image": data.draw(chosen), "alias": data.draw(NAMES)}]
            document["menu_tip"] = [{"image": data.draw(chosen), "tip": data.draw(NAMES)}]
        config = root / "hiperiso/hiperiso.json"
        config.parent.mkdir(exist_ok=True)
        config.write_text(json.dumps(document))

        listed = list_stick(FolderData(root)).isos
        menu = usable_config(config.read_bytes(), str(config))[0].menu
        isos = find_isos(root, menu)
        assert isos == [iso.path for iso in listed]
        if not isos:
            return
        question = iso_question(isos, menu, may_time_out=True)
        assert [title for _, title in question.items] == [iso.title for iso in listed]
        defaults = [number for number, iso in enumerate(listed) if iso.default]
        assert question.default == (defaults or [0])[0]
        assert all(title.isprintable() for _, title in question.items)


def test_the_time_out_counts_once_and_never_goes_off_unseen(tmp_path: Path) -> None:
    make(tmp_path, "ISOs", [["a.iso"], ["b.iso"]])
    path = tmp_path / "hiperiso.json"
    for given_s, waited_s in ((None, 0), (0, 1), (7, 7)):
        path.write_text(json.dumps({"control": {} if given_s is None else {"timeout": given_s}}))
        menu = read_config(path).menu
        isos = find_isos(tmp_path, menu)
        assert iso_question(isos, menu, may_time_out=True).timeout_s == waited_s
        assert iso_question(isos, menu, may_time_out=False).timeout_s == 0


def test_as_ventoy_has_it(tmp_path: Path) -> None:
    path = tmp_path / "hiperiso.json"
    document = {
        "control": [{"VTOY_MENU_TIMEOUT": "5"}, {"VTOY_MAX_SEARCH_LEVEL": "max"}],
        "menu_tip": {"left": "10%", "tips": [{"image": "/ISOs/a.iso", "tip1": "one", "tip2": "two"}]},
    }
    path.write_text(json.dumps(document))
    menu = read_config(path).menu
    assert (menu.timeout_s, menu.depth) == (5, 8)
    assert menu.title_of("/ISOs/a.iso") == "a.iso  -  one two"
    path.write_text('{"menu_alias": {}}')
    with pytest.raises(UsageError, match="menu_alias is not a list"):
        read_config(path)
