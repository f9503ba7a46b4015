"""Chains that replace themselves, pass results on and fail, drawn by hypothesis, in real processes and on real mounts.

A small model says what has to come out: which step ran with which call number, and what it found in the result before.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from property_tests import examples

from .daemons import Daemon

STEP = r"""
turn=0
while [ -e "$mntdir/turn$turn" ]; do turn=$((turn + 1)); done
: >"$mntdir/turn$turn"
found=
[ ! -f "${prevdir:-/nonexistent}/mark" ] || read -r found <"$prevdir/mark"
message "$name $callnum <$found>"
IFS=' ' read -r what other <<-end
	$(sed -n "$((turn + 1))p" "$PLAN")
end
case "$what" in
mark) echo "$turn" >"$destdir/mark" ;;
mount) mount -t tmpfs none "$destdir" && echo "$turn" >"$destdir/mark" ;;
bypass) bypass_results ;;
outside) mkdir -p "$BC_ROOT/$turn" && echo "$turn" >"$BC_ROOT/$turn/mark" && bypass_results "$BC_ROOT/$turn" ;;
fail) [ -z "$prevdir" ] || bypass_results; exit 1 ;;
esac
[ -z "$other" ] || next_bootchain "$other"
"""

NAMES = st.sampled_from(["a", "b", "noop"])
CHAINS = st.lists(NAMES, min_size=1, max_size=4)
TURNS = st.lists(
    st.tuples(
        st.sampled_from(["mark", "mount", "bypass", "outside", "fail", "none"]),
        st.one_of(st.just([]), CHAINS),
    ),
    max_size=10,
)


def expected(chain: list[str], turns: list[tuple[str, list[str]]]) -> list[str]:
    """What each step says: its name, its call number, and the mark in the result before."""
    said: list[str] = []
    calls = {"a": 0, "b": 0}
    before: str | None = None
    pending = list(chain)
    turn = tries = 0
    while pending:
        name = pending.pop(0)
        if name == "noop":
            before = None
            continue
        said.append(f"{name} {calls[name]} <{before or ''}>")
        what, other = turns[turn] if turn < len(turns) else ("none", [])
        turn += 1
        if what == "fail":
            tries += 1
            if tries == 3:
                break
            pending.insert(0, name)
            continue
        tries = 0
        if what != "bypass" or before is None:
            before = str(turn - 1) if what in ("mark", "mount", "outside") else ""
        if other:
            pending = list(other)
        else:
            calls[name] += 1
    return said


@settings(max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHAINS, TURNS)
def test_loops_replaced_chains_and_bypasses(chain: list[str], turns: list[tuple[str, list[str]]]) -> None:
    place = Path(tempfile.mkdtemp(prefix="bootchain-", dir="/dev/shm"))
    try:
        daemon = Daemon(place, environment={"PLAN": str(place / "plan"), "BC_RETRY_DELAY": "0"})
        for name in ("a", "b"):
            daemon.step(name, STEP)
        (place / "plan").write_text("".join(f"{what} {','.join(other)}\n" for what, other in turns))
        ended = daemon.run(f"root=bootchain bootchain={','.join(chain)} pipe-retry=3")
        said = [line.partition(": ")[2] for line in ended.log.splitlines() if line.startswith(("a: ", "b: "))]
        assert said == expected(chain, turns), ended.log
    finally:
        shutil.rmtree(place)
