from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from .places import SHELLS, Attach, Chain, run


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


@pytest.fixture
def attach() -> Iterator[Attach]:
    """Attaches images to loop devices, and detaches them after the test."""
    attached: list[str] = []

    def attach_one(image: Path) -> str:
        attached.append(run("losetup", "-f", "--show", image).strip())
        return attached[-1]

    yield attach_one
    for device in attached:
        subprocess.run(["partx", "-d", device], capture_output=True, check=False)
        run("losetup", "-d", device)


@pytest.fixture
def label() -> str:
    return f"t{uuid.uuid4().hex[:14]}"
