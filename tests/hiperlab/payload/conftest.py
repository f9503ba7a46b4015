from __future__ import annotations

from pathlib import Path

import pytest

from hiperlab.payload.build import PayloadSpec, build_payload
from hiperlab.samples.sources import Sources
from hiperlab.samples.store import default_cache

QUICK = PayloadSpec(level=3)


@pytest.fixture(scope="session")
def sources() -> Sources:
    return Sources(cache=default_cache() / "packages")


@pytest.fixture(scope="session")
def payload(tmp_path_factory: pytest.TempPathFactory, sources: Sources) -> Path:
    """A payload of this machine, packed quickly."""
    target = tmp_path_factory.mktemp("payload") / "payload"
    build_payload(QUICK, target, sources=sources)
    return target
