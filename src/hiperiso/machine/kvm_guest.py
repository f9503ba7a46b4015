"""Runs a tiny 64-bit guest under KVM and prints the outcome. A separate script, started as a child process.

A KVM that is broken may never return from ``KVM_RUN``; the parent (:mod:`hiperiso.machine.kvm`) then kills this
process. It prints ``running`` before it enters the guest and one JSON object after: ``{"ok", "detail", "final"}``.
``final`` is false where the same machine might answer differently a moment later (time ran out).

The guest does integer, x87 and SSE2 arithmetic, CPUID and a counted loop, and writes 64 bits to port 0xf4. Layouts
and request numbers: Linux, Documentation/virt/kvm/api.rst and include/uapi/linux/kvm.h (x86-64).
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import signal
import struct
import sys
import time

DEADLINE_S = 1.0

_API_VERSION = 12
_GET_API_VERSION = 0xAE00
_CREATE_VM = 0xAE01
_GET_VCPU_MMAP_SIZE = 0xAE04
_CREATE_VCPU = 0xAE41
_SET_TSS_ADDR = 0xAE47
_SET_USER_MEMORY_REGION = 0x4020AE46
_RUN = 0xAE80
_GET_REGS = 0x8090AE81
_SET_REGS = 0x4090AE82
_GET_SREGS = 0x8138AE83
_SET_SREGS = 0x4138AE84
_GET_SUPPORTED_CPUID = 0xC008AE05
_SET_CPUID2 = 0x4008AE90

_EXIT_IO = 2
_EXIT_INTERNAL_ERROR = 17
_EXIT_NAMES = {
    0: "unknown",
    1: "exception",
    5: "halt",
    6: "MMIO",
    7: "interrupt window",
    8: "shutdown (triple fault)",
    9: "entry failed",
    17: "internal error",
}
_SUBERRORS = {
    1: "emulation failed",
    2: "simultaneous exceptions",
    3: "exception while delivering",
    4: "bad exit",
}

_MEMORY_BYTES = 0x10000
_PML4, _PDPT, _PD, _STACK = 0x1000, 0x2000, 0x3000, 0x8000
CODE_ADDRESS = 0x4000
_PORT = 0xF4
_FACTOR_A, _FACTOR_B, _TURNS = 0x123456789ABCDEF1, 0x0FEDCBA987654321, 2_000_000
EXPECTED = (2 * _FACTOR_A * _FACTOR_B + 4 + _TURNS) % (1 << 64)

PROGRAM: bytes = b"".join(
    [
        bytes.fromhex("31c0 0fa2"),  # xor eax,eax; cpuid
        bytes.fromhex("dbe3 d9e8 d9e8 dec1"),  # fninit; fld1; fld1; faddp          2 on the x87 stack
        bytes.fromhex("df3c2500500000"),  # fistp qword [0x5000]
        bytes.fromhex("48b8") + struct.pack("<Q", _FACTOR_A),  # mov rax, A
        bytes.fromhex("48b9") + struct.pack("<Q", _FACTOR_B),  # mov rcx, B
        bytes.fromhex("480fafc1"),  # imul rax, rcx
        bytes.fromhex("66480f6ec0 660f6fc8 660fd4c1"),  # movq xmm0,rax; movdqa xmm1,xmm0; paddq xmm0,xmm1
        bytes.fromhex("66480f7ec2"),  # movq rdx, xmm0                              2AB
        bytes.fromhex("f2480f2a142500500000"),  # cvtsi2sd xmm2, qword [0x5000]
        bytes.fromhex("f20f59d2 f2480f2cda"),  # mulsd xmm2,xmm2; cvttsd2si rbx,xmm2  4
        bytes.fromhex("4801da"),  # add rdx, rbx
        bytes.fromhex("b9") + struct.pack("<I", _TURNS),  # mov ecx, turns
        bytes.fromhex("48ffc2 ffc9 75f9"),  # again: inc rdx; dec ecx; jnz again
        bytes.fromhex("4889d0 e7f4 48c1e820 e7f4"),  # mov rax,rdx; out 0xf4,eax; shr rax,32; out 0xf4,eax
        bytes.fromhex("f4 ebfd"),  # hlt; jmp back to it
    ]
)

_libc = ctypes.CDLL(None, use_errno=True)


class _Unusable(Exception):
    """KVM did not run the guest; ``final`` as in the module's description."""

    def __init__(self, detail: str, *, final: bool = True) -> None:
        super().__init__(detail)
        self.final = final


