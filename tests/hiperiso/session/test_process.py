from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hiperiso.errors import HarnessFault
from hiperiso.session.launch import spawn_qemu
from hiperiso.session.process import QemuProcess, start_fault
from waiting import DEADLINE_S, await_until, wait_for_end


def run(argv: list[str], folder: Path, action: str = "wait") -> tuple[int | None, list[str]]:
    lines: list[str] = []

    async def main() -> int | None:
        process = QemuProcess(
            spawn_qemu(argv, directory=folder), log=folder / "qemu.stderr", on_line=lines.append
        )
        try:
            if action == "stop":
                await await_until(lambda: bool(lines), "it says nothing")
                await process.stop()
            assert await process.wait(DEADLINE_S)
            return process.exit_code
        finally:
            process.close()

    return asyncio.run(main()), lines


def test_its_words_and_exit_code_are_reported(tmp_path: Path) -> None:
    code, lines = run(["sh", "-c", "echo one; echo two >&2; printf three; exit 3"], tmp_path)
    assert code == 3
    assert lines == ["one", "two", "three"]
    assert (tmp_path / "qemu.stderr").read_text() == "one\ntwo\nthree"


def test_a_flood_is_read_and_bounded_on_disk(tmp_path: Path) -> None:
    code, lines = run(["sh", "-c", "yes hello | head -n 400000"], tmp_path)
    assert code == 0
    assert len(lines) == 400_000
    assert (tmp_path / "qemu.stderr").stat().st_size < 2 << 20


def test_stop_ends_even_what_ignores_it(tmp_path: Path) -> None:
    code, _ = run(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"], tmp_path, "stop")
    assert code == -signal.SIGKILL


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["-cpu", "nosuch", "-accel", "tcg"], "-cpu help"),
        (["-nosuch"], "--qemu-arg"),
        (["-device", "nosuch"], "-device help"),
        (["-kernel", "text"], "bzImage"),
        (["-M", "nosuch"], "qemu.cmdline"),
    ],
)
def test_what_qemu_refuses_has_its_next_step(tmp_path: Path, words: list[str], hint: str) -> None:
    (tmp_path / "text").write_text("no kernel\n" * 1000)
    fault = fault_of(["qemu-system-x86_64", "-display", "none", "-S", *words], tmp_path)
    assert "QEMU would not start: qemu" in fault.message and hint in fault.hint


def test_what_is_killed_before_it_answers_is_named_so(tmp_path: Path) -> None:
    fault = fault_of(["sh", "-c", "kill -KILL $$"], tmp_path)
    assert fault.message == "QEMU was ended by SIGKILL before it answered"
    assert "memory" in fault.hint


def fault_of(argv: list[str], folder: Path) -> HarnessFault:
    async def run_to_its_end() -> HarnessFault:
        process = QemuProcess(
            spawn_qemu(argv, directory=folder), log=folder / "qemu.stderr", on_line=lambda _: None
        )
        try:
            assert await process.wait(DEADLINE_S)
            return start_fault(process, folder, HarnessFault("no answer"))
        finally:
            process.close()

    return asyncio.run(run_to_its_end())


def test_a_program_that_is_not_there_is_a_clear_fault(tmp_path: Path) -> None:
    with pytest.raises(HarnessFault, match="no-such-qemu"):
        run(["/no-such-qemu"], tmp_path)


PARENT = """
import asyncio, sys
from pathlib import Path
from hiperiso.session.launch import spawn_qemu
from hiperiso.session.process import QemuProcess
async def main():
    folder = Path(sys.argv[1])
    process = QemuProcess(spawn_qemu(["sleep", "100000"], directory=folder), log=folder / "e", on_line=print)
    print(process.pid, flush=True)
    await asyncio.sleep(100000)
asyncio.run(main())
"""


def test_it_dies_with_a_recorder_that_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_for_end(child)


def test_it_does_not_get_the_terminals_interrupt(tmp_path: Path) -> None:
    code, lines = run([sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"], tmp_path)
    assert (code, lines) == (0, ["True"])
