"""What each trace tier costs: a boot to a fixed marker, against no trace, and the size of the trace.

``trace_tiers.py [ISO] [--rounds N] [--until TEXT]``: without an ISO the sample ``login-serial``. The tiers take turns,
and of each the fastest boot counts, so that other work on the machine counts little.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from hiperiso.contract import files
from hiperiso.contract.words import TraceLevel
from hiperlab.samples import build_sample


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("iso", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--until", default="Run /init as init process", help="the marker: a text of the guest"
    )
    parser.add_argument("options", nargs="*", help="further options of hiperiso boot, after --")
    arguments = parser.parse_args()
    iso = arguments.iso or build_sample("login-serial")
    times: dict[TraceLevel, list[float]] = {level: [] for level in TraceLevel}
    sizes: dict[TraceLevel, tuple[int, int]] = {}
    for _ in range(arguments.rounds):
        for level in TraceLevel:
            with tempfile.TemporaryDirectory(prefix="tier-bench.") as root:
                seconds, records, size = boot(iso, level, arguments.until, Path(root), arguments.options)
            times[level].append(seconds)
            sizes[level] = records, size
    least = min(times[TraceLevel.NONE])
    print("| tier | to the marker | against no trace | records | size |")
    print("|---|---|---|---|---|")
    for level, found in times.items():
        records, size = sizes[level]
        print(
            f"| `{level}` | {min(found):.2f} s | {min(found) / least:.2f} | {records} | {size / 1e6:.1f} MB |"
        )
    return 0


def boot(iso: Path, level: TraceLevel, until: str, root: Path, options: list[str]) -> tuple[float, int, int]:
    """Seconds to the marker, records, bytes of the file that QEMU wrote."""
    argv = [sys.executable, "-m", "hiperlab.cli.main", "boot", str(iso), "--json", "--log-root", str(root)]
    argv += ["--trace", level, "--expect-text", until, "--timeout", "300", *options]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the boot with --trace {level} ended with {done.returncode}: {done.stderr[-500:]}")
    session = Path(json.loads(done.stdout)["log_dir"])
    report = json.loads((session / files.REPORT_JSON).read_text())
    written = next(
        (session / name for name in (files.TRACE_LOG, files.TRACE_BIN) if (session / name).exists()), None
    )
    trace = report.get("trace") or {}
    return (
        report["analysis"]["boot_duration_ms"] / 1000,
        trace.get("records", 0),
        written.stat().st_size if written else 0,
    )


if __name__ == "__main__":
    raise SystemExit(main())
