"""What published step-scripts rely on, in an initramfs with all defaults: scripts as their authors write them."""
# ruff: noqa: E501 -- scripts as their authors write them

from __future__ import annotations

from pathlib import Path

import pytest

from .initrds import Initrd

BASH, ASH = "/bin/bash", "/bin/ash"
shells = pytest.mark.parametrize("shell", [BASH, ASH])


@pytest.fixture
def initrd(ram: Path) -> Initrd:
    return Initrd(ram / "top")


def said(log: str, name: str) -> list[str]:
    return [line.removeprefix(f"{name}: ") for line in log.splitlines() if line.startswith(f"{name}: ")]


@shells
def test_every_name_exists_when_nothing_else_gives_it(initrd: Initrd, shell: str) -> None:
    initrd.step(
        "a",
        ". bootchain-sh-functions\n"
        "while ! resume_checked; do sleep 1; done\n"
        "set_resume_checked; has_feature bootchain-core pipeline; ! has_feature no-such || exit 3\n"
        "has_module loop || :; ! has_module no-such-module || exit 4\n"
        'message "$(get_majmin /dev/null)"; readline first /proc/self/status; message "$first"\n'
        '! readline none /nonexistent || exit 5; [ -z "$none" ]; ! get_majmin /etc || exit 6\n'
        "rootdelay_pause; rootdelay_paused; rootdelay_unpause; ! rootdelay_paused || exit 7; rootdelay_reset_timer\n"
        'verbose x; [ -z "$(get_dev LABEL=no-such)" ]\n'
        'message "$BC_DEBUG,$BC_LOG_VT,$BC_DEVICE_TIMEOUT,$BC_ROOT,$handlerdir,$mntdir,$pipeline_mode,$message_time,$PROG"\n'
        '[ -d "$BC_ROOT" ] && [ -d /etc/initrd ] && [ -d "$BC_PASSED" ] && [ -n "$BC_NEXTCHAIN" ]\n'
        "(fatal over) || message $?",
        shell=shell,
    )
    log = initrd.run("root=bootchain bootchain=noretry,a").log
    assert said(log, "a")[:1] == ["1:3"], log
    assert said(log, "a")[2:] == [",3,60,/bc-root,/lib/bootchain,/dev/bootchain,,,a", "over", "1"], log


@shells
def test_the_names_of_the_pipeline(initrd: Initrd, shell: str) -> None:
    initrd.step(
        "a",
        ". pipeline-sh-functions\n"
        "in_comma_list b a,b,c; ! in_comma_list b abc || exit 3\n"
        'message "$(pipe_callnum) $(pipe_name 0) $PIPE_RETCODE_STOP $pipeline_mode $mntdir $handlerdir"\n'
        "pipe_gpg_verify other /none /none\n"
        '(pipe_gpg_verify a /none.sig /none) || message "$?"\n'
        "pipe_fatal stop",
        shell=shell,
        where="lib/pipeline",
    )
    ended = initrd.run("root=pipeline pipeline=a,never pipe-verify-sign=a")
    assert said(ended.log, "a") == [
        "0 a 2 1 /dev/pipeline /lib/pipeline",
        "a: the signature of /none is not there: /none.sig",
        "2",
        "stop",
    ]
    assert ended.code == 4  # the end of the loop, and no root


@shells
def test_libraries_of_the_initramfs_come_along_and_win(initrd: Initrd, shell: str) -> None:
    initrd.write("bin/shell-error", 'message() { echo "<$*>" >&2; }\nfatal() { echo "F:$*" >&2; exit 9; }\n')
    initrd.write("bin/shell-signal", "signals=here\n")
    initrd.write(
        "bin/initrd-sh-functions",
        "PATH=/usr/bin:/bin\nhas_feature() { message asked; }\nunset_one=$nothing\n",
    )
    initrd.write("bin/interactive-sh-functions", "IM_mine() { message mine; }\n")
    initrd.write(
        "etc/sysconfig/bootchain", 'OTHER_KEY=other\nEXPANDED="${OTHER_KEY}-${NONE:-x}"\nSYS=$(echo cmd)\n'
    )
    initrd.step(
        "a",
        ". bootchain-sh-functions\n"
        "PATH=/usr/bin:/bin\n"
        ". interactive-sh-functions\n. image-sh-functions\n"
        'message "$signals $OTHER_KEY $EXPANDED $SYS"; has_feature x; IM_mine\n'
        "case $- in *e*) ;; *) exit 8 ;; esac; case $- in *u*) ;; *) exit 8 ;; esac; fatal end",
        shell=shell,
    )
    ended = initrd.run("root=bootchain bootchain=noretry,a")
    assert "\n<here other other-x cmd>\n<asked>\n<mine>\nF:end\n" in ended.log, ended.log
    assert ended.steps[-1][2] == 9


