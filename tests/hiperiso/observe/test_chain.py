"""The guest's chain, from lines of its kernel log, and what a hostile guest can do with them."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootchain.init.report import marked_lines
from hiperiso.contract.eventlines import event_of
from hiperiso.contract.events import Event
from hiperiso.contract.words import Source
from hiperiso.observe.chain import MAX_RECORD_CHARS, MAX_RECORDS, ChainLines, ChainListener, summary

STEP = {
    **{"n": 1, "t": 7.8, "event": "step", "number": 0, "step": "mountfs", "callnum": 0, "try": 1, "code": 0},
    **{"skipped": False, "duration_ms": 108.991, "remaining": ["rootfs"]},
}


def records(lines: list[str]) -> list[dict[str, Any]]:
    channel = ChainLines()
    return [record for line in lines if (record := channel.feed(line)) is not None]


@pytest.mark.parametrize("prefix", ["", "[    7.717529] ", "<6>[    7.717529] ", "[  107.717529][    T1] "])
def test_a_line_with_any_prefix_of_the_kernel(prefix: str) -> None:
    assert records([f"{prefix}bootchain: {json.dumps(STEP)}"]) == [STEP]


@given(st.text(max_size=6000), st.integers(0, 10**6))
def test_what_init_writes_is_what_is_read(text: str, n: int) -> None:
    record = {**STEP, "n": n, "cmdline": text}
    lines = [f"[    1.000000] {line}" for line in marked_lines(json.dumps(record))]
    other = ["[    1.0] usb 1-1: new device", "bootchain-init: hello", "bootchained: x"]
    mixed = [word for line in lines for word in (random.Random(n).choice(other), line)]
    assert records(mixed) == [record]


@pytest.mark.parametrize(
    "line",
    [
        "bootchain: {}",
        "bootchain: []",
        "bootchain: 1",
        "bootchain: {",
        'bootchain: {"n": 1, "t": 1, "event": "nonsense"}',
        'bootchain: {"n": "1", "t": 1, "event": "step"}',
        'bootchain: {"n": 1, "event": "step"}',
        'bootchain: {"n": 99999999999999999999999999, "t": 1, "event": "step"}',
        "bootchain: " + "[" * 3000,
        "x bootchain: " + json.dumps(STEP),
        "bootchain: " + json.dumps({**STEP, **{f"k{n}": 1 for n in range(50)}}),
    ],
)
def test_what_is_not_a_record_is_passed_over(line: str) -> None:
    assert records([line, f"bootchain: {json.dumps(STEP)}"]) == [STEP]


def test_an_unfinished_record_does_not_spoil_the_next() -> None:
    assert records(['bootchain+ {"n": 5, "t": 1, ', f"bootchain: {json.dumps(STEP)}"]) == [STEP]


def test_memory_is_bounded() -> None:
    channel = ChainLines()
    for _ in range(MAX_RECORD_CHARS // 900 * 4):
        assert channel.feed("bootchain+ " + "x" * 900) is None
    assert channel._chars <= MAX_RECORD_CHARS
    assert channel.feed(f"bootchain: {json.dumps(STEP)}") == STEP
    assert len(records([f"bootchain: {json.dumps(STEP)}"] * (MAX_RECORDS + 10))) == MAX_RECORDS


def event(n: int, source: Source, text: str, kind: str = "line") -> Event:
    return event_of(n, 1.0, source, kind, text=text)


def test_each_record_counts_once_whatever_the_channel() -> None:
    reported: list[dict[str, Any]] = []
    listener = ChainListener(reported.append)
    line = f"[    1.0] bootchain: {json.dumps(STEP)}"
    for source in (Source.SERIAL, Source.KERNEL, Source.SCREEN):
        listener.on_event(event(0, source, line))
    listener.on_event(event(1, Source.SERIAL, line.replace('"n": 1', '"n": 2'), kind="partial"))
    assert reported == [STEP]
    listener.on_event(event(2, Source.KERNEL, line.replace('"n": 1', '"n": 2')))
    assert [record["n"] for record in reported] == [1, 2]


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (STEP, "step 0 (mountfs) ended with 0 after 108.991 ms"),
        ({**STEP, "try": 3, "code": -9}, "step 0 (mountfs) try 3 ended with -9 after 108.991 ms"),
        ({**STEP, "code": None}, "step 0 (mountfs) was not run"),
        ({"event": "start", "chain": ["a", "b"], "mode": "native"}, "chain: a,b (native mode)"),
        ({"event": "start", "chain": 7}, "chain: (empty) (None mode)"),
        ({"event": "chain", "step": "menu", "remaining": ["x"]}, "step menu requests the chain: x"),
        ({"event": "finish", "outcome": "failed", "message": "why"}, "chain failed: why"),
        ({"event": "resume"}, "chain resume"),
    ],
)
def test_a_record_in_one_line(record: dict[str, Any], text: str) -> None:
    assert summary(record) == text
