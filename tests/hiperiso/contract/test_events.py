"""Events are read from any recording, and written as ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from hiperiso.contract.eventdata import LineData, PlanData
from hiperiso.contract.eventlines import decode_event, decode_events, encode_event
from hiperiso.contract.events import (
    EVENTS,
    CpuSample,
    Event,
    KernelLine,
    MachinePlanned,
    QemuStarted,
    RecordingEnded,
    SerialLine,
    UnknownEvent,
)
from hiperiso.contract.schema import schema_of
from hiperiso.contract.words import EndReason, LineForm

RECORDINGS = sorted(Path(__file__).parents[1].rglob("events.jsonl"))
SCHEMA = Draft202012Validator(schema_of("event"))


def read(**line: Any) -> Event:
    event = decode_event(json.dumps({"n": 3, "t": 1.5} | line).encode())
    assert event is not None
    return event


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.parent.name)
def test_stored_recordings_are_known_and_are_written_as_they_were(path: Path) -> None:
    for line in path.read_bytes().splitlines():
        stored = json.loads(line)
        SCHEMA.validate(stored)
        event = decode_event(line)
        assert event is not None
        assert not isinstance(event, UnknownEvent)
        assert (event.source, event.kind) == (stored["source"], stored["kind"])
        assert json.loads(encode_event(event)) == stored


def test_the_order_of_a_line() -> None:
    event = SerialLine(text="login:", form=LineForm.PARTIAL, data=LineData(offset_bytes=0)).at(7, 0.25)
    assert encode_event(event) == (
        b'{"n":7,"t":0.25,"source":"serial","kind":"partial","text":"login:","data":{"offset_bytes":0}}'
    )
    plan = MachinePlanned(data=PlanData(accel="tcg", expect=None, notes=[])).at(0, 0.0)
    assert json.loads(encode_event(plan))["data"] == {"accel": "tcg", "expect": None, "notes": []}


@pytest.mark.parametrize(
    ("source", "kind"), [("tpm", "measured"), ("serial", "chunk"), ("harness", "paused")]
)
def test_an_event_of_a_newer_version_is_kept(source: str, kind: str) -> None:
    event = read(source=source, kind=kind, text="what it says", data={"pcr": 7})
    assert isinstance(event, UnknownEvent)
    assert (event.n, event.t, event.source, event.kind) == (3, 1.5, source, kind)
    assert (event.text, event.values) == ("what it says", {"pcr": 7})
    assert json.loads(encode_event(event))["data"] == {"pcr": 7}


def test_hostile_words_are_bounded() -> None:
    event = read(source="\x1b[31m" + "x" * 5000, kind="<b>\n" * 500)
    assert len(event.source) <= 40
    assert len(event.kind) <= 40
    assert "\x1b" not in event.source
    assert "\n" not in event.kind


def test_values_that_are_not_as_they_should_be_are_left_out() -> None:
    line = read(source="kernel", kind="line", text="a line", data={"boot": "first", "level": "err", "new": 1})
    assert isinstance(line, KernelLine)
    assert (line.text, line.data.boot, line.data.level) == ("a line", None, "err")
    sample = read(source="qmp", kind="cpu", data={"cpus": [7], "quiet_s": 20})
    assert isinstance(sample, CpuSample)
    assert (sample.data.cpus, sample.data.quiet_s) == (None, 20)
    started = read(source="harness", kind="started", data={"wall_s": []})
    assert isinstance(started, QemuStarted)
    assert started.data.wall_s is None


def test_keys_in_any_order() -> None:
    line = b'{ "text": "x", "kind": "end", "t": 2, "source": "harness", "n": 1, "extra": null }'
    event = decode_event(line)
    assert isinstance(event, RecordingEnded)
    assert (event.n, event.t, event.reason) == (1, 2.0, None)
    ended = read(source="harness", kind="end", text="panic")
    assert isinstance(ended, RecordingEnded)
    assert ended.reason is EndReason.PANIC


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"n":1,"source":"serial","kind":"line"}',
        b'{"t":1,"source":"serial","kind":"line"}',
        b'{"n":"1","t":1,"source":"serial","kind":"line"}',
        b'{"n":1,"t":1,"source":"qmp"}',
        b'{"n":1,"t":1,"source":"serial","kind":"line","text":7}',
        b'{"n":1,"t":1,"source":"qmp","kind":"event","data":[]}',
        b'{"n":1,"t":1,"source":"serial","kind":"line","text":"\xff"}',
        b"[" * 100_000,
    ],
)
def test_what_is_not_an_event(line: bytes) -> None:
    assert decode_event(line) is None
    good = b'{"n":1,"t":1.0,"source":"serial","kind":"line","text":"good"}'
    if line:
        found = decode_events(good + b"\n" + line + b"\n" + good + b"\n")
        assert [event.text if event else None for event in found] == ["good", None, "good"]


@given(st.lists(st.sampled_from([path.read_bytes() for path in RECORDINGS]), max_size=3))
def test_blocks_are_read_as_single_lines_are(recordings: list[bytes]) -> None:
    block = b"".join(recordings)
    assert decode_events(block) == [decode_event(line) for line in block.splitlines()]


def test_every_class_has_its_own_words() -> None:
    words = [event.WORDS for event in EVENTS]
    assert len(set(words)) == len(words)
    assert all(event.__doc__ for event in EVENTS)
