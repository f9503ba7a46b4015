"""The cost of the chain engine, side by side with bash in one run.

1. Per step: 200 no-op steps under ``bootchained``, against a bash loop that does the same bookkeeping (makes both
   directories, tests for a mount, records the passed step, writes the log line) and starts the same step.
2. Per call of the shell API, against a pure-bash twin, both in the same step under the daemon.
3. CPU of the daemon from its start to the end of its first step, against an interpreter that does nothing.

``--check`` exits with 1 if a bound is exceeded. Everything happens below one directory on a RAM file system.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import bootchain

DAEMON = Path(bootchain.__file__).parent / "daemon" / "__main__.py"
STEPS = 200
PER_STEP_BOUND = 0.7
PROCESS_BOUND = 0.5
CPU_BOUND = 3.0
NOISE = 1.05

LOOP = r"""
mntdir=$1 logfile=$2 stepdir=$3 chain=$4
declare -A calls
stepnum=0 prevdir=
mkdir -p "$mntdir/src" "$mntdir/dst" "$mntdir/passed"
while [ -n "$chain" ]; do
	case "$chain" in
	*,*) name="${chain%%,*}" chain="${chain#*,}" ;;
	*) name="$chain" chain= ;;
	esac
	callnum="${calls[$name]-0}"
	calls[$name]=$((callnum + 1))
	datadir="$mntdir/src/step$stepnum" destdir="$mntdir/dst/step$stepnum"
	mkdir -p "$datadir" "$destdir"
	if ! mountpoint -q "$destdir"; then
		export name callnum datadir destdir prevdir stepnum
		"$stepdir/$name" >>"$logfile" 2>&1 || exit 1
	fi
	echo "$name" >>"$mntdir/passed/list"
	printf '%s step %s (%s) passed, remaining: %s\n' "$EPOCHREALTIME" "$stepnum" "$name" "$chain" >>"$logfile"
	prevdir="$destdir"
	stepnum=$((stepnum + 1))
done
"""

# The same loop without a process for the mount test: the shell reads the mount table.
LEAN_LOOP = LOOP.replace('mountpoint -q "$destdir"', 'mounted "$destdir"').replace(
    "declare -A calls",
    "declare -A calls\nmounted() { while read -r _ _ _ _ at _; do\n"
    '[ "$at" != "$1" ] || return 0; done </proc/self/mountinfo; return 1; }',
)

TWINS = r"""
twin_get_parameter() { eval "printf '%s\n' \"\${$1$callnum-}\""; }
twin_check_parameter() { eval "[ -n \"\${$1$callnum-}\" ]" || { echo "empty: $1" >&2; exit 1; }; }
twin_resolve_target() {
	local base="$prevdir" path="$1" real
	case "$1" in
	pipe[0-9]*/*) base="$mntdir/dst/step${1%%/*}" base="${base/steppipe/step}" path="${1#*/}" ;;
	step-[0-9]*/*) base="${1%%/*}" base="$mntdir/dst/step$((stepnum - ${base#step-}))" path="${1#*/}" ;;
	/*) base= ;;
	esac
	real="$(readlink -e "$base/$path")" || return 1
	case "$real" in "$base"/*) printf '%s\n' "$real" ;; *) return 1 ;; esac
}
twin_resolve_devname() {
	local node
	if [ -s "$1/DEVNAME" ]; then
		IFS= read -r node <"$1/DEVNAME"
		case "$node" in
		/dev/*) { [ -b "$node" ] || [ -c "$node" ]; } && printf '%s\n' "$node" ;;
		*) return 1 ;;
		esac
	else
		readlink -e "$1/dev"
	fi
}
twin_message() { printf '%s: %s\n' "${PROG:-${0##*/}}" "$*" >&2; }
twin_debug() { [ -z "${BC_DEBUG-}" ] || twin_message "DEBUG: $*"; }
twin_run() { [ -z "${BC_DEBUG-}" ] || twin_message "RUN: $*"; "$@"; }
twin_assign() {
	local left
	eval "left=\"$1\""
	case "$left" in "" | [0-9]* | *[!A-Za-z0-9_]*) return 1 ;; esac
	eval "$left=\"$2\""
	[ -z "${BC_DEBUG-}" ] || twin_message "ASSIGN: $1=$2"
}
twin_next_bootchain() { printf 'chainsteps="%s"\n' "$*" >>"$mntdir/nextchain"; }
twin_is_step_passed() { [ -f "$mntdir/passed-$name" ]; }
twin_break_bc_loop() { : >"$mntdir/break"; }
twin_bypass_results() {
	[ -d "${1-}" ] || return 1
	if [ -L "$destdir" ]; then rm -f "$destdir"; else rmdir "$destdir"; fi
	ln -s "$(readlink -f "$1")" "$destdir"
}
twin_initrd_version() {
	local k v
	while IFS== read -r k v; do [ "$k" = VERSION_ID ] && echo "$v"; done </etc/os-release
}

