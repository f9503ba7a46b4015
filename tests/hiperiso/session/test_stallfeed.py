"""What QEMU prints of a vCPU, read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiperiso.session.stallfeed import CpuState, parse_registers

IDLE = """
CPU#0
RAX=0000000000000000 RBX=0000000000000000 RCX=0000000000000001 RDX=4000000000000000
RSI=ffffffffa9a8e3f1 RDI=000000000001c5ec RBP=ffffffffaa41ba00 RSP=ffffffffaa403e78
R8 =0000000000000001 R9 =0000000000000000 R10=0000000000000000 R11=0000000000000000
R12=0000000000000000 R13=0000000000000000 R14=ffffffffaa41ba00 R15=0000000000000000
RIP=ffffffffa904e8cb RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1
ES =0000 0000000000000000 ffffffff 00c00000
"""
APPLICATION_PROCESSOR = """
CPU#1
EAX=000f49f6 EBX=00000000 ECX=000002ff EDX=00000001
ESI=00000000 EDI=00000000 EBP=00000000 ESP=00006c5c
EIP=000fd09a EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=1
"""
USER = "RIP=00007f3a12345678 RFL=00000202 [-------] CPL=3 II=0 A20=1 SMM=0 HLT=0\n"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (IDLE, CpuState(0, halted=True, interrupts=True, user=False, address=0xFFFFFFFFA904E8CB)),
        (APPLICATION_PROCESSOR, CpuState(0, halted=True, interrupts=False, user=False, address=0xFD09A)),
        (USER, CpuState(0, halted=False, interrupts=True, user=True, address=0x7F3A12345678)),
        ("", None),
        ("PC=0000 PSTATE=00 ", None),
    ],
)
def test_states(text: str, state: CpuState | None) -> None:
    assert parse_registers(0, text) == state


@given(st.text(alphabet="RIPFLCHT=0123456789abcdef []\n-", max_size=6000))
def test_any_text(text: str) -> None:
    state = parse_registers(3, text)
    assert state is None or state.index == 3
