"""The normal form of a line: what was printed, without what kernels and collectors put before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.analysis.lines import MAX_PIECES, pieces, without_collector


@pytest.mark.parametrize(
    "line",
    [
        "[    1.234567] x",
        "<6>[    1.234567] x",
        "[    1.234567][    T1] x",
        "[    1.234567][ C0] x",
        "[    1.234567 ][    T0 ] x",
        "[10:00:01] [    1.234567] x",
        "2024-01-02T03:04:05.123Z [    1.234567] x",
        "Jan 02 10:00:00 demo kernel: [    1.234567] x",
        "ttyS0: [    1.234567] x",
        "kern  :info  : [    1.234567] x",
        "** 12 printk messages dropped ** [    1.234567] x",
        '- {"dt": "2024-01-02T03:04:05.123", "lvl": "target", "msg": "[    1.234567] x"}',
        "demo-1  | [    1.234567] x",
        "job\tstep\t2024-01-02T03:04:05.1234567Z [    1.234567] x",
        "##[group][    1.234567] x",
        "[    1.234567] c0   1234 x",
        "[    1.234567] c1 12 (demo) x",
        "[    1.234567] C1 x",
        "[    1.234567] [c0] x",
        "[    1.234567][0] x",
        "[    1.234567] (0)[1234:demo]x",
        "[    1.234567] -(1)[0:swapper/1]x",
        "<3>[    1.234567] [1:    kworker/1:1:   12] x",
        "[    1.234567] I[0:      swapper/0:    1] x",
        "[    1.234567] [pid:12,cpu1,demo]x",
        "01-02 03:04:05.123  1234  1234 E kernel  : [    1.234567] x",
        "3,1234,1234567,-;[    1.234567] x",
    ],
)
def test_a_kernel_message(line: str) -> None:
    (piece,) = pieces(line)
    assert (piece.text, piece.strict, piece.cut) == ("x", True, False)
    assert piece.kernel_s == pytest.approx(1.234567)


@pytest.mark.parametrize("stamp", ["[   12.5] ", "[2.873679] ", "[    12.1] "])
def test_a_stamp_that_others_print_too(stamp: str) -> None:
    (piece,) = pieces(stamp + "x")
    assert piece.kernel_s is not None
    assert not piece.strict


@pytest.mark.parametrize(
    "message", ["CPU0: demo", "[drm] x", "c0 is a bus", "[1:2] x", "(0) x", "CPU 0 Unable to"]
)
def test_what_is_part_of_the_message(message: str) -> None:
    (piece,) = pieces("[    1.234567] " + message)
    assert piece.text == message


def test_a_prompt_that_is_interrupted() -> None:
    prompt, message = pieces("demo login: [   12.500000] BUG: x")
    assert (prompt.text, prompt.cut, prompt.kernel_s) == ("demo login: ", True, None)
    assert (message.text, message.kernel_s) == ("BUG: x", 12.5)


def test_two_messages_in_one_line() -> None:
    assert [piece.text for piece in pieces("[    1.000000] a[    1.100000] b")] == ["a", "b"]


@pytest.mark.parametrize(
    "line", ["x", "10 apples", "[!!] Select a language", "1) Start VNC", "[FAILED] x", ""]
)
def test_what_is_not_a_prefix(line: str) -> None:
    assert without_collector(line) == line
    assert [piece.text for piece in pieces(line)] == [line]


def test_another_speaker_of_a_collector_is_left_out() -> None:
    assert without_collector('- {"dt": "2024-01-02T03:04:05", "lvl": "debug", "msg": "Kernel panic"}') == ""


@given(st.text(alphabet="[]. 0123456789TCab\t:", max_size=300))
def test_anything(line: str) -> None:
    out = pieces(line)
    assert 1 <= len(out) <= MAX_PIECES + 1
    assert sum(len(piece.text) for piece in out) <= len(line)