@shells
def test_parameters_are_scalars_arrays_and_counts_and_may_come_later(initrd: Initrd, shell: str) -> None:
    initrd.step("show", ". bootchain-sh-functions\n"
        'message "$SHOW $SHOW0 $SHOW1 ${SHOW_OPTS-} $FLAVOUR ${LATER-} $QUIET <$(get_parameter SHOW)>"\n'
        "check_parameter FLAVOUR; check_parameter SHOW\n"
        "echo \"LATER='it'\\\\''s'\" >>/.initrd/initenv", shell=shell)  # fmt: skip
    initrd.step("py.py", "from bootchain.step import Step\nimport os\nStep().message(os.environ['LATER'])")
    (initrd.top / "lib/bootchain/py.py").write_text(
        "from bootchain.step import Step\nimport os\nStep().message(os.environ['LATER'])\n"
    )
    cmdline = "root=bootchain bootchain=show,show,py flavour=a flavour=b show=p show=q show-opts=x quiet"
    ended = initrd.run(cmdline, then="cat /.initrd/initenv")
    assert said(ended.log, "show") == ["2 p q 1 b  1 <p>", "2 p q 1 b it's 1 <q>"], ended.log
    assert said(ended.log, "py") == ["it's"]
    assert "FLAVOUR='b'\n" in ended.stderr and "SHOW='2'\n" in ended.stderr


def test_an_initenv_of_the_initramfs_is_read(initrd: Initrd) -> None:
    initrd.write(".initrd/initenv", "SHOW0='one'\nSHOW='1'\nNAME='a b'\n")
    initrd.step("show", '. bootchain-sh-functions\nmessage "$(get_parameter SHOW) $NAME $SHOW"')
    assert said(initrd.run("root=bootchain bootchain=show").log, "show") == ["one a b 1"]


@shells
def test_prevdir_is_real_after_a_bypass_and_found_in_mounts(initrd: Initrd, shell: str, medium: Path) -> None:
    initrd.write("medium", "")
    (initrd.top / "medium").write_bytes(medium.read_bytes())
    head = ". bootchain-sh-functions\n"
    initrd.step(
        "pass", f'{head}bypass_results\n[ -d "$destdir/live" ]; run touch "$destdir/new" || :', shell=shell
    )
    initrd.step("outside", f"{head}mkdir -p $BC_ROOT/x; mount --bind \"$(resolve_target step-2)\" $BC_ROOT/x\n"
        'bypass_results "$BC_ROOT/x"; bypass_results "$BC_ROOT/x"; bypass_results "$destdir"; [ -f "$destdir/live/rescue-10" ]',
        shell=shell)  # fmt: skip
    initrd.step(
        "find",
        f'{head}message "$prevdir"; while read -r dev dir rest; do\n'
        '[ "$dir" != "$prevdir" ] || message "found"\ndone </proc/mounts\n'
        'target="$(resolve_target pipe0/live/rescue-*)"; set +f; for f in $target; do message "$f"; done',
        shell=shell,
    )
    chain = "mountfs,pass,find,outside,find"
    log = initrd.run(f"root=bootchain bootchain=noretry,{chain} mountfs=/medium mountfs-opts=rw").log
    assert said(log, "find") == [
        "/dev/bootchain/dst/step1",
        "found",
        "/dev/bootchain/dst/step1/live/rescue-10",
        "/bc-root/x",
        "found",
        "/dev/bootchain/dst/step1/live/rescue-10",
    ], log


