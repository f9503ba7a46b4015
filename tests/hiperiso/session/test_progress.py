"""What observers get of the judge's state."""

from __future__ import annotations

import pytest

from hiperiso.session.progress import sign_of


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("[    0.000000] Linux version 6.1.0", "[    0.000000] Linux version 6.1.0"),
        ("┌────┤ [!!] Select a language ├────┐\n│ Choose │", "[!!] Select a language"),
        ("┌──────┤ [!!] \n│  Select a language  │", "Select a language"),
        ("────", "────"),
        ("", ""),
    ],
)
def test_a_sign_is_its_first_words_without_a_frame(text: str, sign: str) -> None:
    assert sign_of(text) == sign
