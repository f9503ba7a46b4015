"""The KVM probe: its guest program on an emulated processor, its outcomes, and what it remembers."""

import asyncio
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from hiperiso.machine.kvm import DEVICE, KvmProbe, KvmProbeState, probe_kvm
from hiperiso.machine.kvm_guest import CODE_ADDRESS, EXPECTED, PROGRAM
from hiperiso.machine.qemu import find_qemu
from hiperiso.machine.qmp import Qmp
from waiting import DEADLINE_S

NULL = Path("/dev/null")  # opens, and is no KVM


def boot_sector(program: bytes) -> bytes:
    """Enters 64-bit mode as the probe sets it up, then jumps to `program` at its address."""
    code = b"".join(
        [
            bytes.fromhex("fa 31c0 8ed8 8ec0 8ed0 bc007c fc"),  # cli; ds = es = ss = 0; sp; cld
            bytes.fromhex("bf0010 b90018 f3ab"),  # zero 0x1000..0x3fff
            bytes.fromhex("c70600100320 c70600200330 c70600308300"),  # the three page tables
            bytes.fromhex("be007d bf0040 b9ff00 f3a4"),  # copy the program from 0x7d00 to 0x4000
            bytes.fromhex("0f0116e07d"),  # lgdt [0x7de0]
            bytes.fromhex("0f20e0 0d2006 0f22e0"),  # cr4 |= PAE, OSFXSR, OSXMMEXCPT
            bytes.fromhex("66b800100000 0f22d8"),  # cr3
            bytes.fromhex("66b9800000c0 0f32 0d0001 0f30"),  # efer.LME
            bytes.fromhex("0f20c0 660d33000080 0f22c0"),  # cr0: paging and protection
            bytes.fromhex("66ea") + struct.pack("<IH", CODE_ADDRESS, 8),
        ]
    )
    gdt = bytes(8) + bytes.fromhex("ffff0000009aaf00") + bytes.fromhex("ffff00000092cf00")
    assert len(code) <= 0x80
    assert len(program) <= 0xD8
    sector = bytearray(512)
    sector[: len(code)] = code
    sector[0x80 : 0x80 + len(gdt)] = gdt
    sector[0x100 : 0x100 + len(program)] = program
    sector[0x1E0:0x1E6] = struct.pack("<HI", len(gdt) - 1, 0x7C80)
    sector[510:] = b"\x55\xaa"
    return bytes(sector)


@pytest.mark.boots
def test_guest_program_computes_what_is_expected(tmp_path: Path) -> None:
    """On QEMU's emulated processor, that needs no KVM: the two words at port 0xf4."""
    (tmp_path / "disk").write_bytes(boot_sector(PROGRAM) + bytes(1 << 20))  # smaller disks are not booted
    socket = tmp_path / "q"
    command = [
        *(
            str(find_qemu()),
            "-nodefaults",
            "-machine",
            "q35,accel=tcg",
            "-cpu",
            "max",
            "-m",
            "64",
            "-vga",
            "std",
        ),
        *("-display", "none", "-drive", f"file={tmp_path / 'disk'},format=raw"),
        *("-qmp", f"unix:{socket},server=on,wait=off"),
    ]

    async def registers_when_halted(qemu: "subprocess.Popen[bytes]") -> str:
        alive = lambda: qemu.poll() is None  # noqa: E731
        async with (
            await Qmp.connect(socket, on_event=lambda _: None, alive=alive) as qmp,
            asyncio.timeout(DEADLINE_S),
        ):
            while True:  # each answer of QEMU is an event
                registers = await qmp.hmp("info registers")
                if "HLT=1" in registers and f"CR3={0x1000:016x}" in registers:
                    return registers

    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as qemu:
        try:
            registers = asyncio.run(registers_when_halted(qemu))
        finally:
            qemu.kill()
    assert f"RDX={EXPECTED:016x}" in registers
    assert f"RAX={EXPECTED >> 32:016x}" in registers


def test_this_machine(tmp_path: Path) -> None:
    probe = probe_kvm(cache_dir=tmp_path)
    assert probe.detail
    assert "\n" not in probe.detail
    assert (probe.state is KvmProbeState.ABSENT) == (not DEVICE.exists())
    assert probe.usable == (probe.state is KvmProbeState.USABLE)
    if probe.usable:
        assert "ran a 64-bit guest" in probe.detail


