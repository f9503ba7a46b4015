"""Runs a chain on this machine, on real images, in separate mount and PID namespaces.

Its mounts are not visible outside, its processes end with it, and loop devices are freed with the mounts. The
results are on a tmpfs that ends with the namespace; the logs are kept if a directory for them is given.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bootchain.daemon.places import PACKAGE
from hiperiso.errors import HarnessFault, UsageError
from hiperlab.run import ToolTimeout, run_attached

_DAEMON = Path(PACKAGE) / "daemon" / "__main__.py"
_SCRIPT = """\
mount -t tmpfs -o mode=0755 chain "$PLACE" || exit 125
mkdir "$PLACE/steps" "$PLACE/root" || exit 125
"$@"
code=$?
if [ "$code" = 0 ] && [ -n "$THEN" ]; then
	cd "$PLACE/root" && sh -c "$THEN"
	then=$?
	[ "$then" = 0 ] || { echo "hiperiso: the command in the result ended with $then" >&2; code=124; }
fi
exit "$code"
"""
EXIT_NO_PLACE = 125
EXIT_TIMEOUT = 124  # as timeout(1)


@dataclass(frozen=True)
class Ran:
    """The result of a chain: the exit code of the daemon, the text log, and the records of ``chain.jsonl``.

    ``code`` is `EXIT_TIMEOUT`, and ``fault`` has the reason, where the time limit ended it.
    """

    code: int
    log: str
    records: list[dict[str, Any]]
    fault: str = ""

    @property
    def message(self) -> str:
        """The last message of the daemon, or ``""``."""
        return next((str(r["message"]) for r in reversed(self.records) if r.get("event") == "finish"), "")


def run_chain(
    cmdline: str,
    *,
    step_dirs: tuple[Path, ...] = (),
    settings: Mapping[str, str] | None = None,
    then: str = "",
    terminal: str = "",
    timeout_s: float | None = None,
    output: IO[str] | None = None,
) -> Ran:
    """Run a chain to its end.

    Args:
        cmdline: of the kernel.
        step_dirs: directories with step-scripts, searched before the built-in ones.
        settings: as in /etc/sysconfig/bootchain, overriding the generated ones.
        then: a shell command to run in the result, if the chain succeeded.
        terminal: the terminal for ``fg``.
        output: receives the output of ``then``, instead of standard output.

    Raises:
        UsageError: this user may not create namespaces.
        HarnessFault: unshare or mount is missing or fails.
    """
    if os.geteuid() != 0:
        raise UsageError(
            "running a chain mounts images, which needs root",
            hint="sudo hiperiso chain run ...; explain needs no root",
        )
    with tempfile.TemporaryDirectory(prefix="hiperiso-chain-") as scratch:
        place, logs = Path(scratch) / "place", Path(scratch) / "log"
        place.mkdir()
        logs.mkdir()
        own = {
            "mntdir": f"{place}/steps",
            "rootmnt": f"{place}/root",
            "BC_LOGFILE": f"{logs}/bootchained.log",
            "BC_CHAINLOG": f"{logs}/chain.jsonl",
            "BC_LOG_VT": "",
            "BC_ROOT": f"{place}/bc-root",
            "BC_INITENV": f"{place}/initenv",
            "BC_FGVT": terminal or "/dev/null",
            "BC_FGVT_ACTIVATE": "",
            "BC_STEPDIR": ":".join(str(path.absolute()) for path in step_dirs),
        }
        environment = {**os.environ, **own, **(settings or {}), "PLACE": str(place), "THEN": then}
        argv = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ]
        argv += ["sh", "-c", _SCRIPT, "chain", sys.executable, "-I", "-S", str(_DAEMON), "--cmdline", cmdline]
        fault = ""
        try:
            exit_code = run_attached(
                argv, package="util-linux", environment=environment, output=output, timeout_s=timeout_s
            )
        except ToolTimeout:
            exit_code, fault = EXIT_TIMEOUT, f"the chain did not end within {timeout_s:g} s"
        if exit_code == EXIT_NO_PLACE:
            raise HarnessFault(
                "no tmpfs can be mounted in a namespace", hint="a container needs CAP_SYS_ADMIN for this"
            )
        return Ran(exit_code, _read(logs / "bootchained.log"), _records(logs / "chain.jsonl"), fault)


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


def _records(path: Path) -> list[dict[str, Any]]:
    found = []
    for line in _read(path).splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue  # truncated by a crash
    return found
