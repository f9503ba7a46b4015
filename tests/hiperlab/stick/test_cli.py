"""`hiperiso stick` as a person types it: words, exit codes, and what it asks before it destroys."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands import run_command
from hiperlab.places import package_cache
from waiting import DEADLINE_S, wait_until

from .conftest import SIZE_BYTES
from .oracle import run
from .test_collect import NAME, session


def hiperiso(
    *words: str | Path,
    stdin: bytes = b"",
    cache: Path,
    payload: Path | None = None,
    deadline_s: float = DEADLINE_S,
) -> tuple[int, str, str]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "COLUMNS": "300"}
    environment.pop("HIPERISO_PAYLOAD", None)
    lend_packages(cache)
    if payload:
        environment["HIPERISO_PAYLOAD"] = str(payload)
    done = run_command("stick", *words, given=stdin, env=environment, strict=True, timeout_s=deadline_s)
    return done.returncode, done.stdout, done.stderr


def lend_packages(cache: Path) -> None:
    """To a cache that is otherwise new: what was unpacked once need not be unpacked again."""
    lent = cache / "hiperiso" / package_cache().name
    if not lent.is_symlink():
        lent.parent.mkdir(parents=True, exist_ok=True)
        package_cache().mkdir(parents=True, exist_ok=True)
        lent.symlink_to(package_cache())


def test_from_nothing_to_a_collected_session(tmp_path: Path, payload: Path) -> None:
    image, iso, logs = tmp_path / "my stick.img", tmp_path / "a b.iso", tmp_path / "logs"
    iso.write_bytes(os.urandom(1 << 20))
    code, out, err = hiperiso(
        "create", image, "--size", "120M", "--no-secure-boot", cache=tmp_path, payload=payload
    )
    assert (code, "is ready" in out) == (0, True), err
    assert image.stat().st_size == 120 << 20

    code, out, err = hiperiso("verify", image, cache=tmp_path)
    assert (code, "is intact" in out) == (0, True), out + err
    code, out, err = hiperiso("add", image, iso, cache=tmp_path)
    assert (code, "copied and compared" in out) == (0, True), err
    code, out, err = hiperiso("list", image, cache=tmp_path)
    assert (code, "/ISOs/a b.iso" in out) == (0, True), err
    assert json.loads(hiperiso("list", image, "--json", cache=tmp_path)[1])["isos"][0]["title"] == "a b.iso"

    folder = tmp_path / "folder"
    session(folder)
    code, out, err = hiperiso("collect", folder, "--log-root", logs, cache=tmp_path)
    assert (code, "1 new of 1" in out) == (0, True), out + err
    code, out, err = hiperiso("collect", folder, "--log-root", logs, "--json", cache=tmp_path)
    (row,) = json.loads(out)["sessions"]
    assert (code, row["session_id"], row["already"], row["path"]) == (0, NAME, True, str(logs / NAME))

    code, out, err = hiperiso("update", image, cache=tmp_path, payload=payload)
    assert (code, "is up to date" in out) == (0, True), err


def test_an_image_that_is_there_is_replaced_only_on_demand(tmp_path: Path, payload: Path) -> None:
    image = tmp_path / "precious.img"
    image.write_bytes(b"precious" * 1000)
    code, _, err = hiperiso("create", image, "--size", "120M", cache=tmp_path, payload=payload)
    assert code == 2
    assert "7.8 KiB" in err and "--yes" in err
    assert image.read_bytes() == b"precious" * 1000
    config = tmp_path / "c.json"
    config.write_text('{"iso_overrides": {"/ISOs/a.iso": {"tpm": true}}}')
    arguments = ("create", image, "--size", "120M", "--no-secure-boot", "--yes", "--config", config)
    code, _, err = hiperiso(*arguments, cache=tmp_path, payload=payload)
    lacks = "tpm is set for /ISOs/a.iso, and the payload has no swtpm"
    assert code == 0 and lacks in err
    code, out, _ = hiperiso("verify", image, cache=tmp_path)
    assert code == 0 and f"note: {lacks}" in out.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "none/x.img"), "no such directory"),
        (("create", "x.img", "--size", "1M"), "too small"),
        (("create", "x.img", "--size", "big"), "is not a size"),
        (
            ("create", "x.img", "--filesystem", "exfta"),
            "--filesystem: 'exfta' is not known; did you mean exfat?",
        ),
        (("create", "."), "neither a file nor a block device"),
        (("create", "/dev/nosuchdevice"), "not a device"),
        (("create", "/dev/null"), "neither a file nor a block device"),
        (("create", "x.img", "--config", "none.json"), "cannot read"),
        (("verify", "none.img"), "cannot open"),
        (("list", "none.img"), "cannot open"),
        (("collect", "none.img"), "cannot open"),
        (("add", "none.img", "x.iso"), "cannot open"),
    ],
)
def test_bad_requests(
    tmp_path: Path, payload: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = hiperiso(*words, cache=tmp_path / "cache", payload=payload)
    assert code == 2, out + err
    assert said in err and "Traceback" not in err
    assert not (tmp_path / "x.img").exists()


def test_where_added_files_go(stick: Path, tmp_path: Path) -> None:
    iso = tmp_path / "a.iso"
    iso.write_bytes(b"x" * 5000)
    code, out, err = hiperiso("add", stick, iso, "--folder", "ISOs/new/", "--json", cache=tmp_path)
    assert code == 0 and json.loads(out)[0]["path"] == "/ISOs/new/a.iso" and "not show" not in err
    code, _, err = hiperiso("add", stick, iso, "--folder", "/elsewhere", cache=tmp_path)
    assert code == 0 and "the menu will not show /elsewhere/a.iso: it searches /ISOs" in err
    code, _, err = hiperiso("add", stick, tmp_path / "\x1b[2Jb.iso", cache=tmp_path)
    assert code == 2 and "?[2Jb.iso: no such file" in err


@pytest.mark.parametrize("command", ["list", "collect", "remove", "prune"])
def test_a_directory_that_is_not_a_stick(tmp_path: Path, command: str) -> None:
    folder = tmp_path / "mnt"
    folder.mkdir()
    words = {"remove": ("a.iso",), "prune": ("--keep", "1")}.get(command, ())
    code, out, err = hiperiso(command, folder, *words, cache=tmp_path)
    assert (code, out) == (2, "") and "is not a hiperiso stick" in err
    assert list(folder.iterdir()) == []


def test_a_directory_that_is_not_a_stick_gets_no_iso(tmp_path: Path) -> None:
    iso, folder = tmp_path / "a.iso", tmp_path / "mnt"
    iso.write_bytes(b"x" * 5000)
    folder.mkdir()
    code, out, err = hiperiso("add", folder, iso, cache=tmp_path)
    assert (code, out) == (2, "") and "is not a hiperiso stick" in err
    assert list(folder.iterdir()) == []
    (folder / "hiperiso").mkdir()
    assert hiperiso("add", folder, iso, cache=tmp_path)[0] == 0
    assert (folder / "ISOs" / "a.iso").read_bytes() == iso.read_bytes()


def test_a_file_that_cannot_be_copied_does_not_stop_the_others(tmp_path: Path) -> None:
    folder, bad, good = tmp_path / "mnt", tmp_path / "bad.iso", tmp_path / "good.iso"
    (folder / "hiperiso").mkdir(parents=True)
    bad.symlink_to("/sys/kernel/uevent_seqnum")  # its size is not that of its content
    good.write_bytes(b"x" * 5000)
    code, out, err = hiperiso("add", folder, bad, good, "--set", "ram=1G", "--json", cache=tmp_path)
    added, failed = json.loads(out)
    assert (code, added["path"], failed["path"]) == (4, "/ISOs/good.iso", "/ISOs/bad.iso")
    assert failed["exit_code"] == 4 and "changed while it was being copied" in failed["error"] in err
    assert [path.name for path in (folder / "ISOs").iterdir()] == ["good.iso"]
    assert "bad.iso" not in (folder / "hiperiso/hiperiso.json").read_text()


def test_two_commands_do_not_write_at_once(stick: Path, tmp_path: Path) -> None:
    iso = tmp_path / "a.iso"
    iso.write_bytes(b"x" * 5000)
    with stick.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        code, _, err = hiperiso("add", stick, iso, cache=tmp_path)
        assert code == 2 and f"another command is writing to {stick}" in err
        assert hiperiso("list", stick, cache=tmp_path)[0] == 0
    assert hiperiso("add", stick, iso, cache=tmp_path)[0] == 0


def test_what_another_command_writes_to_is_not_made_anew(stick: Path, payload: Path, tmp_path: Path) -> None:
    before = stick.read_bytes()
    with stick.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        arguments = ("create", stick, "--size", "120M", "--no-secure-boot", "--yes")
        code, _, err = hiperiso(*arguments, cache=tmp_path, payload=payload)
        assert code == 2 and f"another command is writing to {stick}" in err
    assert stick.read_bytes() == before


@pytest.mark.parametrize("filesystem", ["exfat", "ext4"])
def test_a_name_that_looks_like_an_option(
    tmp_path: Path, payload: Path, monkeypatch: pytest.MonkeyPatch, filesystem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--size", "120M", "--no-secure-boot", "--filesystem", filesystem, "--", "-x.img")
    code, _, err = hiperiso("create", *words, cache=tmp_path, payload=payload)
    assert code == 0, err
    code, out, err = hiperiso("verify", "--", "-x.img", cache=tmp_path)
    assert (code, "is intact" in out) == (0, True), out + err
    assert hiperiso("list", "--", "-x.img", cache=tmp_path)[0] == 0


def test_a_stick_is_not_called_broken_for_want_of_a_tool(
    stick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, out, err = hiperiso("verify", stick, cache=tmp_path)
    assert (code, out) == (4, "") and "mcopy is not installed" in err and "apt install mtools" in err


def test_what_cannot_be_read_or_written_is_not_a_bug_of_ours(stick: Path, tmp_path: Path) -> None:
    for command in ("verify", "list", "collect"):
        code, out, err = hiperiso(command, "/proc/self/mem", cache=tmp_path)  # opens, and refuses to be read
        assert (code, out) == (4, "")
        assert "reading /proc/self/mem failed: " in err and "bug" not in err
    code, _, err = hiperiso("collect", stick, "--log-root", "/proc/sys", cache=tmp_path)
    assert code == 4 and "cannot write to /proc/sys" in err


def test_a_copy_that_is_not_whole_is_not_repaired(stick: Path, tmp_path: Path, payload: Path) -> None:
    os.truncate(stick, SIZE_BYTES // 2)
    code, _, err = hiperiso("update", stick, cache=tmp_path, payload=payload)
    assert code == 4 and "copied incompletely" in err
    assert stick.stat().st_size == SIZE_BYTES // 2


def test_names_that_are_not_utf8_are_listed(tmp_path: Path) -> None:
    (tmp_path / "ISOs").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/ISOs/caf\xe9.iso")).touch()
    code, out, _ = hiperiso("list", tmp_path, "--json", cache=tmp_path)
    assert code == 0 and json.loads(out)["isos"][0]["path"] == "/ISOs/caf\\udce9.iso"
    code, out, _ = hiperiso("list", tmp_path, cache=tmp_path)
    assert code == 0 and "caf?.iso" in out


def test_where_a_stick_is_mounted_is_not_the_stick(tmp_path: Path, payload: Path) -> None:
    for command in ("verify", "update"):
        code, _, err = hiperiso(command, tmp_path, cache=tmp_path, payload=payload)
        assert code == 2 and f"{tmp_path} is a directory" in err and "findmnt" in err, err


def test_a_missing_payload_is_built_when_all_else_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = hiperiso("create", tmp_path / "x.img", "--size", "1M", cache=tmp_path)
    assert code == 2 and "too small" in err and "building" not in err
    (tmp_path / "p").mkdir()
    code, _, err = hiperiso("create", tmp_path / "x.img", "--payload", tmp_path / "p", cache=tmp_path)
    assert code == 2 and "is not a payload" in err
    for program in ("mcopy", "mmd", "grub-mkimage"):
        (tmp_path / program).symlink_to(shutil.which(program) or "/nowhere")
    monkeypatch.setenv("PATH", str(tmp_path))  # without the programs that build it
    code, _, err = hiperiso("create", tmp_path / "x.img", cache=tmp_path)
    assert code == 4 and "no payload was built yet: building it" in err and "minutes" in err
    assert "hint: " in err and not (tmp_path / "x.img").exists()


@pytest.mark.slow
def test_a_missing_payload_is_built(tmp_path: Path) -> None:
    words = ("--size", "120M", "--no-secure-boot")
    code, out, err = hiperiso("create", tmp_path / "x.img", *words, cache=tmp_path, deadline_s=4 * DEADLINE_S)
    assert (code, "is ready" in out) == (0, True), err
    assert "building it, once" in err and re.search(r"the payload was built in \d+ s", err)
    code, _, err = hiperiso("update", tmp_path / "x.img", cache=tmp_path)
    assert code == 0 and "building" not in err


def test_a_changed_payload_is_not_taken(tmp_path: Path, payload: Path) -> None:
    copy = tmp_path / "p"
    subprocess.run(["cp", "-r", payload, copy], check=True)
    (copy / "vmlinuz").write_bytes(b"evil")
    (copy / "OVMF.fd").unlink()
    code, _, err = hiperiso("create", tmp_path / "x.img", cache=tmp_path, payload=copy)
    assert code == 2 and "vmlinuz: differs" in err and "OVMF.fd: No such file" in err


def test_a_broken_stick(stick: Path, tmp_path: Path) -> None:
    with stick.open("r+b") as file:
        file.write(b"\xa5" * 440)
    code, out, _ = hiperiso("verify", stick, cache=tmp_path)
    assert code == 4 and "boot code" in out and "is broken" in out
    code, out, _ = hiperiso("verify", stick, "--json", cache=tmp_path)
    found = json.loads(out)
    assert (code, found["whole"]) == (4, False)
    assert {"marker", "bios"} <= {finding["what"] for finding in found["findings"]}


def test_a_session_that_cannot_be_read_does_not_stop_the_others(stick: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (session(folder) / "session.json").write_text("{")
    session(folder, "other_20260702T011452Z")
    code, out, _ = hiperiso("collect", folder, "--log-root", tmp_path / "logs", cache=tmp_path)
    assert code == 4 and "2 new of 2" in out and "session.json" in out


def test_escape_sequences_of_a_stick_reach_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "ISOs").mkdir()
    (tmp_path / "ISOs" / "a\x1b[31mred.iso").write_bytes(b"x")
    _, out, _ = hiperiso("list", tmp_path, cache=tmp_path / "c")
    assert "red.iso" in out and "\x1b[31m" not in out


def test_help_stays_cheap() -> None:
    code = "import sys, hiperlab.cli.main; print(sorted(n for n in sys.modules if n.startswith('hiperlab.stick')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "hiperlab.stick.cli" in done.stdout
    assert not {"commands", "create", "verify", "collect"} & set(
        re.findall(r"hiperlab\.stick\.(\w+)", done.stdout)
    )


def test_a_full_disk_is_one_clear_line(tmp_path: Path, payload: Path) -> None:
    """The kernel's own "no space left": a file may not grow beyond the limit of the process."""
    image = tmp_path / "x.img"
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (90 << 20, 90 << 20));"
        "from hiperlab.cli.main import main; sys.argv[0] = 'hiperiso'; main()"
    )
    argv = [sys.executable, "-c", code, "stick", "create", str(image), "--size", "120M", "--no-secure-boot"]
    lend_packages(tmp_path)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "HIPERISO_PAYLOAD": str(payload)}
    done = subprocess.run(
        argv, capture_output=True, text=True, env=environment, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 4
    assert "failed: File too large" in done.stderr and "update repairs it" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system of its own needs root")
def test_an_image_without_room_is_one_clear_line(tmp_path: Path, payload: Path) -> None:
    script = 'mount -t tmpfs -o size=3M tmpfs "$1" && cd "$1" && shift && "$@"; code=$?; ls; exit $code'
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", str(tmp_path)]
    argv += [sys.executable, "-m", "hiperlab.cli.main", "stick", "create", "x.img", "--size", "120M"]
    environment = {**os.environ, "HIPERISO_PAYLOAD": str(payload)}
    done = subprocess.run(
        argv, capture_output=True, text=True, env=environment, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 4 and "x.img" not in done.stdout
    assert re.search(
        r"hiperiso: no space for x.img: its system takes [\d.]+ MB, [\d.]+ MB are free", done.stderr
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="attaching a loop device needs root")
def test_a_device(tmp_path: Path, payload: Path) -> None:
    image, iso = tmp_path / "disk.img", tmp_path / "a.iso"
    image.touch()
    os.truncate(image, 120 << 20)
    iso.write_bytes(os.urandom(100_000))
    device = run("losetup", "--find", "--show", image).strip()
    try:
        code, _, err = hiperiso("create", device, "--yes", cache=tmp_path, payload=payload)
        assert code == 2 and "not removable" in err
        code, _, err = hiperiso("create", device, "--force", cache=tmp_path, payload=payload)
        assert code == 2 and device in err and "120.0 MiB" in err and "--yes" in err
        arguments = ("create", device, "--force", "--yes", "--no-secure-boot")
        code, _, err = hiperiso(*arguments, cache=tmp_path, payload=payload)
        assert code == 0, err
        assert hiperiso("add", device, iso, cache=tmp_path)[0] == 0
        assert hiperiso("verify", device, cache=tmp_path)[0] == 0
        code, _, err = hiperiso("update", image, cache=tmp_path, payload=payload)
        assert code == 2 and f"attached to {device}" in err
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
    assert hiperiso("verify", image, cache=tmp_path)[0] == 0


def test_a_terminated_command_leaves_no_temporary_files_and_no_program(tmp_path: Path, payload: Path) -> None:
    """SIGTERM, while a program that never ends stands for the one that writes the partition table."""
    image, scratch, programs, running = (tmp_path / name for name in ("x.img", "tmp", "bin", "running"))
    scratch.mkdir()
    programs.mkdir()
    stuck = programs / "sgdisk"
    stuck.write_text(f"#!/bin/sh\necho $$ > {running}.part\nmv {running}.part {running}\nexec sleep 600\n")
    stuck.chmod(0o755)
    lend_packages(tmp_path)
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "TMPDIR": str(scratch),
        "XDG_CACHE_HOME": str(tmp_path),
        "HIPERISO_PAYLOAD": str(payload),
    }
    argv = [sys.executable, "-m", "hiperlab.cli.main", "stick", "create", str(image), "--size", "120M"]
    with subprocess.Popen(
        [*argv, "--no-secure-boot"], env=environment, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        wait_until(running.exists, "the program was not started")
        assert list(scratch.iterdir())
        process.terminate()
        assert process.wait(DEADLINE_S) == 128 + 15
    assert list(scratch.iterdir()) == []
    pid = int(running.read_text())
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the program still runs")
    code, out, _ = hiperiso("verify", image, cache=tmp_path)
    assert code == 4 and "the creation of this stick was interrupted" in out


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "no partition table"), (b"x" * 100_000, "no partition table"), (None, "no such ISO")],
)
def test_what_is_not_a_stick_is_not_booted(tmp_path: Path, content: bytes | None, said: str) -> None:
    target = tmp_path / "x.img"
    if content is not None:
        target.write_bytes(content)
    code, _, err = hiperiso("boot", target, "--log-root", tmp_path / "logs", cache=tmp_path)
    assert code in {2, 4} and said in err, err
    assert not (tmp_path / "logs").exists()
