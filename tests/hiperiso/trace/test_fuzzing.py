"""Damaged traces, made by Hypothesis, and by a fuzzer that is guided by coverage."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from property_tests import examples

from .fuzzing import one_input

NAMES = ("memory_region_ops_read", "ide_atapi_cmd_read", "pci_cfg_read", "serial_read")
numbers = st.integers(0, 2**64 - 1).map(lambda value: value.to_bytes(8, "little"))
records = st.builds(
    lambda event, t_ns, arguments: b"".join(
        [
            (1).to_bytes(8, "little"),
            event,
            t_ns,
            (24 + len(arguments)).to_bytes(4, "little"),
            bytes(4),
            arguments,
        ]
    ),
    st.integers(0, 7).map(lambda value: value.to_bytes(8, "little")),
    numbers,
    st.lists(st.one_of(numbers, st.binary(max_size=12)), max_size=7).map(b"".join),
)
lines = st.builds(
    lambda name, text: b"7@1700000000.000001:" + name.encode() + b" " + text + b"\n",
    st.sampled_from(NAMES),
    st.one_of(
        st.binary(max_size=60),
        st.integers(0, 2**64).map(lambda value: b"cpu 0 mr 0x1 addr 0x%x value 0x1 size 1 name 'io'" % value),
    ),
)
damaged = st.builds(
    lambda kind, parts, noise, at: bytes([kind]) + b"".join(parts)[:at] + noise + b"".join(parts)[at:],
    st.integers(0, 15),
    st.lists(st.one_of(records, lines, st.binary(max_size=30)), max_size=8),
    st.binary(max_size=4),
    st.integers(0, 400),
)


@given(damaged)
@settings(max_examples=examples(150))
def test_damage_is_an_error_with_its_place_or_a_clean_stop(data: bytes) -> None:
    one_input(data)


@pytest.mark.slow
@given(damaged)
@settings(max_examples=20_000)
def test_much_damage(data: bytes) -> None:
    one_input(data)


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("atheris"), reason="an option: pip install atheris")
def test_a_fuzzer_guided_by_coverage_finds_nothing(tmp_path: Path) -> None:
    program = Path(__file__).with_name("fuzz_guided.py")
    runs = os.environ.get("FUZZ_RUNS", "100000")
    argv = [sys.executable, str(program), f"-runs={runs}", "-max_len=600", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
