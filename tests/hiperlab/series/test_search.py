"""The least that boots is found in few tries, and only what succeeded twice counts."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperlab.series.search import MAX_TRIES, Search


def run(search: Search, least: int) -> tuple[Search, list[int]]:
    tried = []
    while (number := search.next) is not None:
        tried.append(number)
        search = search.after(number, succeeded=number >= least)
    return search, tried


@given(st.integers(1, 2000), st.data())
def test_the_least_is_found_and_verified(high: int, data: st.DataObject) -> None:
    least = data.draw(st.integers(1, high))
    search, tried = run(Search(low=1, high=high), least)
    assert search.least == least
    assert tried[0] == high and tried.count(least) == 2
    assert len(tried) <= math.ceil(math.log2(high + 1)) + 2
    assert search.failed in (-1, least - 1)


@given(st.integers(1, 2000))
def test_where_the_most_fails_nothing_else_is_tried(high: int) -> None:
    search, tried = run(Search(low=1, high=high), high + 1)
    assert (search.least, tried) == (None, [high])


def test_what_succeeded_by_luck_does_not_count() -> None:
    search = Search(low=1, high=8)
    lucky = iter([True, True, True, True, False])  # 8, 4, 2, 1, and 1 again
    tried = []
    while (number := search.next) is not None:
        tried.append(number)
        search = search.after(number, succeeded=next(lucky, number >= 3))
    assert tried[:5] == [8, 4, 2, 1, 1]
    assert search.least == 3


@pytest.mark.parametrize("seed", range(50))
def test_a_guest_that_answers_by_chance_does_not_keep_us(seed: int) -> None:
    chance = random.Random(seed)
    search = Search(low=1, high=64)
    tries = 0
    while (number := search.next) is not None:
        assert 1 <= number <= 64
        search = search.after(number, succeeded=chance.random() < 0.5)
        tries += 1
    assert tries <= MAX_TRIES