def test_a_bypass_of_a_failed_try_is_taken_back(initrd: Initrd) -> None:
    initrd.step("make", ". bootchain-sh-functions\necho text >$destdir/file")
    initrd.step("mount", ". bootchain-sh-functions\nmount -t tmpfs t $destdir; echo text >$destdir/file")
    initrd.step(
        "again",
        ". bootchain-sh-functions\n[ -f $prevdir/file ] || exit 9\nbypass_results\n[ -f $destdir/file ]\n"
        '[ -e "$datadir/tried" ] || { : >"$datadir/tried"; exit 1; }',
    )
    for first in ("make", "mount"):
        ended = initrd.run(f"root=bootchain bootchain={first},again,again,rootfs", then="cat /root/file")
        assert ended.stderr.endswith("text\n"), ended.log
        assert ended.code == 0
        (initrd.top / "var/log/bootchained.log").unlink()
        (initrd.top / "var/log/chain.jsonl").unlink()


def test_nothing_is_lost_when_a_bypass_is_not_possible(initrd: Initrd) -> None:
    initrd.step("make", ". bootchain-sh-functions\necho text >$destdir/file")
    initrd.step("bad", ". bootchain-sh-functions\nmkdir $destdir/own\n! bypass_results /nowhere || exit 4\n"
        "[ -f $prevdir/file ] && [ -d $destdir/own ]")  # fmt: skip
    ended = initrd.run("root=bootchain bootchain=make,noretry,bad")
    assert [code for _, _, code in ended.steps] == [0, 0], ended.log
    assert "bad: bypass: no such directory: /nowhere" in ended.log


@shells
def test_what_a_step_had_written_before_a_bypass_is_kept(initrd: Initrd, shell: str) -> None:
    head = ". bootchain-sh-functions\n"
    again = '[ -e "$datadir/tried" ] || { : >"$datadir/tried"; exit 1; }\n'
    initrd.step("make", f"{head}echo text >$destdir/file", shell=shell)
    initrd.step("own", f"{head}mkdir -p $destdir/own; bypass_results; [ -f $destdir/file ]\n"
        f"[ -d $datadir/result/own ]; [ ! -e $destdir/own ]\n{again}", shell=shell)  # fmt: skip
    initrd.step("inside", f"{head}grep -qs \" $destdir \" /proc/mounts || mount -t tmpfs t $destdir\n"
        f"mkdir -p $destdir/live; echo inside >$destdir/live/file; bypass_results $destdir/live\n"
        f"grep -q inside $destdir/file\n{again}", shell=shell)  # fmt: skip
    initrd.step("show", f'{head}message "$(cat $prevdir/file) $prevdir"', shell=shell)
    ended = initrd.run("root=bootchain bootchain=make,own,show,inside,show")
    assert said(ended.log, "show") == [
        "text /dev/bootchain/dst/step1",
        "inside /dev/bootchain/src/step3/result/live",
    ], ended.log
    assert [code for _, _, code in ended.steps] == [0, 1, 0, 0, 1, 0, 0]


def test_a_bypass_before_code_2_of_a_pipeline_holds(initrd: Initrd) -> None:
    initrd.step("root", ". pipeline-sh-functions\nmkdir -p $BC_ROOT/r; mount -t tmpfs t $BC_ROOT/r\n"
        "echo it >$BC_ROOT/r/file; bypass_results $BC_ROOT/r; exit 2", where="lib/pipeline")  # fmt: skip
    ended = initrd.run("root=pipeline pipeline=root", then="cat /root/file")
    assert (ended.code, ended.stderr.splitlines()[-1]) == (0, "it"), ended.log


def test_a_caller_that_waits_for_a_root_sees_that_there_is_none(initrd: Initrd) -> None:
    initrd.step("end", ". bootchain-sh-functions\nbreak_bc_loop")
    ended = initrd.run("root=bootchain bootchain=end")
    assert ended.code == 4
    assert ended.message.endswith(
        "there is no root: no result to move to /root, and nothing is mounted there"
    )


@shells
def test_the_files_by_which_a_step_speaks(initrd: Initrd, shell: str) -> None:
    initrd.step("first", ". bootchain-sh-functions\n: >$BC_PASSED/mark\n"
        "echo 'chainsteps=\"never\"' >>$BC_NEXTCHAIN; echo 'chainsteps=\"second,third\"' >>$BC_NEXTCHAIN", shell=shell)  # fmt: skip
    initrd.step(
        "second", ". bootchain-sh-functions\nis_step_passed mark; is_step_passed first; ! is_step_passed"
    )
    initrd.step(
        "third",
        ". bootchain-sh-functions\n[ -e $BC_PASSED/second ]; rm $BC_PASSED/first; ! is_step_passed first",
    )
    ended = initrd.run("root=bootchain bootchain=noretry,first,never")
    assert [(name, code) for name, _, code in ended.steps] == [("first", 0), ("second", 0), ("third", 0)], (
        ended.log
    )


