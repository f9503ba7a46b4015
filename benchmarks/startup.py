"""What the start of a command costs in processor time, beside an old revision in one run.

Three things are loaded in turn by the old revision and by this one, in a process of its own each time: ``hiperiso
--help``; what a recording loads before QEMU is started (a stick's start is that); the whole recorder. The least of the
rounds is compared: what else the machine does only adds to it.

``--check`` ends with 1 when this revision takes more than 5 % longer.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from revisions import ROOT, sources_of

OLD_REVISION = "aac6efa"
BOUND = 1.05
WHAT = {
    "hiperiso --help": "import sys; sys.argv = ['hiperiso', '--help']; from hiperlab.cli.main import main; main()",
    "up to the start of QEMU": "import hiperiso.session.start",
    "the whole recorder": "import hiperiso.session.recorder",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--old", default=OLD_REVISION, metavar="REVISION", help="revision to compare with")
    parser.add_argument("--rounds", type=int, default=20, help="how often each is started")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bound is exceeded")
    arguments = parser.parse_args()
    held = True
    with tempfile.TemporaryDirectory() as folder:
        old = sources_of(arguments.old, Path(folder) / "old")
        for what, code in WHAT.items():
            times = [(cpu_s(old, code), cpu_s(ROOT / "src", code)) for _ in range(arguments.rounds)]
            before_s, now_s = (min(column) for column in zip(*times, strict=True))
            ratio = now_s / before_s
            held &= ratio <= BOUND
            print(f"{what:24} {now_s:6.3f} s / {before_s:6.3f} s = {ratio:.2f} (bound {BOUND:g})")
    return int(arguments.check and not held)


def cpu_s(source: Path, code: str) -> float:
    """Processor time of one start."""
    environment = {**os.environ, "PYTHONPATH": str(source)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled once, as where it is installed
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
