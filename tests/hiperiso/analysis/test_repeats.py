"""Lines that say again what is known: passed over, and counted as if each had been judged."""

from __future__ import annotations

import io
import random
import time
from collections.abc import Iterable
from itertools import islice

import pytest

from hiperiso.analysis.judge import Judge
from hiperiso.analysis.logfeed import feed_file
from hiperiso.contract.eventdata import LineData
from hiperiso.contract.events import SerialLine
from hiperiso.contract.report import Finding
from hiperiso.contract.words import FindingKind, LineForm

KERNEL = "[    0.000000] Linux version 6.1.0-demo (demo@demo) #1 SMP"
PANIC = "Kernel panic - not syncing: Fatal {}"
FACTS = (
    PANIC,
    "BUG: kernel NULL pointer dereference, address: {:016d}",
    "Kernel panic - not syncing: Fatal {:x} {:x}",
    "UBSAN: shift-out-of-bounds in demo{:b}.c:{}",
    "RIP: 0010:demo+0x{:x}/0x200",
    "---[ end trace {:016x} ]---",
    "Oops: 0000 [#{}] SMP",
    "general protection fault: 0000 [#{}] SMP",
    "WARNING: CPU: {} PID: 1 at fs/demo.c:12 demo+0x1/0x2",
    "---[ end Kernel panic - not syncing: Fatal {} ]---",
    "demo {} is up",
)
BREAKS = (
    "demo login: root",
    "SeaBIOS (version 1.16)",
    KERNEL,
    "demo login: [   12.345678] " + PANIC.format(3),
)


def test_every_panic_is_counted() -> None:
    lines = [KERNEL, *(f"[{n / 100:12.6f}] {PANIC.format(n)}" for n in range(20_000))]
    assert by_blocks(lines).book.count(FindingKind.KERNEL_PANIC) == 20_000


@pytest.mark.parametrize("fact", ["Fatal {:06d}", "Fatal {:x}", "{:b}", "at {} of {}", "Fatal"])
def test_panics_cost_little_whatever_differs(fact: str) -> None:
    lines = [
        KERNEL,
        *(f"[{n / 100:12.6f}] Kernel panic - not syncing: {fact.format(n, n)}" for n in range(3000)),
    ]
    assert facts(by_blocks(lines)) == facts(by_events(lines))
    varied = [KERNEL, *(f"[{n / 100:12.6f}] Run /init as init process" for n in range(3000))]
    assert cost_s(lines) < cost_s(varied)


@pytest.mark.parametrize("seed", range(16))
def test_the_same_as_line_by_line(seed: int) -> None:
    lines = list(islice(mixture(seed), 1500))
    blocks, events = by_blocks(lines), by_events(lines)
    assert facts(blocks) == facts(events)
    assert blocks.attempt == events.attempt
    assert blocks.last_kernel_s == events.last_kernel_s


def test_a_summary_that_a_digit_tells_apart_keeps_its_own_count() -> None:
    rest = [PANIC.format(n) for n in range(100, 160)]
    lines = [KERNEL, *rest, *(PANIC.format(number) for number in (155, 101, 156, 101, 157, 101) * 20)]
    assert facts(by_blocks(lines)) == facts(by_events(lines))


def test_known_lines_cost_little() -> None:
    same = [f"[{n / 100:12.6f}] {PANIC.format(n)}" for n in range(30_000)]
    repeated = [KERNEL, *same]
    varied = [KERNEL, *(line + "x" * (number % 300) for number, line in enumerate(same[:3000]))]
    assert cost_s(repeated) < cost_s(varied)


def mixture(seed: int) -> Iterable[str]:
    chance, seconds = random.Random(seed), 0.0
    some = chance.sample(FACTS, 1 + seed % len(FACTS))
    yield KERNEL
    while True:
        fact = chance.choice(some)
        number = chance.randrange(10 ** chance.randrange(1, 5))
        for _ in range(chance.randrange(1, 30)):
            seconds += chance.random()
            number += chance.randrange(3)
            yield f"[{seconds:12.6f}] {fact.format(number, number)}"
        if chance.random() < 0.1:
            yield chance.choice(BREAKS)


def by_blocks(lines: Iterable[str]) -> Judge:
    judge = Judge()
    feed_file(judge, "serial.log", io.BytesIO("".join(f"{line}\n" for line in lines).encode()))
    return judge


def by_events(lines: Iterable[str]) -> Judge:
    judge = Judge()
    for number, text in enumerate(lines):
        data = LineData(file="serial.log", line=number + 1)
        judge.feed(SerialLine(n=number, t=0.0, form=LineForm.LINE, text=text, data=data))
    return judge


def facts(judge: Judge) -> list[Finding]:
    return judge.book.findings()


def cost_s(lines: list[str]) -> float:
    """The processor time of judging, the least of three: what else the machine does only adds to it."""
    return min(_once_s(lines) for _ in range(3))


def _once_s(lines: list[str]) -> float:
    begun_s = time.process_time()
    by_blocks(lines)
    return time.process_time() - begun_s