@shells
def test_dialogs_go_back_with_the_same_parameters(initrd: Initrd, shell: str) -> None:
    """As measured on the original: 0, 1, then 2, 3 for the steps, and always 0 for the one that replaces the chain."""
    initrd.step("show", '. bootchain-sh-functions\nmessage "$callnum $(get_parameter SHOW)"', shell=shell)
    initrd.step("cont", '. bootchain-sh-functions\nmessage "$callnum $(get_parameter CONT)"\n'
        "[ -e $BC_PASSED/twice ] || next_bootchain show,show,cont; : >$BC_PASSED/twice", shell=shell)  # fmt: skip
    ended = initrd.run("root=bootchain bootchain=show,show,cont show=a show=b show=c show=d cont=x cont=y")
    assert said(ended.log, "show") == ["0 a", "1 b", "2 c", "3 d"]
    assert said(ended.log, "cont") == ["0 x", "0 x"]


@shells
def test_no_dialog_with_noaskuser(initrd: Initrd, shell: str) -> None:
    initrd.step(
        "ask",
        ". bootchain-sh-functions\n. interactive-sh-functions\nIM_load_widgets choice form gauge dlgmsg ponder\nIM_load_all\n"
        "IM_activate 0\nIM_show_bootsplash; IM_update_bootsplash x; IM_hide_bootsplash\n"
        'IM_choice method "Which way?" cdrom "A disc" disk "A disk"; message "$method"\n'
        'method=disk; IM_choice method "Which way?" cdrom "A disc" disk "A disk"; message "$method"\n'
        'server=s dir=; IM_form Net "Where?" 3 server 20 "Server" dir 40 "Folder"; message "$server,$dir"\n'
        "for n in 10 50 100; do echo $n; done | IM_gauge Copy Copying\nIM_dlgmsg Title text\n"
        "! IM_errchoice broken || exit 3\nIM_ponder_start Wait waiting; IM_ponder_stop\nIM_is_active || :\n"
        "IM_exec message run; IM_fatal over",
        shell=shell,
    )
    ended = initrd.run("root=bootchain bootchain=noretry,ask noaskuser nolines")
    assert said(ended.log, "ask") == [
        "Which way?: cdrom",
        "cdrom",
        "Which way?: disk",
        "disk",
        "s,",
        "Title: text",
        "broken",
        "Wait: waiting",
        "run",
        "over",
    ], ended.log


@pytest.mark.parametrize("shell", [BASH, ASH, "/bin/sh"])
@pytest.mark.parametrize(
    ("name", "loop"),
    [
        ("no_such_function", "while ! no_such_function; do sleep 1; done"),
        ("nosuchname", "until nosuchname $name; do sleep 0.1; done"),
        ("say_nothing", 'until [ -n "$(say_nothing 2>/dev/null)" ]; do sleep 1; done'),
    ],
)
def test_what_nothing_defines_ends_with_an_error(initrd: Initrd, shell: str, name: str, loop: str) -> None:
    initrd.step("a", f". bootchain-sh-functions\n{loop}", shell=shell)
    ended = initrd.run("root=bootchain bootchain=a")
    assert ended.code == 1
    assert ended.steps == [("a", 1, -15)]
    assert ended.message == (
        f"step 0 (a) was killed by signal 15: nothing defines {name}: neither the script nor a library that it sources"
    )


