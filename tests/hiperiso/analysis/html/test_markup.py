"""Whatever enters as text leaves as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.analysis.html.markup import Markup, tag, text

from .sessions import HOSTILE, Page

printable = st.text().filter(lambda value: value.isprintable())


@given(printable, printable)
def test_text_and_attributes_come_back_as_they_were(body: str, value: str) -> None:
    page = Page(tag("p", body, title=value))
    ((name, attributes),) = page.elements
    assert (name, attributes, page.text) == ("p", {"title": value}, body)


@given(st.text())
def test_any_text_makes_one_element_and_hides_nothing(body: str) -> None:
    page = Page(tag("p", body, title=body))
    assert [name for name, _ in page.elements] == ["p"]
    assert all(char.isprintable() or char in "\n\t \xa0" for char in text(body) if ord(char) < 0x100)
    assert "\u202e" not in text(body)


@pytest.mark.parametrize("body", HOSTILE)
def test_hostile_text(body: str) -> None:
    markup = tag("p", body, [body, None, [body]], title=body)
    assert [name for name, _ in Page(markup).elements] == ["p"]
    assert "<" not in text(body)


def test_only_markup_stays_markup() -> None:
    assert tag("p", tag("b", "x"), "<b>") == "<p><b>x</b>&lt;b&gt;</p>"
    assert tag("p", Markup("<i>") + "<b>") == "<p>&lt;i&gt;&lt;b&gt;</p>"  # joined strings are text again
    assert tag("a", 1, class_="x", data_s="y", hidden=True, open=False, title=None) == (
        '<a class="x" data-s="y" hidden>1</a>'
    )
    with pytest.raises(ValueError, match="must be empty"):
        tag("img", "x")