loop() { local n=$1 i; shift; for ((i = 0; i < n; i++)); do "$@" >/dev/null 2>&1; done; }
inner() { local n=$1 i x; shift; for ((i = 0; i < n; i++)); do x="$("$@" 2>/dev/null)" || :; done; }
clock() { local a="${EPOCHREALTIME/./}"; "$@"; spent=$((${EPOCHREALTIME/./} - a)); }
# bench KIND COUNT FUNCTION ARGS: rounds in turn, so that both meet the same noise.
bench() {
	local kind=$1 n=$2 round; shift 2
	for round in {1..25}; do
		clock "$kind" "$n" "$@"; printf '%s\t%s\t%s\tours\t%s\n' "$*" "$kind" "$n" "$spent" >>"$out"
		clock "$kind" "$n" "twin_$@"; printf '%s\t%s\t%s\ttwin\t%s\n' "$*" "$kind" "$n" "$spent" >>"$out"
	done
}
"""

CALLS = [
    # call, how a script uses it, how often in a round, does its twin start a process
    ("get_parameter MOUNTFS", "inner", 20, False),
    ("check_parameter MOUNTFS", "loop", 200, False),
    ("resolve_target dir/file", "inner", 20, True),
    ("resolve_target step-1/dir/file", "inner", 20, True),
    ("resolve_target pipe0/dir/file", "inner", 20, True),
    ('resolve_devname "$prevdir"', "inner", 20, False),
    ('resolve_devname "$prevdir/dir"', "inner", 20, True),
    ("message hello", "loop", 200, False),
    ("debug hello", "loop", 200, False),
    ("run :", "loop", 200, False),
    ("assign A b", "loop", 200, False),
    ("next_bootchain a b", "loop", 200, False),
    ("is_step_passed", "loop", 200, False),
    ("break_bc_loop", "loop", 200, False),
    ('bypass_results "$prevdir"', "loop", 20, True),
    ("initrd_version", "inner", 20, False),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bound is exceeded")
    parser.add_argument("--json", type=Path, help="write the numbers to this file as well")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the first and the last part")
    arguments = parser.parse_args()
    ram = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="bootchain-bench.", dir=ram if ram.is_dir() else None))
    try:
        results = [*per_step(place, arguments.rounds), *per_call(place), start_cpu(place, arguments.rounds)]
    finally:
        shutil.rmtree(place)
    for result in results:
        held = (
            ""
            if result["bound"] is None
            else f"<= {result['bound']:<6g} {'ok' if result['held'] else 'MISSED'}"
        )
        print(
            f"{result['what']:<46} {result['ours']:>10} {result['twin']:>12} {result['ratio']:>8.2f} {held}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    return int(arguments.check and not all(result["held"] for result in results))


def per_step(place: Path, rounds: int) -> list[dict[str, object]]:
    steps = place / "steps"
    steps.mkdir()
    write_step(steps / "nothing", "#!/bin/sh\nexit 0\n")
    chain = ",".join(["nothing"] * STEPS)
    ours: list[float] = []
    twin: list[float] = []
    lean: list[float] = []
    for _ in range(rounds):
        log = run_daemon(place, f"root=bootchain bootchain={chain}", code=3)
        ours.append(median_gap([line["t"] for line in log if line["event"] == "step"]))
        for script, times in ((LOOP, twin), (LEAN_LOOP, lean)):
            shutil.rmtree(place / "mnt")
            text = place / "loop.log"
            text.unlink(missing_ok=True)
            argv = ["bash", "-c", script, "loop", str(place / "mnt"), str(text), str(steps), chain]
            subprocess.run(argv, check=True)
            times.append(median_gap([float(line.split()[0]) for line in text.read_text().splitlines()]))
    own = statistics.median(ours)
    return [
        row(f"step (median of {STEPS}, us)", own, statistics.median(twin), PER_STEP_BOUND),
        row("  the same, mount test without a process", own, statistics.median(lean), None),
    ]


def per_call(place: Path) -> list[dict[str, object]]:
    steps = place / "steps"
    write_step(
        steps / "first",
        '#!/bin/sh\nmkdir "$destdir/dir"; : >"$destdir/dir/file"\n'
        'echo /dev/null >"$destdir/DEVNAME"; ln -s /dev/null "$destdir/dir/dev"\n',
    )
    body = "\n".join(f"bench {kind} {count} {call}" for call, kind, count, _ in CALLS)
    out = place / "calls"
    write_step(
        steps / "bench",
        f"#!/bin/bash\n. bootchain-sh-functions\nout='{out}'\n{TWINS}\n{body}\nbreak_bc_loop\n",
    )
    run_daemon(place, "root=bootchain bootchain=first,bench mountfs=value", code=None)
    times: dict[tuple[str, str], list[float]] = {}
    for line in out.read_text().splitlines():
        call, _, count, who, spent = line.split("\t")
        times.setdefault((call, who), []).append(int(spent) / int(count))
    rows = []
    names = list(dict.fromkeys(call for call, _ in times))
    for (_, kind, _, process), call in zip(CALLS, names, strict=True):
        bound = PROCESS_BOUND if process else NOISE
        shown = call.replace(str(place), "")
        label = f"$({shown})" if kind == "inner" else shown
        rows.append(row(f"{label} (us)", min(times[call, "ours"]), min(times[call, "twin"]), bound, scale=1))
    return rows


def start_cpu(place: Path, rounds: int) -> dict[str, object]:
    """CPU of the whole daemon for a chain of one step that does nothing: more than up to the first step."""
    bare = [sys.executable, "-I", "-S", "-c", ""]
    spent = [
        (
            cpu_ms(lambda: run_daemon(place, "root=bootchain bootchain=nothing", code=3)),
            cpu_ms(lambda: subprocess.run(bare, check=True)),
        )
        for _ in range(rounds * 4)
    ]
    ours, twin = (min(times) for times in zip(*spent, strict=True))
    return row("daemon, from start to end of one step (CPU ms)", ours, twin, CPU_BOUND, scale=1)


def cpu_ms(action: Callable[[], object]) -> float:
    """What the processes that it starts and waits for cost."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    action()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def row(what: str, ours: float, twin: float, bound: float | None, *, scale: float = 1e6) -> dict[str, object]:
    ratio = ours / twin
    return {
        "what": what,
        "ours": round(ours * scale, 1),
        "twin": round(twin * scale, 1),
        "ratio": round(ratio, 3),
        "bound": bound,
        "held": bound is None or ratio <= bound,
    }


def median_gap(moments: list[float]) -> float:
    assert len(moments) == STEPS
    return statistics.median(later - earlier for earlier, later in pairwise(moments))


def run_daemon(place: Path, cmdline: str, *, code: int | None) -> list[dict[str, Any]]:
    shutil.rmtree(place / "mnt", ignore_errors=True)
    shutil.rmtree(place / "log", ignore_errors=True)
    environment = {
        "PATH": os.environ["PATH"],
        "BC_STEPDIR": str(place / "steps"),
        "mntdir": str(place / "mnt"),
        "rootmnt": str(place / "root"),
        "BC_LOGFILE": str(place / "log" / "bootchained.log"),
        "BC_LOG_VT": "",
        "BC_ROOT": str(place / "bc-root"),
        "BC_INITENV": str(place / "initenv"),
    }
    private = ["unshare", "--mount", "--propagation", "private"] if os.geteuid() == 0 else []
    argv = [*private, sys.executable, "-I", "-S", str(DAEMON), "--cmdline", cmdline]
    done = subprocess.run(
        argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if code is not None and done.returncode != code:
        raise SystemExit(f"bootchained ended with {done.returncode}: {done.stderr}")
    lines = (place / "log" / "chain.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def write_step(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main())
