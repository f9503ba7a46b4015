"""Init as process 1: the hand-over to stage 2, crashes of the daemon, the rescue shell, orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from waiting import wait_for_text

from .boxes import SOURCE, STAGE_2, Box


def test_it_hands_over_to_stage_2(box: Box) -> None:
    box.step("stage2", STAGE_2)
    box.start("root=bootchain bootchain=stage2,rootfs")
    box.see("stage 2: end")
    assert "bootchain-init: switching to stage 2: /sbin/init on /root" in box.console
    assert "stage 2: pid 1, arguments <word> <two words>" in box.console
    shown = box.console.partition("stage 2: pid")[2].splitlines()
    assert {"/", "/dev", "/proc", "/sys", "/run", "/run/bootchain"} <= set(shown)
    assert not {"/tmp", "/usr", "/out", "/root"} & set(shown), "what stage 2 has no place for is left behind"
    assert "dev is here" in shown


def test_the_initramfs_is_emptied_and_nothing_else(box: Box) -> None:
    box.file("var/big", "x" * 1000)
    box.file("layers/kept/file", "y")
    # A process that still sees the initramfs reports what is left of it.
    box.step(
        "spy",
        "mkdir -p /bound; mount --bind /layers/kept /bound\n"
        "( exec >/dev/null 2>&1 </dev/null 8</out/switched 9>/out/left; read stage2 <&8; exec >&9; b=/usr/bin/busybox\n"
        "$b ls -A /; $b ls /layers/kept; $b ls /usr/bin/env ) &",
    )
    os.mkfifo(box.out / "switched")
    # Its end would be the end of the box, and of what still sees the initramfs.
    box.step(
        "stage2", STAGE_2.replace('echo "stage 2: end"', 'echo "stage 2: end"; /bin/busybox sleep 100000')
    )
    box.start("root=bootchain bootchain=spy,stage2,rootfs")
    box.see("stage 2: end")
    (box.out / "switched").write_text("now\n")
    names = set(wait_for_text(box.out / "left", "env").split())
    assert {"usr", "out", "file", "/usr/bin/env"} <= names
    assert not names & {"init", "etc", "var", "steps", "bin", "lib"}


@pytest.mark.parametrize("wanted", ["/bin/other", "/bin/link"])
def test_init_is_honoured(box: Box, wanted: str) -> None:
    body = STAGE_2 + "cp sbin/init bin/other; sed -i s/2:/two:/ bin/other; ln -s /bin/other bin/link\n"
    box.step("stage2", body)
    box.start(f"root=bootchain bootchain=stage2,rootfs init={wanted}")
    box.see("stage two: end")


def test_an_init_that_is_not_there_leads_to_the_rescue_shell(box: Box) -> None:
    box.step("stage2", STAGE_2)
    box.start("root=bootchain bootchain=stage2,rootfs init=/sbin/nosuch")
    box.see("(bootchain) ")
    assert "the boot has failed: init=/sbin/nosuch cannot be run: no such program below /root" in box.console
    assert (
        box.answer("ls /root/sbin/init /etc/sysconfig") == "/root/sbin/init\n\n/etc/sysconfig:\nbootchain\n"
    )


def test_a_failing_chain_leads_to_the_rescue_shell_and_again(box: Box) -> None:
    box.step("stage2", STAGE_2)
    box.step("needs", '[ -e /fixed ] || fatal "nothing here"; bypass_results')
    box.start("root=bootchain bootchain=noretry,stage2,needs,rootfs")
    box.see("(bootchain) ")
    why = "step 1 (needs) failed with code 1, and repeating is forbidden (noretry)"
    assert f"bootchain-init: the boot has failed: {why}" in box.console
    assert "  | needs: nothing here" in box.console
    assert box.answer("echo $((40 + 2))") == "42\n"
    box.type("touch /fixed; exit")
    box.see("running the chain again")
    box.see("stage 2: end")


def test_a_chain_without_a_root_says_so(box: Box) -> None:
    box.step("nothing", ":")
    box.start("root=bootchain bootchain=nothing")
    box.see("(bootchain) ")
    assert "the boot has failed: the chain is exhausted: step 0 (nothing) was the last step" in box.console


def test_without_root_on_the_command_line(box: Box) -> None:
    box.start("quiet root=/dev/sda1")
    box.see("(bootchain) ")
    assert "the command line has neither root=bootchain nor root=pipeline" in box.console


def test_a_crash_of_the_daemon_keeps_log_and_results(box: Box) -> None:
    box.step("stage2", STAGE_2)
    box.step(
        "crash", '[ -e /crashed ] || { : >/crashed; message "before the crash"; kill -9 "$PPID"; cat /dead; }'
    )
    box.step(
        "keep",
        "cp /var/log/bootchained.log /var/log/chain.jsonl /out/; bypass_results /run/bootchain/dst/step0",
    )
    box.start("root=bootchain bootchain=stage2,crash,keep,rootfs")
    box.see("bootchained was killed by signal 9: starting it again")
    box.see("stage 2: end")
    log = (box.out / "bootchained.log").read_text()
    before, after = log.split("bootchain-init: bootchained was killed by signal 9: starting it again\n")
    assert "crash: before the crash" in before
    assert "step 0 (stage2): its result is there already, skipped" in after
    chain = (box.out / "chain.jsonl").read_text()
    assert chain.count('"event": "start"') == 2


def test_a_daemon_that_crashes_again_and_again_is_given_up(box: Box) -> None:
    box.step("crash", 'kill -9 "$PPID"; sleep 1')
    box.start("root=bootchain bootchain=crash")
    box.see("(bootchain) ")
    assert box.console.count("\nbootchain-init: bootchained was killed by signal 9: starting it again") == 2
    assert "bootchained was killed by signal 9: giving up" in box.console
    assert "the boot has failed: bootchained was killed by signal 9" in box.console


def test_orphans_are_reaped(box: Box) -> None:
    box.step("orphans", "for n in 1 2 3 4 5 6 7 8; do ( ( sleep 0.2 ) & ); done; sleep 0.6; exit 1")
    box.start("root=bootchain bootchain=noretry,orphans")
    box.see("(bootchain) ")
    states = box.answer("cut -d ' ' -f 3 /proc/[0-9]*/stat 2>/dev/null").split()
    assert states and "Z" not in states


def test_the_records_leave_as_marked_lines(box: Box) -> None:
    box.step("nothing", ":")
    box.start("root=bootchain bootchain=nothing " + "x" * 1200)
    box.see("(bootchain) ")
    lines = (box.out / "kmsg").read_text().splitlines()
    assert lines[0].startswith('<6>bootchain+ {"n": 0, ') and len(lines[0]) < 976
    assert [line[:14] for line in lines[1:]] == ["<6>bootchain: "] * 3
    assert '"event": "finish", "outcome": "exhausted"' in lines[-1]


def test_failure_may_mean_power_off(box: Box) -> None:
    box.file(
        "etc/sysconfig/bootchain", (box.root / "etc/sysconfig/bootchain").read_text() + "BC_RESCUE=poweroff\n"
    )
    box.step("bad", "exit 1")
    box.start("root=bootchain bootchain=noretry,bad")
    box.see("the boot has failed: step 0 (bad) failed with code 1")
    box.see("(bootchain) ")
    assert (box.out / "off").read_text() == "poweroff -f\n"


@pytest.mark.parametrize(
    ("number", "program"),
    [
        (signal.SIGTERM, "reboot"),
        (signal.SIGINT, "reboot"),
        (signal.SIGUSR1, "halt"),
        (signal.SIGUSR2, "poweroff"),
    ],
)
def test_signals_restart_halt_and_power_off(box: Box, number: int, program: str) -> None:
    box.step("bad", "exit 1")
    box.start("root=bootchain bootchain=noretry,bad")
    box.see("(bootchain) ")
    box.signal(number)
    off = box.out / "off"
    while not off.exists() or not off.read_text():
        assert box.answer("echo alive") == "alive\n"
    assert off.read_text() == f"{program} -f\n"


def test_it_refuses_to_be_another_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bootchain.init"],
        env={"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "bootchain-init: this is not process 1\n")
