"""Text of unknown origin for a terminal or a log: what cannot be printed is replaced, character by character.

``hiperiso.text`` builds on this; here it must do without ``re``, and there is no stream to follow.
"""


def masked(text: str, mark: str = "?", *, keep: str = "") -> str:
    """Every unprintable character except those in `keep` replaced by `mark`, so that positions do not change."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else mark for char in text)
