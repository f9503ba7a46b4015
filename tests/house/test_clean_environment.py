"""Whatever started the tests, they start alike: a shell in the background, nohup, a service without a terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from .repo import ROOT

CARELESS = """
import os, signal, sys
numbers = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
for number in numbers:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_SETMASK, numbers)
os.umask(0o077)
os.close(0)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
CLEAN = """
import json, os, signal, subprocess, sys
from clean_environment import clean
clean()
status = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True).stdout
os.kill(os.getpid(), signal.SIGHUP)  # nohup still protects the tests themselves
seen = {"status": status, "environment": dict(os.environ), "umask": os.umask(0), "stdin": os.read(0, 1).hex()}
print(json.dumps(seen))
"""
OF_PYTHON = 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1


def test_what_the_shell_left_behind_does_not_reach_the_tests() -> None:
    dirty = {
        "HIPERISO_ACCEL": "kvm",
        "BC_TEST": "x",
        "LC_ALL": "tr_TR",
        "LANG": "C",
        "TERM": "dumb",
        "COLUMNS": "7",
        "FORCE_COLOR": "1",
        "MAKEFLAGS": "-j --jobserver-auth=3,4",
    }
    done = subprocess.run(
        [sys.executable, "-c", CARELESS, CLEAN],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "tests"), **dirty},
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(done.stdout)
    fields = dict(line.split(":\t", 1) for line in seen["status"].splitlines() if ":\t" in line)
    assert int(fields["SigBlk"], 16) == 0
    assert int(fields["SigIgn"], 16) & ~(3 << 31) & ~OF_PYTHON == 0
    assert set(seen["environment"]) & set(dirty) == {"LANG", "TERM"}
    assert (seen["environment"]["LANG"], seen["environment"]["TERM"]) == ("C.UTF-8", "xterm")
    assert (seen["umask"], seen["stdin"]) == (0o022, "")
