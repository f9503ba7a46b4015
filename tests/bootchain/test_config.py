"""``/etc/sysconfig/bootchain`` and the defaults of each mode."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootchain.config import parse, settle

from .daemons import Daemon


def settled(
    values: dict[str, str], *, mode: str = "native", debug: bool = False
) -> tuple[dict[str, object], list[str]]:
    settings, complaints = settle(values, mode=mode, debug=debug, test_name="")
    return {name: getattr(settings, name) for name in settings.__slots__}, complaints


def test_defaults_of_native_mode() -> None:
    made, complaints = settled({})
    assert not complaints
    assert made["log_vt"] == "3"
    assert made["fg_delay_s"] == 8.0
    assert made["log_file"] == "/var/log/bootchained.log"
    assert made["chain_log"] == "/var/log/chain.jsonl"
    assert made["mntdir"] == "/dev/bootchain"
    assert made["fg_terminal"] == "/dev/tty2"
    assert made["rootmnt"] == "/root"
    assert made["retry_delay_s"] == 2.0


def test_defaults_of_pipeline_mode() -> None:
    made, _ = settled({}, mode="pipeline")
    assert made["log_file"] == "/var/log/pipelined.log"
    assert made["mntdir"] == "/dev/pipeline"


def test_terminal_is_activated_sooner_in_debug_mode() -> None:
    assert settled({}, debug=True)[0]["fg_delay_s"] == 2.0
    assert settled({"BC_FGVT_ACTIVATE": "5"}, debug=True)[0]["fg_delay_s"] == 5.0


def test_empty_values_have_their_meaning() -> None:
    made, _ = settled({"BC_LOG_VT": "", "BC_FGVT_ACTIVATE": "", "BC_LOGFILE": "", "mntdir": ""})
    assert (made["log_vt"], made["fg_delay_s"]) == ("", 0.0)
    assert (made["log_file"], made["mntdir"]) == ("/var/log/bootchained.log", "/dev/bootchain")


def test_special_device_as_log_file() -> None:
    made, _ = settled({"BC_LOGFILE": "/dev/kmsg"})
    assert (made["log_file"], made["chain_log"]) == ("/dev/kmsg", "/var/log/chain.jsonl")


def test_unusable_values_are_named_and_replaced() -> None:
    made, complaints = settled({"BC_FGVT_ACTIVATE": "soon", "mntdir": "relative", "BC_RETRY_DELAY": "-1"})
    assert (made["fg_delay_s"], made["mntdir"], made["retry_delay_s"]) == (8.0, "/dev/bootchain", 2.0)
    assert complaints == [
        "BC_FGVT_ACTIVATE=soon: not a number of seconds, taking 8",
        "BC_RETRY_DELAY=-1: not a number of seconds, taking 2",
        "mntdir=relative: not an absolute path, taking /dev/bootchain",
    ]


def test_step_directories() -> None:
    assert settled({"BC_STEPDIR": "/a:/b"})[0]["step_dirs"] == ("/a", "/b", "/lib/bootchain", "/lib/pipeline")
    assert settled({}, mode="pipeline")[0]["step_dirs"] == ("/lib/pipeline", "/lib/bootchain")


def test_lines() -> None:
    text = (
        '# comment\n\nBC_LOG_VT=7\n export BC_LOGFILE=\'/var/my log\'\nmntdir="/a\\"b"\nBC_FGVT_ACTIVATE=\n'
        "OTHER=x # tail\nESC=a\\ b\nMIX=a'b c'\"d\"\nnonsense\nBC_X='open\n"
    )
    values, complaints = parse(text)
    assert values == {
        "BC_LOG_VT": "7",
        "BC_LOGFILE": "/var/my log",
        "mntdir": '/a"b',
        "BC_FGVT_ACTIVATE": "",
        "OTHER": "x",
        "ESC": "a b",
        "MIX": "ab cd",
    }
    assert complaints == ["line 10: not KEY=VALUE: nonsense", "line 11: unfinished quotes in BC_X"]


@given(
    st.text(alphabet="ab \t'\"\\#$=;~", max_size=12).filter(
        lambda t: "$" not in t and "~" not in t and ";" not in t
    )
)
def test_quoted_values_are_what_a_shell_makes_of_them(value: str) -> None:
    import shlex

    assert parse(f"A={shlex.quote(value)}") == ({"A": value}, [])


@pytest.mark.parametrize(
    "word", ["a\\ b", "'a\"b'", '"a\\$b\\\\c\\d"', "a'b'\"c\"", "a#b", '"a # b"', "''", "\\'"]
)
def test_unquoting_against_a_real_shell(word: str) -> None:
    shell = subprocess.run(
        ["sh", "-c", f'A={word}\nprintf %s "$A"'], capture_output=True, text=True, check=True
    )
    assert parse(f"A={word}")[0] == {"A": shell.stdout}


def test_variables_are_expanded() -> None:
    text = 'A=1\nB="$A ${A}x"\nC=\'$A\'\nD=${NONE:-${A}2}\nE=$NONE\nF="${HERE-no}"\nG=\\$A\nH=a$\nI=${E:-e}\n'
    assert parse(text, {"HERE": "yes"}) == (
        {"A": "1", "B": "1 1x", "C": "$A", "D": "12", "E": "", "F": "yes", "G": "$A", "H": "a$", "I": "e"},
        [],
    )


def test_commands_are_for_steps_alone() -> None:
    values, complaints = parse("A=$(id)\nB=`id`\nC=1\n")
    assert values == {"C": "1"}
    assert complaints == [
        f"line {n}: {k} takes a command to read: only steps get it" for n, k in ((1, "A"), (2, "B"))
    ]


def test_file_and_environment(daemon: Daemon, tmp_path: Path) -> None:
    """The daemon reads the file; its environment wins."""
    config = tmp_path / "config"
    config.write_text(f"BC_LOGFILE='{tmp_path}/my log'\nmntdir=/nowhere\nbad line\n")
    daemon.step("a", 'message "$mntdir"')
    env = daemon.env()
    del env["BC_LOGFILE"]
    argv = daemon.argv("root=bootchain bootchain=a", "--config", str(config))
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    log = (tmp_path / "my log").read_text()
    assert f"\na: {daemon.mnt}\n" in log
    assert f"{config}: line 3: not KEY=VALUE: bad line" in log
    assert (tmp_path / "chain.jsonl").exists()