def main() -> None:
    """Probe, and print the outcome as the last line."""
    try:
        elapsed_ms = run_guest(sys.argv[1] if len(sys.argv) > 1 else "/dev/kvm")
        outcome = {"ok": True, "detail": f"ran a 64-bit guest in {elapsed_ms:.1f} ms", "final": True}
    except _Unusable as error:
        outcome = {"ok": False, "detail": str(error), "final": error.final}
    except OSError as error:
        outcome = {"ok": False, "detail": str(error.strerror or error), "final": False}
    print(json.dumps(outcome), flush=True)


def run_guest(device: str) -> float:
    """Run the guest to its end; returns the milliseconds it took.

    Raises:
        _Unusable: it did not end as expected.
        OSError: `device` cannot be opened.
    """
    kvm = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    version = _ioctl(kvm, _GET_API_VERSION, 0, "KVM_GET_API_VERSION")
    if version != _API_VERSION:
        raise _Unusable(f"KVM API version {version}, not {_API_VERSION}")
    vm = _ioctl(kvm, _CREATE_VM, 0, "KVM_CREATE_VM")
    _ioctl(vm, _SET_TSS_ADDR, 0xFFFBD000, "KVM_SET_TSS_ADDR")  # Intel needs three pages of its own
    memory = mmap.mmap(-1, _MEMORY_BYTES)
    _load(memory)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    region = struct.pack("<IIQQQ", 0, 0, 0, _MEMORY_BYTES, address)
    _ioctl(vm, _SET_USER_MEMORY_REGION, region, "KVM_SET_USER_MEMORY_REGION")
    vcpu = _ioctl(vm, _CREATE_VCPU, 0, "KVM_CREATE_VCPU")
    _set_cpu(kvm, vcpu)
    run = mmap.mmap(vcpu, _ioctl(kvm, _GET_VCPU_MMAP_SIZE, 0, "KVM_GET_VCPU_MMAP_SIZE"))
    print("running", flush=True)
    return _run(vcpu, run)


def _load(memory: mmap.mmap) -> None:
    """Page tables that map the first 2 MB to itself with one large page, and the program."""
    present_writable, large = 0x3, 0x80
    memory[_PML4 : _PML4 + 8] = struct.pack("<Q", _PDPT | present_writable)
    memory[_PDPT : _PDPT + 8] = struct.pack("<Q", _PD | present_writable)
    memory[_PD : _PD + 8] = struct.pack("<Q", present_writable | large)
    memory[CODE_ADDRESS : CODE_ADDRESS + len(PROGRAM)] = PROGRAM


def _set_cpu(kvm: int, vcpu: int) -> None:
    """Put the processor into 64-bit mode at the program's start, with the CPUID that KVM supports."""
    cpuid = bytearray(8 + 40 * 256)
    struct.pack_into("<I", cpuid, 0, 256)
    _ioctl(kvm, _GET_SUPPORTED_CPUID, cpuid, "KVM_GET_SUPPORTED_CPUID")
    _ioctl(vcpu, _SET_CPUID2, cpuid, "KVM_SET_CPUID2")
    system = bytearray(312)
    _ioctl(vcpu, _GET_SREGS, system, "KVM_GET_SREGS")
    # base, limit, selector, type, present, dpl, db, s, l, g, avl, unusable, padding
    code = struct.pack("<QIHBBBBBBBBBB", 0, 0xFFFFFFFF, 0x08, 11, 1, 0, 0, 1, 1, 1, 0, 0, 0)
    data = struct.pack("<QIHBBBBBBBBBB", 0, 0xFFFFFFFF, 0x10, 3, 1, 0, 1, 1, 0, 1, 0, 0, 0)
    system[: 6 * 24] = code + 5 * data  # cs, then ds es fs gs ss
    cr0 = 0x80000033  # paging, numeric error, extension type, monitor coprocessor, protected mode
    cr4 = 0x620  # PAE, OSFXSR, OSXMMEXCPT
    efer = 0x500  # long mode enabled and active
    struct.pack_into("<6Q", system, 224, cr0, 0, _PML4, cr4, 0, efer)
    _ioctl(vcpu, _SET_SREGS, system, "KVM_SET_SREGS")
    registers = [0] * 18
    registers[6], registers[16], registers[17] = _STACK, CODE_ADDRESS, 2  # rsp, rip, rflags
    _ioctl(vcpu, _SET_REGS, struct.pack("<18Q", *registers), "KVM_SET_REGS")


