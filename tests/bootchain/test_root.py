"""The end of a chain on real mounts, in a private mount namespace."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bootchain.daemon.root import RootError, copy_logs, hand_over
from waiting import DEADLINE_S

from .daemons import Daemon


@pytest.fixture(autouse=True)
def nothing_is_mounted_on_the_root(daemon: Daemon) -> None:
    daemon.stage2 = False


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``root.squashfs``, and ``medium.ext4`` with that file in ``live/``."""
    place = tmp_path_factory.mktemp("images")
    tree = place / "tree"
    for name in ("etc", "var/log", "sbin"):
        (tree / name).mkdir(parents=True)
    (tree / "etc" / "stage2").write_text("here\n")
    squashfs, ext4, medium = place / "root.squashfs", place / "medium.ext4", place / "medium"
    subprocess.run(
        ["mksquashfs", tree, squashfs, "-quiet", "-noappend"], check=True, stdout=subprocess.DEVNULL
    )
    (medium / "live").mkdir(parents=True)
    (medium / "live" / "rescue").write_bytes(squashfs.read_bytes())
    subprocess.run(["mkfs.ext4", "-q", "-d", medium, ext4, "8M"], check=True, stderr=subprocess.DEVNULL)
    return place


def run_and_look(daemon: Daemon, cmdline: str, look: str) -> tuple[int, str]:
    """Run the daemon and then a script in the same mount namespace. Returns the code, and what the script said."""
    argv = daemon.argv(cmdline)
    after = daemon.argv(cmdline).index(argv[4])
    script = f'"$@"; code=$?; exec 2>&1; {look}; exit $code'
    argv = [*argv[:after], "sh", "-c", script, "sh", *argv[after:]]
    done = subprocess.run(
        argv, env=daemon.env(), stdout=subprocess.PIPE, text=True, check=False, timeout=DEADLINE_S
    )
    return done.returncode, done.stdout


def test_medium_squashfs_root(daemon: Daemon, images: Path) -> None:
    cmdline = (
        f"root=bootchain bootchain=mountfs,mountfs,rootfs mountfs={images}/medium.ext4 mountfs=live/rescue"
    )
    code, seen = run_and_look(
        daemon, cmdline, f'cat "$rootmnt/etc/stage2"; mountpoint "{daemon.mnt}/dst/step1"'
    )
    ended = daemon.ended(code, "")
    assert code == 0, ended.log
    assert (
        ended.message == f"step 2 (rootfs) ended the chain: {daemon.mnt}/dst/step1 is moved to {daemon.root}"
    )
    assert seen == f"here\n{daemon.mnt}/dst/step1 is not a mountpoint\n"
    assert ended.lines[-1]["root"] == str(daemon.root)


def test_overlay_by_a_step_script_of_ones_own(daemon: Daemon, images: Path) -> None:
    daemon.step(
        "over",
        'mount -t tmpfs tmpfs "$datadir"; mkdir "$datadir/upper" "$datadir/work"\n'
        'run mount -t overlay -o "lowerdir=$prevdir,upperdir=$datadir/upper,workdir=$datadir/work" overlay "$destdir"',
    )
    cmdline = f"root=bootchain bootchain=mountfs,over,rootfs mountfs={images}/root.squashfs"
    code, seen = run_and_look(
        daemon, cmdline, 'echo new >"$rootmnt/etc/new"; cat "$rootmnt/etc/stage2" "$rootmnt/etc/new"'
    )
    assert (code, seen) == (0, "here\nnew\n"), daemon.log.read_text()


def test_bypass_passes_the_previous_result_on(daemon: Daemon, images: Path) -> None:
    daemon.step("pass", "bypass_results")
    daemon.step("see", 'cat "$prevdir/etc/stage2" >&2; resolve_target etc/stage2 >&2; bypass_results')
    cmdline = f"root=bootchain bootchain=mountfs,pass,see,rootfs mountfs={images}/root.squashfs"
    code, seen = run_and_look(daemon, cmdline, 'cat "$rootmnt/etc/stage2"')
    log = daemon.log.read_text()
    assert (code, seen) == (0, "here\n"), log
    assert f"\nhere\n{daemon.mnt}/dst/step1/etc/stage2\n" in log
    assert f"{daemon.mnt}/dst/step2 is moved to {daemon.root}" in log


def test_bypass_names_a_directory_mounted_outside(daemon: Daemon, images: Path) -> None:
    outside = daemon.place / "image"
    outside.mkdir()
    daemon.step(
        "outside", f'mount -o ro,loop "{images}/root.squashfs" "{outside}"; bypass_results "{outside}"'
    )
    daemon.step("see", 'echo "$prevdir" >&2; bypass_results')
    code, seen = run_and_look(
        daemon, "root=bootchain bootchain=outside,see,rootfs", 'cat "$rootmnt/etc/stage2"'
    )
    assert (code, seen) == (0, "here\n"), daemon.log.read_text()
    assert f"\n{outside}\n" in daemon.log.read_text()


def test_bypass_of_a_step_with_a_result_of_its_own(daemon: Daemon) -> None:
    daemon.step("a", ': >"$destdir/mine"')
    daemon.step("b", ': >"$destdir/mine"; bypass_results')
    ended = daemon.run("root=bootchain bootchain=a,noretry,b")
    assert f"what it had written itself is in {daemon.mnt}/src/step1/result\n" in ended.log
    assert [code for _, _, code in ended.steps] == [0, 0]
    assert all(
        (daemon.mnt / place / "mine").is_file() for place in ("dst/step0", "dst/step1", "src/step1/result")
    )


