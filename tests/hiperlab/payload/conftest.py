from __future__ import annotations

from pathlib import Path

import pytest

from hiperlab.debian.packages import Sources
from hiperlab.payload.build import PayloadSpec, build_payload
from hiperlab.places import package_cache

QUICK = PayloadSpec(level=3)


@pytest.fixture(scope="session")
def sources() -> Sources:
    return Sources(cache=package_cache())


@pytest.fixture(scope="session")
def payload(tmp_path_factory: pytest.TempPathFactory, sources: Sources) -> Path:
    """A payload of this machine, packed quickly."""
    target = tmp_path_factory.mktemp("payload") / "payload"
    build_payload(QUICK, target, sources=sources)
    return target