def _run(vcpu: int, run: mmap.mmap) -> float:
    """Enter the guest until it has reported twice; returns milliseconds."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, DEADLINE_S, 0.05)  # repeated: one may fall just before KVM_RUN
    start_s = time.perf_counter()
    words: list[int] = []
    while len(words) < 2:
        code = _libc.ioctl(vcpu, ctypes.c_ulong(_RUN), ctypes.c_ulong(0))
        elapsed_s = time.perf_counter() - start_s
        if code < 0 and elapsed_s < DEADLINE_S and ctypes.get_errno() in (errno.EINTR, errno.EAGAIN):
            continue
        if code < 0 and elapsed_s >= DEADLINE_S:
            where = f"stopped at instruction byte {_position(vcpu)}"
            raise _Unusable(f"no result within {DEADLINE_S:g} s, {where}", final=False)
        if code < 0:
            raise _Unusable(f"KVM_RUN: {os.strerror(ctypes.get_errno())}")
        words.append(_reported_word(vcpu, run))
    signal.setitimer(signal.ITIMER_REAL, 0)
    result = words[0] | words[1] << 32
    if result != EXPECTED:
        raise _Unusable(f"wrong result {result:#x}, expected {EXPECTED:#x}")
    return (time.perf_counter() - start_s) * 1000


def _reported_word(vcpu: int, run: mmap.mmap) -> int:
    reason = struct.unpack_from("<I", run, 8)[0]
    if reason == _EXIT_IO:
        direction, size, port, count, offset = struct.unpack_from("<BBHIQ", run, 32)
        if (direction, size, port, count) == (1, 4, _PORT, 1):
            return int(struct.unpack_from("<I", run, offset)[0])
        raise _Unusable(f"unexpected I/O at port {port:#x}")
    name = _EXIT_NAMES.get(reason, f"exit {reason}")
    if reason == _EXIT_INTERNAL_ERROR:
        suberror = struct.unpack_from("<I", run, 32)[0]
        name += f", suberror {suberror} ({_SUBERRORS.get(suberror, 'unknown')})"
    raise _Unusable(f"the guest ended with {name} at instruction byte {_position(vcpu)}")


def _position(vcpu: int) -> str:
    """The next instruction's offset in the program and its first bytes."""
    registers = bytearray(144)
    _ioctl(vcpu, _GET_REGS, registers, "KVM_GET_REGS")
    offset = struct.unpack_from("<Q", registers, 16 * 8)[0] - CODE_ADDRESS
    return (
        f"{offset} ({PROGRAM[offset : offset + 4].hex(' ')})" if 0 <= offset < len(PROGRAM) else f"{offset}"
    )


def _ioctl(descriptor: int, request: int, argument: int | bytes | bytearray, name: str) -> int:
    """Through libc: the standard library's ioctl takes no argument above 31 bits and retries after a signal."""
    if isinstance(argument, bytearray):
        pointer: object = (ctypes.c_char * len(argument)).from_buffer(argument)
    elif isinstance(argument, bytes):
        pointer = ctypes.c_char_p(argument)
    else:
        pointer = ctypes.c_ulong(argument)
    result = int(_libc.ioctl(descriptor, ctypes.c_ulong(request), pointer))
    if result < 0:
        raise _Unusable(f"{name}: {os.strerror(ctypes.get_errno())}")
    return result


if __name__ == "__main__":
    main()
