from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .daemons import Daemon


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon(tmp_path)


@pytest.fixture(autouse=True, scope="session")
def no_mounts_are_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Temporary directories are removed with all that is in them: a mount left there would lose what is mounted."""
    yield
    base = str(tmp_path_factory.getbasetemp())
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    left = [place for place in mounts if place.startswith(base)]
    if left:
        # Not to go on to the removal is worth more than the rest of the session.
        pytest.exit(
            f"mounts are left below the temporary directory: unmount them first: {left}", returncode=3
        )
