"""The door to other programs, with real ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hiperiso.errors import HarnessFault
from hiperiso.packages import install_hint
from hiperlab.run import PIPE, run_attached, run_text, run_tool, running_tool, try_tool


def test_output_input_and_a_clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("MKFS_OPTIONS", "surprise")
    assert run_tool(["cat"], package="coreutils", stdin=b"\0bytes") == b"\0bytes"
    assert run_tool(["cat"], package="coreutils") == b""
    lines = run_text(["env"], package="coreutils").splitlines()
    assert "LC_ALL=C.UTF-8" in lines and "SOURCE_DATE_EPOCH=1700000000" in lines
    assert not [line for line in lines if line.startswith("MKFS_OPTIONS")]
    assert run_text(["pwd"], package="coreutils", cwd=tmp_path).strip() == str(tmp_path)
    assert b"OWN=1" in run_tool(["env"], package="coreutils", environment={"OWN": "1"})


def test_what_is_missing_is_named_with_its_package() -> None:
    for run in (run_tool, run_text, run_attached):
        with pytest.raises(HarnessFault, match="no-such-tool is not installed") as caught:
            run(["no-such-tool"], package="xorriso")
        assert caught.value.hint == install_hint("xorriso")
    with pytest.raises(HarnessFault, match="not installed"), running_tool(["no-such-tool"], package="x"):
        pass
    assert try_tool(["no-such-tool"]) is None


def test_a_failure_can_be_pasted() -> None:
    argv = ["sh", "-c", "echo out; echo 'why not' >&2; exit 3"]
    with pytest.raises(HarnessFault, match=r"sh failed \(3\): why not") as caught:
        run_tool(argv, package="dash")
    command = caught.value.hint.removeprefix("the command was: ")
    assert subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode == 3
    assert run_tool(argv, package="dash", accept=frozenset({3})) == b"out\n"
    ended = try_tool(argv)
    assert ended is not None and (ended.exit_code, ended.last_output) == (3, "why not")
    assert run_attached(argv, package="dash", output=subprocess.DEVNULL, errors=subprocess.DEVNULL) == 3


def test_time_is_bounded() -> None:
    for run in (run_tool, run_attached):
        with pytest.raises(HarnessFault, match="did not end within 0 s"):
            run(["sleep", "60"], package="coreutils", timeout_s=0.1)
    assert try_tool(["sleep", "60"], timeout_s=0.1) is None


def test_a_running_tool_is_read_as_it_goes_on() -> None:
    code = "import sys; print('one', flush=True); sys.stdin.readline(); print('two')"
    with running_tool([sys.executable, "-c", code], package="python3", stdin=PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == b"one\n"
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.read() == b"two\n"
    assert process.returncode == 0
