from __future__ import annotations

from pathlib import Path

import pytest

from .daemons import Daemon


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon(tmp_path)
