"""Real traces, damaged at random: ``fuzz_mutated.py [--inputs N] [--seed N] [--seconds S] TRACE...``.

Takes pieces of the traces (``trace.bin`` or ``trace.log``) and cuts, repeats, swaps and changes them; many inputs a
second, where `fuzz_guided.py` finds its way by coverage and is slow.
"""

from __future__ import annotations

import argparse
import random
import struct
import time
from importlib import import_module
from pathlib import Path
from typing import Final, Literal

one_input: Final = import_module("fuzzing").one_input

MAX_BYTES = 600
RECORD = struct.pack("<Q", 1)
EDGES = (
    0,
    1,
    2,
    23,
    24,
    25,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    1 << 18,
    (1 << 31) - 1,
    (1 << 32) - 1,
    (1 << 64) - 2,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", type=Path, nargs="+")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    traces = [(path.suffix == ".log", path.read_bytes()) for path in arguments.traces]
    began_s = time.monotonic()
    count = 0
    while count < arguments.inputs and time.monotonic() - began_s < arguments.seconds:
        data = damaged(chance, *chance.choice(traces))
        try:
            one_input(data)
        except Exception:
            print(f"input {count}: {data.hex()}")
            raise
        count += 1
    print(f"{count} inputs, nothing found")
    return 0


def damaged(chance: random.Random, is_text: bool, trace: bytes) -> bytes:
    """One input for `one_input`: what it is, and a piece of a trace with up to eight changes."""
    start = chance.randrange(len(trace))
    mark = b"\n" if is_text else RECORD
    start = max(0, trace.find(mark, start)) + (1 if is_text else 0)
    data = bytearray(trace[start : start + chance.randrange(1, MAX_BYTES)])
    for _ in range(chance.randrange(8)):
        at = chance.randrange(len(data) + 1)
        size = chance.choice((1, 2, 4, 8, 24, 60))
        match chance.randrange(6):
            case 0:
                data[at : at + size] = chance.randbytes(size)
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = data[max(0, at - size) : at] * chance.randrange(1, 4)
            case 3:
                order: Literal["little", "big"] = "little" if chance.randrange(2) else "big"
                edge = chance.choice(EDGES).to_bytes(8, order)
                data[at : at + 8] = edge[:size] if order == "little" else edge[-size:]
            case 4:
                other = chance.randrange(len(data) + 1)
                data[at:at] = data[other : other + size]
            case _:
                if at < len(data):
                    data[at] ^= 1 << chance.randrange(8)
    kind = (8 | chance.randrange(2)) if is_text else chance.randrange(8) if chance.randrange(4) == 0 else 2
    return bytes([kind]) + bytes(data)


if __name__ == "__main__":
    raise SystemExit(main())
