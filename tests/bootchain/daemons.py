"""Runs the real daemon on real step-scripts in a temporary directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bootchain
from waiting import DEADLINE_S

PACKAGE = Path(bootchain.__file__).parent
DAEMON = PACKAGE / "daemon" / "__main__.py"
ROOM = PACKAGE / "shell"


@dataclass
class Ended:
    """How a daemon ended."""

    code: int
    log: str
    stderr: str
    lines: list[dict[str, Any]]

    @property
    def steps(self) -> list[tuple[str, int, int | None]]:
        """(name, try, code) of each start of a step."""
        return [(line["step"], line["try"], line["code"]) for line in self.lines if line["event"] == "step"]

    @property
    def message(self) -> str:
        """The last message."""
        return str(self.lines[-1]["message"])


@dataclass
class Daemon:
    """A place for one daemon. With ``stage2``, something is mounted on the root already: a chain may just end."""

    place: Path
    environment: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    stage2: bool = True

    def __post_init__(self) -> None:
        self.steps.mkdir(parents=True, exist_ok=True)
        self.place.joinpath("bin").mkdir(exist_ok=True)

    @property
    def steps(self) -> Path:
        return self.place / "steps"

    @property
    def mnt(self) -> Path:
        return self.place / "mnt"

    @property
    def root(self) -> Path:
        return self.place / "root"

    @property
    def log(self) -> Path:
        return self.place / "log" / "bootchained.log"

    def interpreter(self, shell: str) -> str:
        """The path of a shell; ``ash`` is busybox under that name, ``posix`` is bash under the name ``sh``."""
        path = self.place / "bin" / "ash"
        if shell == "posix":
            path = self.place / "sh"
            if not path.exists():
                path.symlink_to("/bin/bash")
            return str(path)
        if shell == "ash":
            if not path.exists():
                path.symlink_to("/usr/bin/busybox")
            return str(path)
        return f"/bin/{shell}"

    def step(
        self, name: str, body: str, *, shell: str = "sh", options: str = "-efu", api: bool = True
    ) -> Path:
        """Write a step-script."""
        source = ". bootchain-sh-functions\n" if api else ""
        path = self.steps / name
        path.write_text(f"#!{self.interpreter(shell)} {options}\n{source}{body}\n")
        path.chmod(0o755)
        return path

    def python_step(self, name: str, body: str) -> None:
        """Write a step-script in Python."""
        (self.steps / f"{name}.py").write_text(f"from bootchain.step import Step\nstep = Step()\n{body}\n")

    def env(self) -> dict[str, str]:
        own = {
            "PATH": f"{self.place}/bin:{os.environ['PATH']}",
            "BC_STEPDIR": str(self.steps),
            "mntdir": str(self.mnt),
            "rootmnt": str(self.root),
            "BC_LOGFILE": str(self.log),
            "BC_LOG_VT": "",
            "BC_INITENV": f"{self.place}/initenv",
            "BC_ROOT": f"{self.place}/bc-root",
            "BC_RETRY_DELAY": "0.01",
        }
        return own | self.environment

    def argv(self, cmdline: str, *arguments: str) -> list[str]:
        # A chain may end with a mount: that must never reach the file systems of this machine.
        private = ["unshare", "--mount", "--propagation", "private"]
        mounted = 'mkdir -p "$rootmnt" && mount -t tmpfs stage2 "$rootmnt" && exec "$@"'
        return [
            *private,
            *(("sh", "-c", mounted, "sh") if self.stage2 else ()),
            *self.prefix,
            sys.executable,
            "-I",
            "-S",
            str(DAEMON),
            "--cmdline",
            cmdline,
            *arguments,
        ]

    def run(self, cmdline: str, *arguments: str, timeout_s: float = DEADLINE_S) -> Ended:
        """Run the daemon to its end, as after a fresh boot."""
        (self.place / "initenv").unlink(missing_ok=True)
        done = subprocess.run(
            self.argv(cmdline, *arguments),
            env=self.env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=timeout_s,
            check=False,
        )
        return self.ended(done.returncode, done.stderr)

    def ended(self, code: int, stderr: str) -> Ended:
        chain_log = Path(self.env().get("BC_CHAINLOG", str(self.log.with_name("chain.jsonl"))))
        lines = (
            [json.loads(line) for line in chain_log.read_text().splitlines()] if chain_log.exists() else []
        )
        log = self.log.read_text(errors="surrogateescape") if self.log.exists() else ""
        return Ended(code, log, stderr, lines)
