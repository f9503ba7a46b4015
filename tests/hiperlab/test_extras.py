"""What is said where the library of an extra is missing."""

from __future__ import annotations

import pytest

from hiperiso.errors import ExitCode, Unsupported
from hiperlab.extras import extra_problem, require_extra


def test_a_missing_extra_is_one_line_that_names_it() -> None:
    problem = extra_problem("no_such_library", "corpus")
    assert "hiperiso[corpus]" in problem and "\n" not in problem
    with pytest.raises(Unsupported, match="searching needs no_such_library") as caught:
        require_extra("no_such_library", "corpus", purpose="searching")
    assert caught.value.hint == "pip install 'hiperiso[corpus]'"
    assert caught.value.exit_code is ExitCode.USAGE


def test_an_installed_one_is_not_a_problem() -> None:
    assert extra_problem("msgspec", "any") == ""
    require_extra("msgspec", "any", purpose="anything")