def test_step_whose_result_is_mounted_already_is_skipped(daemon: Daemon, images: Path) -> None:
    (daemon.mnt / "dst" / "step0").mkdir(parents=True)
    daemon.step("a", "message ran")
    daemon.prefix = ("sh", "-c", f'mount -t tmpfs x "{daemon.mnt}/dst/step0" && exec "$@"', "sh")
    ended = daemon.run("root=bootchain bootchain=a,a")
    assert ended.steps == [("a", 1, None), ("a", 1, 0)]


def test_root_that_a_step_has_mounted_itself_stays(daemon: Daemon, images: Path) -> None:
    daemon.step("own", f'mkdir -p "$rootmnt"; mount -o ro,loop "{images}/root.squashfs" "$rootmnt"; exit 2')
    code, seen = run_and_look(daemon, "root=pipeline pipeline=own,never", 'cat "$rootmnt/etc/stage2"')
    assert (code, seen) == (0, "here\n")
    assert f"stage 2 is mounted at {daemon.root} already" in daemon.log.read_text()


def test_result_of_the_last_step_itself(daemon: Daemon, images: Path) -> None:
    daemon.step("a", f'mount -o ro,loop "{images}/root.squashfs" "$destdir"; break_bc_loop')
    code, seen = run_and_look(daemon, "root=bootchain bootchain=a", 'cat "$rootmnt/etc/stage2"')
    assert (code, seen) == (0, "here\n")


def test_unpacked_tree_is_bound(daemon: Daemon) -> None:
    daemon.step("unpack", 'mkdir "$destdir/etc"; echo unpacked >"$destdir/etc/stage2"')
    code, seen = run_and_look(daemon, "root=bootchain bootchain=unpack,rootfs", 'cat "$rootmnt/etc/stage2"')
    assert (code, seen) == (0, "unpacked\n")


def test_end_without_any_result_says_so(daemon: Daemon) -> None:
    daemon.step("dev", 'echo /dev/null >"$destdir/DEVNAME"')
    daemon.step("end", "break_bc_loop")
    ended = daemon.run("root=bootchain bootchain=dev,end")
    assert (ended.code, ended.lines[-1]["root"]) == (4, "")
    assert ended.message.endswith(f"no result to move to {daemon.root}, and nothing is mounted there")


def test_rootfs_needs_a_previous_result(daemon: Daemon) -> None:
    ended = daemon.run("root=bootchain bootchain=noretry,rootfs")
    assert ended.code == 1
    assert "rootfs: there is no previous result to take as root" in ended.log


def test_the_initramfs_itself_is_never_the_root(daemon: Daemon) -> None:
    daemon.step("a", "bypass_results /; break_bc_loop")
    ended = daemon.run("root=bootchain bootchain=a")
    assert ended.code == 4
    assert "it is /, which holds" in ended.message


def test_root_below_the_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "file").write_text("")
    with pytest.raises(RootError, match="holds"):
        hand_over([str(tmp_path / "result")], str(tmp_path / "result" / "root"))


@pytest.mark.parametrize("mark", ["bc_debug", "bc_test=case-7"])
def test_log_goes_to_stage_2(daemon: Daemon, mark: str) -> None:
    daemon.step("a", 'mount -t tmpfs x "$destdir"; mkdir "$destdir/sbin"')
    look = 'cd "$rootmnt/var/log"; ls; cat BC-TEST.passed 2>/dev/null; grep -c ended bootchained.log'
    code, seen = run_and_look(daemon, f"root=bootchain bootchain=a,rootfs {mark}", look)
    assert code == 0
    files = seen.split()
    assert "bootchained.log" in files
    assert "chain.jsonl" in files
    assert int(files[-1]) >= 2
    assert ("BC-TEST.passed" in files and "case-7" in files) == (mark != "bc_debug")


def test_log_stays_without_debug_mode_and_after_a_failure(daemon: Daemon) -> None:
    daemon.step("a", 'mount -t tmpfs x "$destdir"; mkdir "$destdir/sbin"')
    code, seen = run_and_look(daemon, "root=bootchain bootchain=a,rootfs", 'ls "$rootmnt"')
    assert (code, seen) == (0, "sbin\n")
    daemon.step("bad", "exit 1")
    ended = daemon.run("root=bootchain bootchain=a,bad bc_test=x")
    assert ended.code == 1
    assert "copied" not in ended.log


def test_logs_never_leave_stage_2(tmp_path: Path) -> None:
    """The image is hostile: its /var/log points to ours."""
    outside = tmp_path / "outside"
    outside.mkdir()
    log = tmp_path / "x.log"
    log.write_text("text")
    for n, place in enumerate(("var", "var/log", "var/log/x.log")):
        link = tmp_path / f"root{n}" / place
        link.parent.mkdir(parents=True)
        link.symlink_to(outside / "x.log" if n == 2 else outside)
        notes = copy_logs([str(log)], str(tmp_path / f"root{n}"), "")
        assert len(notes) == 1
        assert notes[0].startswith("cannot copy the log")
    assert list(outside.iterdir()) == []
