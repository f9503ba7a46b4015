from __future__ import annotations

import pytest

from hiperiso.contract.menupolicy import MenuMode, MenuPolicy, parse_menu
from hiperiso.drive.keys import chords_of


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("auto", MenuPolicy()),
        ("WAIT", MenuPolicy(MenuMode.WAIT)),
        ("list", MenuPolicy(MenuMode.LIST)),
        ("off", MenuPolicy(MenuMode.HANDS_OFF)),
        ("3", MenuPolicy(MenuMode.CHOOSE, ("3",))),
        (
            "Advanced options > Text install",
            MenuPolicy(MenuMode.CHOOSE, ("Advanced options", "Text install")),
        ),
    ],
)
def test_what_texts_stand_for(text: str, policy: MenuPolicy) -> None:
    assert parse_menu(text) == policy


@pytest.mark.parametrize("text", ["", ">", "a>>b", "0", "a>0", "a\nb", "x" * 501, ">".join("abcdefghi")])
def test_what_is_not_a_policy_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"entr|text"):
        parse_menu(text)


def test_text_becomes_keys() -> None:
    assert chords_of("Live 1.2-x") == (
        ("shift", "l"),
        ("i",),
        ("v",),
        ("e",),
        ("spc",),
        ("1",),
        ("dot",),
        ("2",),
        ("minus",),
        ("x",),
    )
    assert chords_of('a="b"') == (
        ("a",),
        ("equal",),
        ("shift", "apostrophe"),
        ("b",),
        ("shift", "apostrophe"),
    )
    with pytest.raises(ValueError, match="US keyboard"):
        chords_of("é")
