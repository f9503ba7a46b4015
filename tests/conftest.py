"""For all tests: a clean start, no clock in property tests, and the order of the suite."""

from __future__ import annotations

import pytest
from hypothesis import settings

import suite
from clean_environment import clean

clean()
# How long one example takes says something about the machine, not about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--group", choices=list(suite.GROUPS), help="of the slow tests only one group; see tests/slow.md"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests first, so that all workers end together; what shares a fixture stays on one of them."""
    if config.pluginmanager.hasplugin("xdist"):  # which brings the marker
        for item in items:
            if name := suite.together(item.nodeid):
                item.add_marker(pytest.mark.xdist_group(name))
    items.sort(key=_seconds, reverse=True)
    if wanted := config.getoption("--group"):
        left = [item for item in items if _is_in(item, wanted)]
        config.hook.pytest_deselected(items=[item for item in items if item not in left])
        items[:] = left


def _seconds(item: pytest.Item) -> float:
    return suite.seconds(item.nodeid, boots=item.get_closest_marker("boots") is not None)


def _is_in(item: pytest.Item, name: str) -> bool:
    return item.get_closest_marker("slow") is not None and suite.group(item.nodeid) == name
