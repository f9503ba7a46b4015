from __future__ import annotations

import fcntl
import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hiperiso.contract import files
from hiperiso.contract.naming import time_of_session
from hiperiso.errors import ExitCode, HarnessFault
from hiperiso.session.directory import SessionDirectory
from hiperiso.session.recovery import recover_orphans
from hiperiso.session.runtime import RuntimeFiles, remove_leftovers, sweep_pasted
from waiting import DEADLINE_S


def test_boots_of_one_second_get_directories_of_their_own(tmp_path: Path) -> None:
    made = [SessionDirectory.create(tmp_path / "root", "a b.iso", runtime_token="") for _ in range(5)]
    names = {directory.session_id for directory in made}
    assert len(names) == 5
    assert all(name.startswith("a-b") and time_of_session(name) for name in names)
    for directory in made:
        directory.release()


def test_the_lock_is_held_until_release(tmp_path: Path) -> None:
    directory = SessionDirectory.create(tmp_path, "x.iso", runtime_token="0123456789ab")
    other = os.open(directory.path / "owner.lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    directory.release()
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


READER = """
import sys
from pathlib import Path
from hiperiso.session.recovery import recover_orphans
root, end = map(Path, sys.argv[1:])
print("reading", flush=True)
while not end.exists():
    for found in recover_orphans(root):
        print(found, flush=True)
"""


def test_a_session_that_begins_is_not_an_orphan_at_any_moment(tmp_path: Path) -> None:
    """A command that reads the log root at the same time must not end it, nor hold its lock."""
    root, end = tmp_path / "logs", tmp_path / "end"
    root.mkdir()
    argv = [sys.executable, "-c", READER, str(root), str(end)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        try:
            for number in range(300):
                session = SessionDirectory.create(root, f"a{number}.iso", runtime_token="0123456789abcdef")
                (session.path / files.SESSION_COMPLETE).touch()
                session.release()
        finally:
            end.touch()
        assert reader.communicate(timeout=DEADLINE_S)[0] == ""
    assert len(list(root.iterdir())) == 300


def test_heartbeat_and_marks(tmp_path: Path) -> None:
    directory = SessionDirectory.create(tmp_path, "x.iso", runtime_token="")
    directory.mark("session_start")
    directory.heartbeat(elapsed_s=1.5)
    assert "elapsed_s=1.5" in (directory.path / "HEARTBEAT").read_text()
    phase, uptime, stamp = (directory.path / "timing.dat").read_text().rstrip("\n").split("\t")
    assert phase == "session_start"
    assert float(uptime) > 0
    assert stamp.endswith("Z")
    directory.release()


def test_a_file_as_log_root_is_one_clear_line(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(HarnessFault, match="cannot write to the log root") as raised:
        SessionDirectory.create(blocker, "x.iso", runtime_token="")
    assert raised.value.exit_code is ExitCode.HARNESS_FAULT
    assert "--log-root" in raised.value.hint


def test_a_full_disk_leaves_no_directory(tmp_path: Path) -> None:
    """The kernel's own refusal: no file of the process may grow."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from hiperiso.errors import HarnessFault\n"
        "from hiperiso.session.directory import SessionDirectory\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "try: SessionDirectory.create(Path(sys.argv[1]), 'x.iso', runtime_token='0123456789ab')\n"
        "except HarnessFault as fault: sys.exit(f'refused: {fault}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert "refused: cannot write to the log root" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_one_token_are_removed_and_of_no_other(tmp_path: Path) -> None:
    for name in ("0123456789ab.ram", "0123456789ab.qmp", "ba9876543210.ram", "keep"):
        (tmp_path / name).write_text("")
    remove_leftovers(tmp_path, "*")
    remove_leftovers(tmp_path, "../x")
    remove_leftovers(tmp_path, "0123456789ab")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ba9876543210.ram", "keep"]


def test_runtime_files_are_private_and_short() -> None:
    runtime = RuntimeFiles.create()
    assert runtime.base.stat().st_mode & 0o077 == 0
    assert len(os.fsencode(runtime.path("qmp"))) < 100
    runtime.path("ram").write_text("x")
    runtime.remove()
    runtime.remove()
    assert not list(runtime.base.glob(f"{runtime.token}.*"))


KILLED = """
import os, signal
from hiperiso.session.recovery import recover_orphans
from hiperiso.session.runtime import RuntimeFiles
runtime = RuntimeFiles.create()
for suffix in ("ppm", "vga"):
    runtime.path(suffix).write_text("the guest's screen")
print(runtime.token, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_recorder_left_in_memory_goes_with_the_next_look(tmp_path: Path) -> None:
    alive = RuntimeFiles.create()
    alive.path("ppm").write_text("x")
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
    token = done.stdout.strip()
    left = {path.name for path in alive.base.glob(f"{token}.*")}
    assert left == {f"{token}.lock", f"{token}.ppm", f"{token}.vga"}
    recover_orphans(tmp_path)  # of any log root: its own may be gone
    assert not list(alive.base.glob(f"{token}.*"))
    assert alive.path("ppm").exists(), "one that lives keeps its files"
    alive.remove()


def test_the_ram_of_a_pasted_command_is_removed_when_its_guest_has_gone(tmp_path: Path) -> None:
    pasted, recorded, fresh = (tmp_path / f"{digit * 12}.ram" for digit in "abc")
    for path in (pasted, recorded, fresh):
        path.write_bytes(bytes(mmap.PAGESIZE))
    (tmp_path / f"{'b' * 12}.lock").touch()  # of a recorder: not our business
    sweep_pasted(tmp_path)
    assert pasted.exists()  # QEMU may be about to map it
    with pasted.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
    sweep_pasted(tmp_path, older_than_s=-1)
    assert pasted.exists() and not fresh.exists()
    mapped.close()
    sweep_pasted(tmp_path, older_than_s=-1)
    assert not pasted.exists() and recorded.exists()