@shells
def test_a_program_that_is_missing_may_be_called(initrd: Initrd, shell: str) -> None:
    initrd.step(
        "a",
        ". bootchain-sh-functions\nn=0\nis_up() { n=$((n + 1)); [ $n -gt 3 ]; }\n"
        "while ! is_up; do nosuchprogram || sleep 1; done\n"
        "while ! nosuchprogram && [ $n -lt 30 ]; do n=$((n + 1)); sleep 0.1; done\n"
        "while ! command -v nosuchprogram && is_up; do break; done\n"
        "xfs_nothing || message on",
        shell=shell,
    )
    initrd.step("b", '. bootchain-sh-functions\nmessage "$(ls $mntdir/undefined | wc -l)"', shell=shell)
    ended = initrd.run("root=bootchain bootchain=noretry,a,b")
    assert (said(ended.log, "a")[-1], ended.steps) == ("on", [("a", 1, 0), ("b", 1, 0)]), ended.log
    assert said(ended.log, "b") == ["0"], "no other step finds what was made to find out"


def test_parameters_that_an_earlier_daemon_wrote_are_not_those_of_another_line(initrd: Initrd) -> None:
    initrd.step("show", '. bootchain-sh-functions\nmessage "$SHOW0 ${MORE-}"; echo MORE=more >>$BC_INITENV')
    for line in ("show=a", "show=b", "show=b"):
        log = initrd.run(f"root=bootchain bootchain=show {line}").log  # goes on from run to run
    assert said(log, "show") == ["a ", "b ", "b more"]


def test_a_log_that_cannot_be_written_stops_no_step(initrd: Initrd) -> None:
    initrd.step("a", ". bootchain-sh-functions\nmessage hello\necho there >&2\nmkdir $destdir/sbin")
    ended = initrd.run("root=bootchain bootchain=a,rootfs", then="ls /root")
    assert ended.code == 0
    initrd.write("etc/sysconfig/bootchain", "BC_LOGFILE=/dev/full\n")
    assert initrd.run("root=bootchain bootchain=noretry,a,rootfs", then="ls /root").stderr.endswith("sbin\n")


def test_results_lie_on_a_tmpfs_and_the_loop_has_its_name(initrd: Initrd) -> None:
    initrd.step(
        "a", '. bootchain-sh-functions\nread -r comm </proc/$PPID/comm; message "$comm"\ncat /proc/mounts >&2'
    )
    log = initrd.run("root=bootchain bootchain=a").log
    assert "\na: bootchain-loop\n" in log
    assert "\nbootchain /dev/bootchain tmpfs " in log


def test_example_1_as_printed_names_the_misspelt_parameter(initrd: Initrd) -> None:
    initrd.step(
        "waitdev", ". bootchain-sh-functions\necho /dev/loop0 >$destdir/DEVNAME; mknod $destdir/dev b 7 0"
    )
    ended = initrd.run("root=bootchain bootchain=waitdev,noretry,mountfs mountfs=DEVNANE")
    assert ended.code == 1
    assert (
        "mountfs: target: DEVNANE: no /dev/bootchain/dst/step0/DEVNANE; there: DEVNAME, dev; nearest: DEVNAME"
        in ended.log
    )


@shells
def test_cleanup_handlers(initrd: Initrd, shell: str) -> None:
    initrd.step("a", ". shell-error\n. shell-signal\ncleanup() { message \"cleanup $1\"; }\n"
        "set_cleanup_handler cleanup\nset_cleanup_handler cleanup\nexit 7", shell=shell)  # fmt: skip
    ended = initrd.run("root=bootchain bootchain=noretry,a")
    assert (said(ended.log, "a"), ended.steps) == (["cleanup 7"], [("a", 1, 7)])


def test_a_disk_is_writable_and_an_image_is_not(initrd: Initrd, medium: Path) -> None:
    (initrd.top / "medium").write_bytes(medium.read_bytes())
    initrd.step("attach", ". bootchain-sh-functions\nlosetup -f --show /medium >$destdir/DEVNAME\n"
        'echo "$(cat $destdir/DEVNAME)" >/tmp/loop')  # fmt: skip
    initrd.step("write", ". bootchain-sh-functions\n! touch $prevdir/new 2>/dev/null || message writable")
    ended = initrd.run(
        "root=bootchain bootchain=noretry,attach,mountfs,write mountfs=DEVNAME",
        then="umount /dev/bootchain/dst/step1; losetup -d $(cat /tmp/loop)",
    )
    assert said(ended.log, "write") == ["writable"], ended.log
    ended = initrd.run("root=bootchain bootchain=noretry,mountfs,write mountfs=/medium")
    assert said(ended.log, "write") == ["writable"]  # the one of before
