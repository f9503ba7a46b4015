"""The commands that read and keep recorded boots, as a person types them."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from commands import run_command
from hiperiso.analysis.cli import main as log_main
from hiperiso.contract.eventlines import encode_event, event_of
from hiperiso.contract.words import Source
from hiperlab.run import run_tool
from integration.conftest import command, environment
from machine_speed import assert_cheap
from waiting import DEADLINE_S, wait_until

ANALYSIS = Path(__file__).parents[2] / "hiperiso/analysis"
OLD = Path(__file__).parents[2] / "hiperiso/contract/stored_0_1/ipxe_20261126T201621Z"


def hiperiso(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    done = run_command(*words, env=environment(**variables))
    assert "Traceback" not in done.stderr
    return done


def fails(done: subprocess.CompletedProcess[str], *said: str, code: int = 2) -> None:
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    for words in said:
        assert words in done.stderr


def write_session(root: Path, name: str, **changes: Any) -> Path:
    """A session that was judged: another name and other facts for the stored one."""
    path = root / name
    shutil.copytree(OLD, path)
    (path / "report.html").write_text("<!doctype html>\n")
    manifest = json.loads((path / "session.json").read_text())
    analysis = manifest["analysis"] | changes.pop("analysis", {})
    stamp = name.rpartition("_")[2]
    start = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}T{stamp[9:11]}:{stamp[11:13]}:{stamp[13:15]}Z"
    manifest |= {
        "session_id": name,
        "log_dir": str(path),
        "start_time_utc": start,
        "analysis": analysis,
    } | changes
    (path / "session.json").write_text(json.dumps(manifest))
    return path


SUCCESS = {
    "boot_result": "success",
    "boot_stage_final": "login",
    "failure_domain": "none",
    "cause": "a login",
}


@contextmanager
def recorded(path: Path) -> Iterator[None]:
    """As long as a recorder of the session lives."""
    with (path / "owner.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
        (path / "owner.lock").unlink()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "logs"
    root.mkdir()
    write_session(
        root,
        "debian_20260701T000000Z",
        iso_basename="debian.iso",
        result="success",
        fault="none",
        analysis=SUCCESS,
    )
    write_session(root, "alpine-3.20_20260702T000000Z", iso_basename="alpine-3.20.iso")
    write_session(
        root, "debian_20260703T000000Z", iso_basename="debian.iso", analysis={"boot_duration_ms": 90_500}
    )
    return root


def listed(root: Path, *words: object) -> list[str]:
    done = hiperiso("list", "--log-root", root, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return [line.split()[1] for line in done.stdout.splitlines()]


def test_a_list_in_a_pipe_is_plain_and_whole(root: Path) -> None:
    done = hiperiso("list", "--log-root", root)
    rows = done.stdout.splitlines()
    assert len(rows) == 3 and "\x1b" not in done.stdout
    assert [row.split()[0] for row in rows] == ["success", "failure", "failure"]
    assert rows[2].startswith("failure  debian_20260703T000000Z ") and "90.5 s" in rows[2]
    cause = json.loads((root / "debian_20260703T000000Z/session.json").read_text())["analysis"]["cause"]
    assert rows[2].endswith(cause)


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_a_list_on_a_terminal(root: Path, variables: dict[str, str], coloured: bool) -> None:
    ours, theirs = os.openpty()
    try:
        done = subprocess.run(
            command("list", "--last", "1", "--log-root", root),
            env=environment(**variables),
            stdout=theirs,
            check=True,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 0
        shown = os.read(ours, 10_000)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (b"\x1b[1m" in shown or b"\x1b[31m" in shown) is coloured and b"failure" in shown


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--failed"], ["alpine-3.20_20260702T000000Z", "debian_20260703T000000Z"]),
        (["--iso", "DEBIAN*"], ["debian_20260701T000000Z", "debian_20260703T000000Z"]),
        (["--since", "2026-07-02"], ["alpine-3.20_20260702T000000Z", "debian_20260703T000000Z"]),
        (["--last", "1"], ["debian_20260703T000000Z"]),
        (["--last", "0"], []),
        (["--failed", "--last", "1", "--iso", "alpine*"], ["alpine-3.20_20260702T000000Z"]),
        (["--stage", "login"], ["debian_20260701T000000Z"]),
        (["--domain", "none"], ["debian_20260701T000000Z"]),
        (["--sort", "iso", "--last", "2"], ["alpine-3.20_20260702T000000Z", "debian_20260703T000000Z"]),
    ],
)
def test_what_a_list_shows(root: Path, words: list[str], names: list[str]) -> None:
    done = hiperiso("list", "--log-root", root, *words)
    assert [line.split()[1] for line in done.stdout.splitlines()] == names
    asked = hiperiso("list", "--log-root", root, "--json", *words)
    assert [row["session_id"] for row in json.loads(asked.stdout)] == names
    table = list(
        csv.DictReader(io.StringIO(hiperiso("list", "--log-root", root, "--format", "csv", *words).stdout))
    )
    assert [row["session_id"] for row in table] == names


def test_wrong_words_name_the_right_ones(root: Path) -> None:
    fails(hiperiso("list", "--log-root", root, "--stage", "logn"), "did you mean login?", "installer")
    fails(hiperiso("list", "--log-root", root, "--sort", "size"), "known: time, iso")
    fails(hiperiso("list", "--log-root", root, "--since", "yesterday"), "2026-07-02", "12h")
    fails(hiperiso("list", "--log-root", root / "gone"), "no such log root")


def test_a_hostile_manifest_does_not_reach_the_terminal(root: Path) -> None:
    write_session(
        root, "x_20260704T000000Z", iso_basename="a\x1b[31m\nb.iso", analysis={"cause": "=1+1\x1b]0;x\x07"}
    )
    for form in ("table", "csv", "json"):
        done = hiperiso("list", "--log-root", root, "--format", form)
        assert "\x1b" not in done.stdout and "\x07" not in done.stdout
    assert "'=1+1" in hiperiso("list", "--log-root", root, "--format", "csv").stdout


def test_five_thousand_sessions_in_a_second(tmp_path: Path) -> None:
    """Processor time: the machine may be busy."""
    text = (OLD / "session.json").read_text()
    for number in range(5000):
        path = tmp_path / f"ipxe_2026{number // 28 % 12 + 1:02}{number % 28 + 1:02}T{number // 336:06}Z"
        path.mkdir()
        (path / "session.json").write_text(text)
        (path / "SESSION_COMPLETE").write_bytes(b"")
    before = os.times()
    done = hiperiso("list", "--log-root", tmp_path)
    after = os.times()
    assert len(done.stdout.splitlines()) == 5000
    spent_s = sum((after.children_user, after.children_system)) - sum(
        (before.children_user, before.children_system)
    )
    assert_cheap(spent_s, 1.0)


def test_a_session_is_named_in_four_ways(root: Path) -> None:
    for name in ("last", "debian_20260703T000000Z", "debian_20260703", root / "debian_20260703T000000Z"):
        done = hiperiso("show", name, "--log-root", root)
        assert done.stdout.splitlines()[-1] == str(root / "debian_20260703T000000Z"), done.stderr
        assert "Findings" in done.stdout
    fails(
        hiperiso("show", "debian", "--log-root", root),
        "2 sessions begin with 'debian'",
        "debian_20260701T000000Z",
    )
    fails(
        hiperiso("show", "debain_20260701T000000Z", "--log-root", root),
        "did you mean debian_20260701T000000Z?",
    )
    fails(hiperiso("show", "--log-root", root.parent), "no sessions in")
    report = json.loads(hiperiso("show", "last", "--json", "--log-root", root).stdout)
    assert report["analysis"]["boot_result"] == "failure"
    judged = hiperiso("log", "analyze", "alpine", HIPERISO_LOG_DIR=str(root))
    assert judged.returncode == 1 and "Failure" in judged.stdout


def test_the_page_opens_in_the_browser_that_is_named(root: Path, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\necho "$1" > {tmp_path}/shown.part; mv {tmp_path}/shown.part {tmp_path}/shown\n'
    )
    browser.chmod(0o755)
    done = hiperiso("open", "last", "--log-root", root, BROWSER=f"{browser} %s")
    assert done.returncode == 0, done.stderr
    wait_until((tmp_path / "shown").exists, "the browser")
    assert (tmp_path / "shown").read_text().strip().endswith("/debian_20260703T000000Z/report.html")
    (root / "debian_20260703T000000Z/report.html").unlink()
    fails(hiperiso("open", "last", "--log-root", root), "has no report.html", "log analyze")


def test_removed_sessions_are_noted_and_the_index_stays(root: Path) -> None:
    index = (root.parent / "index.jsonl").read_bytes() if (root.parent / "index.jsonl").exists() else None
    done = hiperiso("rm", "alpine", "last", "last", "--log-root", root)
    assert done.stdout.splitlines() == [
        "removed alpine-3.20_20260702T000000Z",
        "removed debian_20260703T000000Z",
    ]
    assert listed(root) == ["debian_20260701T000000Z"]
    noted = [json.loads(line) for line in (root / "removed.jsonl").read_text().splitlines()]
    assert [line["session_id"] for line in noted] == [
        "alpine-3.20_20260702T000000Z",
        "debian_20260703T000000Z",
    ]
    assert (root / "index.jsonl").exists() is (index is not None)
    assert not list(root.glob(".removing-*"))


def test_a_running_session_is_never_removed(root: Path) -> None:
    path = root / "debian_20260701T000000Z"
    (path / "SESSION_COMPLETE").unlink()
    with recorded(path):
        fails(hiperiso("rm", path.name, "--log-root", root), "still runs")
        done = hiperiso("prune", "--keep", "0", "--log-root", root)
    assert "2 of 3 sessions" in done.stderr
    assert [entry.name for entry in root.iterdir() if entry.is_dir()] == [path.name]


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        (["--keep", "2"], ["debian_20260701T000000Z"]),
        (["--keep", "9"], []),
        (
            ["--older-than", "1s"],
            ["debian_20260701T000000Z", "alpine-3.20_20260702T000000Z", "debian_20260703T000000Z"],
        ),
        (
            ["--max-size", "0"],
            ["debian_20260701T000000Z", "alpine-3.20_20260702T000000Z", "debian_20260703T000000Z"],
        ),
        (["--max-size", "1G"], []),
    ],
)
def test_prune(root: Path, words: list[str], gone: list[str]) -> None:
    before = sorted(entry.name for entry in root.iterdir())
    done = hiperiso("prune", *words, "--dry-run", "--log-root", root)
    assert [line.split()[2] for line in done.stdout.splitlines()] == gone
    assert sorted(entry.name for entry in root.iterdir()) == before
    done = hiperiso("prune", *words, "--log-root", root)
    assert [line.split()[1] for line in done.stdout.splitlines()] == gone
    assert sorted(entry.name for entry in root.iterdir() if entry.is_dir()) == sorted(set(before) - set(gone))


def answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def test_what_keeps_sessions_is_json_for_programs(root: Path, tmp_path: Path) -> None:
    here, name = ("--json", "--log-root", root), "alpine-3.20_20260702T000000Z"
    pruned = answer(hiperiso("prune", "--keep", "2", "--dry-run", *here))
    assert (pruned["dry_run"], pruned["sessions"]) == (True, 3)
    (first,) = pruned["removed"]
    assert first["session_id"] == "debian_20260701T000000Z" and Path(first["path"]).is_dir()
    assert first["size_bytes"] > 0
    packed = answer(hiperiso("export", "alpine", "-o", tmp_path / "boot.tar", *here))
    assert packed["size_bytes"] == Path(packed["file"]).stat().st_size and packed["left_out"] == []
    assert answer(hiperiso("rm", "alpine", *here)) == {
        "removed": [{"session_id": name, "path": str(root / name)}],
        "failed": [],
    }
    imported = answer(hiperiso("import", packed["file"], *here))
    assert imported == {"session_id": name, "path": str(root / name), "problem": ""}
    assert answer(hiperiso("prune", "--keep", "0", *here))["removed"][1]["session_id"] == name
    assert answer(hiperiso("prune", "--keep", "0", *here))["removed"] == []


def test_one_that_cannot_be_removed_does_not_stop_the_others(root: Path) -> None:
    running = root / "debian_20260701T000000Z"
    (running / "SESSION_COMPLETE").unlink()
    with recorded(running):
        done = hiperiso("rm", "--json", running.name, "no-such", "alpine", "last", "--log-root", root)
    listing = json.loads(done.stdout)
    assert done.returncode == 2
    gone = ["alpine-3.20_20260702T000000Z", "debian_20260703T000000Z"]
    assert [row["session_id"] for row in listing["removed"]] == gone
    assert [(row["session"], row["exit_code"]) for row in listing["failed"]] == [
        ("no-such", 2),
        (running.name, 2),
    ]
    assert "still runs" in listing["failed"][1]["error"] and "Ctrl-C" in listing["failed"][1]["hint"]
    assert done.stderr.count("hiperiso: ") == 2
    assert [entry.name for entry in root.iterdir() if entry.is_dir()] == [running.name]


def test_a_success_whose_recorder_failed_is_not_listed_as_one(root: Path) -> None:
    write_session(
        root, "x_20260704T000000Z", result="success", status="failed", fault_detail="killed", analysis=SUCCESS
    )
    (line,) = hiperiso("list", "--log-root", root, "--last", "1").stdout.splitlines()
    assert line.startswith("fault ") and line.endswith("killed")


def test_prune_wants_a_limit_that_is_one(root: Path) -> None:
    fails(hiperiso("prune", "--log-root", root), "--keep N")
    fails(hiperiso("prune", "--max-size", "much", "--log-root", root), "500M")
    fails(hiperiso("prune", "--older-than", "2 fortnights", "--log-root", root), "30d")


@pytest.mark.parametrize("ending", [".tar.zst", ".tar.gz", ".tar"])
def test_a_session_goes_from_one_log_root_to_another(root: Path, tmp_path: Path, ending: str) -> None:
    packed = tmp_path / f"boot{ending}"
    done = hiperiso("export", "last", "-o", packed, "--log-root", root)
    assert done.stdout.strip() == str(packed), done.stderr
    there = tmp_path / "there"
    done = hiperiso("import", packed, "--log-root", there)
    path = there / "debian_20260703T000000Z"
    assert (done.stdout.strip(), done.stderr) == (str(path), "")
    for name in ("events.jsonl", "serial.log", "report.html"):
        assert (path / name).read_bytes() == (root / path.name / name).read_bytes()
    assert json.loads((path / "session.json").read_text())["log_dir"] == str(path)
    assert [json.loads(line)["session_id"] for line in (there / "index.jsonl").read_text().splitlines()] == [
        path.name
    ]
    assert listed(there) == [path.name]
    fails(hiperiso("import", packed, "--log-root", there), "exists", "hiperiso rm")
    fails(hiperiso("export", "last", "-o", packed, "--log-root", root), "exists")
    assert [entry.name for entry in there.iterdir() if entry.name.startswith(".i")] == [".index.lock"]


def test_an_archive_without_zstd(root: Path, tmp_path: Path) -> None:
    words = ("export", "last", "--log-root", root)
    done = run_command(*words, env=environment(PATH=str(tmp_path)), cwd=tmp_path)
    assert done.stdout.strip() == str(tmp_path / "debian_20260703T000000Z.tar.gz"), done.stderr
    with tarfile.open(done.stdout.strip()) as archive:
        assert "debian_20260703T000000Z/session.json" in archive.getnames()


def test_a_page_alone(root: Path, tmp_path: Path) -> None:
    done = hiperiso("export", "last", "-o", tmp_path / "boot.html", "--log-root", root)
    assert done.returncode == 0
    assert (tmp_path / "boot.html").read_text().startswith("<!doctype html>")
    fails(hiperiso("export", "last", "-o", tmp_path / "boot.zip", "--log-root", root), "endings")
    fails(hiperiso("import", tmp_path / "boot.html", "--log-root", root), "is a page, not an archive")


def test_what_names_a_person_stays_at_home(root: Path, tmp_path: Path) -> None:
    path = root / "debian_20260703T000000Z"
    home = tmp_path / "home-of-erika"
    (path / "qemu.cmdline").write_text(f"qemu -cdrom {home}/ISOs/debian.iso -nic mac=de:ad:be:ef:00:01\n")
    (path / "env.txt").write_text(
        "kernel: /srv/customer/vmlinuz\nuser: mustermann\nbios: /usr/share/bios.bin\n"
    )
    (path / "notes.txt").write_text("from https://me:pass@host/d.iso?token=abc by /srv/customer/x.sh\n")
    (path / "serial.log").write_text("root=UUID=1234-ABCD 52:54:00:12:34:56\n")
    (path / "hw").mkdir(exist_ok=True)
    (path / "hw" / "host_dmi.txt").write_text("product_serial: ABC-12345\n")
    (path / "network.pcap").write_bytes(b"\xd4\xc3\xb2\xa1")
    done = hiperiso(
        "export",
        "last",
        "--redact",
        "-o",
        tmp_path / "x.tar",
        "--log-root",
        root,
        HOME=str(home),
        SUDO_USER="mustermann",
    )
    assert "network.pcap" in done.stderr
    with tarfile.open(tmp_path / "x.tar") as archive:
        held = {name: archive.extractfile(name) for name in archive.getnames()}
        texts = {
            name.split("/", 1)[1]: file.read().decode(errors="replace") for name, file in held.items() if file
        }
    assert texts["qemu.cmdline"] == "qemu -cdrom /PLACE/debian.iso -nic mac=00:00:00:00:00:00\n"
    assert texts["env.txt"] == "kernel: /PLACE/vmlinuz\nuser: USER\nbios: /usr/share/bios.bin\n"
    assert texts["notes.txt"] == "from https://host/d.iso by /PLACE/x.sh\n"
    assert texts["serial.log"] == "root=UUID=1234-ABCD 52:54:00:12:34:56\n"
    assert texts["hw/host_dmi.txt"] == "product_serial: REDACTED\n"
    assert not any(str(root) in text or "erika" in text for text in texts.values())
    assert "network.pcap" not in texts


def packed(path: Path, *members: tuple[str, bytes, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(content), "/etc/passwd"
            archive.addfile(info, io.BytesIO(content))
    return path


NAME = "x_20260704T000000Z"


@pytest.mark.parametrize(
    "members",
    [
        [(f"{NAME}/../../escape", b"x", tarfile.REGTYPE)],
        [("/etc/escape", b"x", tarfile.REGTYPE)],
        [(f"{NAME}/session.json", b"", tarfile.SYMTYPE)],
        [(f"{NAME}/serial.log", b"", tarfile.LNKTYPE)],
        [(f"{NAME}/serial.log", b"", tarfile.CHRTYPE)],
        [
            (f"{NAME}/serial.log", b"x", tarfile.REGTYPE),
            ("y_20260704T000000Z/serial.log", b"x", tarfile.REGTYPE),
        ],
        [("no-time/serial.log", b"x", tarfile.REGTYPE)],
        [(f"{NAME}/readme", b"x", tarfile.REGTYPE)],
        [],
    ],
)
def test_an_archive_that_is_not_a_session(tmp_path: Path, members: list[tuple[str, bytes, bytes]]) -> None:
    archive = packed(tmp_path / "bad.tar", *members)
    fails(hiperiso("import", archive, "--log-root", tmp_path / "logs"), "bad.tar")
    assert [path.name for path in (tmp_path / "logs").rglob("*")] == []
    assert not (tmp_path / "escape").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"\x28\xb5\x2f\xfdrubbish", os.urandom(3000)])
def test_what_is_not_an_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad").write_bytes(content)
    fails(hiperiso("import", tmp_path / "bad", "--log-root", tmp_path / "logs"), "bad")
    fails(hiperiso("import", tmp_path / "gone", "--log-root", tmp_path / "logs"), "no such file")


def test_a_zstd_of_anybody(root: Path, tmp_path: Path) -> None:
    path = root / "debian_20260701T000000Z"
    run_tool(["tar", "-C", str(root), "-cf", str(tmp_path / "a.tar"), path.name], package="tar")
    run_tool(["zstd", "-q", str(tmp_path / "a.tar")], package="zstd")
    done = hiperiso("import", tmp_path / "a.tar.zst", "--log-root", tmp_path / "there")
    assert done.stdout.strip() == str(tmp_path / "there" / path.name), done.stderr


def test_follow_sees_what_another_process_records(tmp_path: Path) -> None:
    """The events come in two parts; the second only when the first was shown."""
    source = ANALYSIS / "corpus/busybox-login/events.jsonl"
    lines = source.read_bytes().splitlines(keepends=True)
    path = tmp_path / "demo_20260701T000000Z"
    path.mkdir()
    lock = ExitStack()
    lock.enter_context(recorded(path))
    (path / "events.jsonl").write_bytes(b"".join(lines[: len(lines) // 2]) + lines[len(lines) // 2][:10])
    process = subprocess.Popen(
        command("follow", "last", "--log-root", tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    rest: list[str] = []
    reader = threading.Thread(target=lambda: rest.extend(process.stderr or ()))
    reader.start()
    with (path / "events.jsonl").open("ab") as log:
        log.write(lines[len(lines) // 2][10:] + b"".join(lines[len(lines) // 2 + 1 :]))
    assert log_main(["analyze", "--no-exit-code", str(path)]) == 0
    manifest = json.loads((OLD / "session.json").read_text())
    report = json.loads((path / "report.json").read_text())
    manifest |= {
        "session_id": path.name,
        "log_dir": str(path),
        "analysis": report["analysis"],
        "result": "success",
        "fault": "none",
    }
    (path / "session.json").write_text(json.dumps(manifest))
    (path / "SESSION_COMPLETE").write_bytes(b"complete success\n")
    lock.close()
    assert process.wait(DEADLINE_S) == 0
    reader.join()
    assert process.stdout is not None
    assert "SUCCESS" in process.stdout.read()
    process.stdout.close()
    process.stderr.close()
    assert first and any("login" in line for line in rest)


def test_follow_of_a_boot_whose_recorder_was_killed_ends_with_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "demo_20260701T000000Z"
    path.mkdir()
    (path / "owner.lock").write_bytes(b"")  # of a recorder that is gone: it is not held
    shutil.copy(ANALYSIS / "corpus/busybox-login/events.jsonl", path)
    done = hiperiso("follow", "last", "--log-root", tmp_path)
    assert "login" in done.stderr
    assert (path / "SESSION_COMPLETE").exists()
    assert done.returncode == 4, done.stderr  # our side failed: the recorder was killed


def test_events_of_a_log_that_grows_are_read_once(tmp_path: Path) -> None:
    from hiperiso.contract.stored import StoredSession

    rows = [
        encode_event(event_of(n, n, Source.SERIAL, "line", text=f"row {n}", data={})) + b"\n"
        for n in range(3)
    ]
    session = StoredSession(tmp_path)
    assert session.tail(0) == ([], 0)
    (tmp_path / "events.jsonl").write_bytes(rows[0] + rows[1][:7])
    events, offset = session.tail(0)
    assert ([event.text for event in events], offset) == (["row 0"], len(rows[0]))
    (tmp_path / "events.jsonl").write_bytes(b"".join(rows))
    events, offset = session.tail(offset)
    assert ([event.text for event in events], offset) == (["row 1", "row 2"], len(b"".join(rows)))
    assert session.tail(offset) == ([], offset)
