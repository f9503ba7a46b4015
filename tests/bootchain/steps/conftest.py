from __future__ import annotations

from pathlib import Path

import pytest

from .places import SHELLS, Chain


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path)


@pytest.fixture
def each_shell(tmp_path: Path, shell: str) -> Chain:
    """The same chain, in each shell in turn."""
    return Chain(tmp_path, shell=shell)
