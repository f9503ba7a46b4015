"""For all tests: a clean start, no clock in property tests, and the order of the suite."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest
from hypothesis import is_hypothesis_test

import property_tests
import suite
from clean_environment import clean

clean()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--group", choices=list(suite.GROUPS), help="of the slow tests only one group; see tests/slow.md"
    )
    parser.addoption(
        "--all-examples", action="store_true", help="only property tests, each with all its examples"
    )


def pytest_configure(config: pytest.Config) -> None:
    property_tests.load_profile(all_examples=config.getoption("--all-examples"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests first, so that all workers end together; what shares a fixture stays on one of them.

    After that the collector of garbage passes over what was collected here: some million objects that stay.
    """
    for item in items:
        if suite.is_long(item.nodeid):
            item.add_marker(pytest.mark.long)
    if config.pluginmanager.hasplugin("xdist"):  # which brings the marker
        for item in items:
            if name := suite.together(item.nodeid, boots=_boots(item)):
                item.add_marker(pytest.mark.xdist_group(name))
    items.sort(key=_seconds, reverse=True)
    if wanted := config.getoption("--group"):
        _keep(config, items, lambda item: _is_in(item, wanted))
    if config.getoption("--all-examples"):
        _keep(config, items, _has_examples)
    gc.freeze()


def _keep(config: pytest.Config, items: list[pytest.Item], is_wanted: Callable[[pytest.Item], bool]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if not is_wanted(item)])
    items[:] = filter(is_wanted, items)


def _seconds(item: pytest.Item) -> float:
    return suite.seconds(item.nodeid, boots=_boots(item))


def _has_examples(item: pytest.Item) -> bool:
    module = item.getparent(pytest.Module)
    counts = module is not None and getattr(module.obj, "examples", None) is property_tests.examples
    return counts or is_hypothesis_test(getattr(item, "obj", None))


def _boots(item: pytest.Item) -> bool:
    return item.get_closest_marker("boots") is not None


def _is_in(item: pytest.Item, name: str) -> bool:
    return item.get_closest_marker("slow") is not None and suite.group(item.nodeid) == name