def test_absent(tmp_path: Path) -> None:
    probe = probe_kvm(device=tmp_path / "none", cache_dir=tmp_path)
    assert probe == KvmProbe(state=KvmProbeState.ABSENT, detail=f"no {tmp_path / 'none'}", duration_ms=0)


def test_device_that_is_not_kvm(tmp_path: Path) -> None:
    probe = probe_kvm(device=NULL, cache_dir=tmp_path)
    assert probe.state is KvmProbeState.UNUSABLE
    assert "KVM_GET_API_VERSION" in probe.detail


def test_no_permission(tmp_path: Path) -> None:
    """In a child that gives up root."""
    device = tmp_path / "kvm"
    device.write_bytes(b"")
    device.chmod(0)
    parent = tmp_path
    while parent not in (Path("/tmp"), parent.parent):
        parent.chmod(0o755)
        parent = parent.parent
    code = (
        "import os, sys; from pathlib import Path; from hiperiso.machine.kvm import probe_kvm\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "print(probe_kvm(device=Path(sys.argv[1]), cache_dir=Path('/nonexistent')).state)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, device], capture_output=True, text=True, check=True)
    assert done.stdout == "no_permission\n"


def fake_program(directory: Path, body: str) -> Path:
    (directory / "program.py").write_text(f"import faulthandler, os, time, sys\n{body}\n")
    return directory / "program.py"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("print('running', flush=True); time.sleep(100000)", "did not return"),
        ("print('running', flush=True); faulthandler.disable(); os.abort()", "did not return"),
        ("sys.exit(3)", "could not be set up"),
        ("print('running', flush=True); print('[1]')", "did not return"),
    ],
    ids=["wedged", "crashed", "refused", "nonsense"],
)
def test_guest_that_never_reports(tmp_path: Path, body: str, says: str) -> None:
    probe = probe_kvm(device=NULL, cache_dir=tmp_path, program=fake_program(tmp_path, body))
    assert probe.state is KvmProbeState.UNUSABLE
    assert says in probe.detail
    assert not (tmp_path / "kvm-probe.json").exists()  # it may answer another time


GOOD = """print('running'); print('{"ok": true, "detail": "ran", "final": true}')"""


def test_outcome_is_remembered(tmp_path: Path) -> None:
    program = fake_program(tmp_path, GOOD)
    first = probe_kvm(device=NULL, cache_dir=tmp_path / "new", program=program)
    program.write_text("raise SystemExit(1)")
    second = probe_kvm(device=NULL, cache_dir=tmp_path / "new", program=program)
    assert (first.state, first.cached) == (KvmProbeState.USABLE, False)
    assert (second.state, second.cached, second.detail) == (KvmProbeState.USABLE, True, "ran")
    assert probe_kvm(device=NULL, cache_dir=tmp_path / "new", program=program, fresh=True).usable is False


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b'{"key": 1}',
        b"\xff",
        b'{"key": "KEY", "state": "odd", "detail": "", "duration_ms": 1}',
    ],
)
def test_damaged_memory_is_ignored(tmp_path: Path, damage: bytes) -> None:
    program = fake_program(tmp_path, GOOD)
    probe_kvm(device=NULL, cache_dir=tmp_path, program=program)
    cache = tmp_path / "kvm-probe.json"
    key = cache.read_bytes().split(b'"')[3]
    cache.write_bytes(damage.replace(b"KEY", key))
    again = probe_kvm(device=NULL, cache_dir=tmp_path, program=program)
    assert (again.usable, again.cached) == (True, False)


def test_changed_permissions_are_noticed(tmp_path: Path) -> None:
    program = fake_program(tmp_path, GOOD)
    device = tmp_path / "kvm"
    device.write_bytes(b"")
    device.chmod(0o600)
    assert not probe_kvm(device=device, cache_dir=tmp_path, program=program).cached
    assert probe_kvm(device=device, cache_dir=tmp_path, program=program).cached
    device.chmod(0o660)
    assert not probe_kvm(device=device, cache_dir=tmp_path, program=program).cached


def test_unwritable_cache_is_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    program = fake_program(tmp_path, GOOD)
    assert probe_kvm(device=NULL, cache_dir=tmp_path / "file" / "below", program=program).usable


def test_guest_program_needs_only_the_standard_library() -> None:
    source = Path(sys.modules["hiperiso.machine.kvm_guest"].__file__ or "")
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(source), str(NULL)],
        capture_output=True,
        text=True,
        check=True,
        env={},
    )
    assert '"ok": false' in done.stdout
    assert os.fsencode(done.stderr) == b""
