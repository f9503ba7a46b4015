from __future__ import annotations

from pathlib import Path

import pytest

from .places import SHELLS, Chain


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def chain(ram: Path) -> Chain:
    return Chain(ram)


@pytest.fixture
def each_shell(ram: Path, shell: str) -> Chain:
    """The same chain, in each shell in turn."""
    return Chain(ram, shell=shell)
