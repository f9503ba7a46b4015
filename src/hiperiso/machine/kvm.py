"""Whether KVM really runs a guest here: probed, not assumed.

A ``/dev/kvm`` that can be opened is not a proof. The probe (:mod:`hiperiso.machine.kvm_guest`) runs in a child process,
so that a KVM that hangs only costs a killed child. Definite outcomes are cached until the machine boots again, or
until the device, its permissions or the user changes.
"""

from __future__ import annotations

import contextlib
import json
import marshal
import os
import selectors
import signal
import sys
import threading
import time
from enum import StrEnum
from pathlib import Path
from types import CodeType
from typing import Any

import msgspec
from msgspec.structs import replace

from hiperiso.cache import cache_root
from hiperiso.contract.store import atomic_write

DEVICE = Path("/dev/kvm")
GUEST_PROGRAM = Path(__file__).with_name("kvm_guest.py")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_CACHE_VERSION = 2
_SETUP_TIMEOUT_S = 20.0  # starting an interpreter under emulation, on a loaded machine
_RUN_TIMEOUT_S = 1.5  # the child stops itself after one second; later it is hung
_REAP_TIMEOUT_S = 1.0
_PYC_HEADER_BYTES = 16


class KvmProbeState(StrEnum):
    """The usability of KVM on this machine."""

    USABLE = "usable"
    ABSENT = "absent"
    NO_PERMISSION = "no_permission"
    UNUSABLE = "unusable"


class KvmProbe(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of the probe.

    Attributes:
        state: the outcome.
        detail: the observation in one line.
        duration_ms: how long the probe took; that of the original probe when `cached`.
        cached: taken from an earlier probe since the machine booted.
    """

    state: KvmProbeState
    detail: str
    duration_ms: int
    cached: bool = False

    @property
    def usable(self) -> bool:
        """Whether guests can run with ``accel=kvm``."""
        return self.state is KvmProbeState.USABLE


def probe_kvm(
    *,
    device: Path = DEVICE,
    cache_dir: Path | None = None,
    fresh: bool = False,
    program: Path = GUEST_PROGRAM,
) -> KvmProbe:
    """Probe KVM. Takes milliseconds with a working KVM, under two seconds with a hung one.

    Args:
        device: the KVM device; for machines that have it at another path.
        cache_dir: where outcomes are cached; default ``$XDG_CACHE_HOME/hiperiso``.
        fresh: probe even if an outcome is cached.
        program: the script that runs the guest, with the protocol of :mod:`hiperiso.machine.kvm_guest`.
    """
    blocked = _access(device)
    if blocked:
        return blocked
    cache = (cache_dir or cache_root()) / "kvm-probe.json"
    key = _cache_key(device)
    cached = None if fresh else _load(cache, key)
    if cached:
        return cached
    start_s = time.monotonic()
    state, detail, final = _run_child(program, device)
    probe = KvmProbe(state=state, detail=detail, duration_ms=round((time.monotonic() - start_s) * 1000))
    if final:
        _store(cache, key, probe)
    return probe


def _access(device: Path) -> KvmProbe | None:
    """The outcome where the device cannot be opened, else None."""
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK))
    except PermissionError:
        detail = f"{device} exists, this user may not open it"
        return KvmProbe(state=KvmProbeState.NO_PERMISSION, detail=detail, duration_ms=0)
    except FileNotFoundError:
        return KvmProbe(state=KvmProbeState.ABSENT, detail=f"no {device}", duration_ms=0)
    except OSError as error:  # ENXIO, ENODEV: a node without its driver
        detail = f"{device} cannot be opened: {error.strerror}"
        return KvmProbe(state=KvmProbeState.ABSENT, detail=detail, duration_ms=0)
    return None


def _run_child(program: Path, device: Path) -> tuple[KvmProbeState, str, bool]:
    """State, detail, and whether the result would be the same next time."""
    read, write = os.pipe()
    child = _start_child(program, device, write)
    os.close(write)
    try:
        lines = _read_lines(read)
    finally:
        code = _end_child(child)
        os.close(read)
    outcome = _outcome(lines[-1]) if lines else None
    if outcome:
        state = KvmProbeState.USABLE if outcome["ok"] else KvmProbeState.UNUSABLE
        return state, str(outcome["detail"]), bool(outcome["final"])
    where = "the guest did not return" if lines else "the virtual machine could not be set up"
    return KvmProbeState.UNUSABLE, f"{where} (probe killed or crashed, exit code {code})", False


def _start_child(program: Path, device: Path, output: int) -> int:
    """Start the program; returns its process. Forks, to save an interpreter start, if this process has no other
    threads.

    Raises:
        OSError: it cannot be started.
    """
    if threading.active_count() > 1:
        command = [sys.executable, "-I", "-S", "-B", str(program), str(device)]
        nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 2)]
        return os.posix_spawn(
            command[0], command, os.environ, file_actions=[*nothing, (os.POSIX_SPAWN_DUP2, output, 1)]
        )
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.set_wakeup_fd(-1)
        nothing_fd = os.open(os.devnull, os.O_RDWR)
        for own, theirs in ((nothing_fd, 0), (output, 1), (nothing_fd, 2)):
            os.dup2(own, theirs)
        os.chdir("/")
        sys.argv = [str(program), str(device)]
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        exec(_code(program), {"__name__": "__main__", "__file__": str(program)})  # noqa: S102
        sys.stdout.flush()
    finally:
        os._exit(0)


def _code(program: Path) -> CodeType:
    """The program's code; on a stick it is compiled beside the source."""
    compiled = program.with_suffix(".pyc")
    if compiled.is_file():
        code: CodeType = marshal.loads(compiled.read_bytes()[_PYC_HEADER_BYTES:])  # noqa: S302
        return code
    return compile(program.read_bytes(), str(program), "exec", dont_inherit=True)


def _end_child(pid: int) -> int | None:
    """Kill the child and wait for its end; None when it hangs in the kernel and cannot be killed."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    deadline_s = time.monotonic() + _REAP_TIMEOUT_S
    while time.monotonic() < deadline_s:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    return None


def _read_lines(output: int) -> list[bytes]:
    """The child's lines until it ends or a deadline passes: one for its setup, a shorter one while the guest runs."""
    text = b""
    deadline_s = time.monotonic() + _SETUP_TIMEOUT_S
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline_s - time.monotonic())):
            chunk = os.read(output, 4096)
            if not chunk:
                break
            if b"running\n" not in text and b"running\n" in text + chunk:
                deadline_s = time.monotonic() + _RUN_TIMEOUT_S
            text = (text + chunk)[-65536:]
    return text.splitlines()


def _outcome(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and {"ok", "detail", "final"} <= value.keys() else None


# ── cache ──


def _cache_key(device: Path) -> str:
    """The cache key: changes with the boot of the machine, the device, its permissions, and the user."""
    try:
        boot_id = _BOOT_ID.read_text(encoding="ascii")
        status = device.stat()
    except OSError:
        return ""
    facts = (
        _CACHE_VERSION,
        boot_id,
        str(device),
        status.st_rdev,
        status.st_mode,
        status.st_uid,
        status.st_gid,
    )
    user = (status.st_ctime_ns, os.geteuid(), tuple(sorted(os.getgroups())))
    return repr((facts, user))


def _load(cache: Path, key: str) -> KvmProbe | None:
    """The cached outcome, or None where there is none, it is stale, or the file is damaged."""
    try:
        value = json.loads(cache.read_bytes())
        if not key or value["key"] != key:
            return None
        probe = KvmProbe(
            state=KvmProbeState(value["state"]),
            detail=str(value["detail"]),
            duration_ms=int(value["duration_ms"]),
        )
        return replace(probe, cached=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _store(cache: Path, key: str, probe: KvmProbe) -> None:
    value = {"key": key, "state": probe.state, "detail": probe.detail, "duration_ms": probe.duration_ms}
    with contextlib.suppress(OSError):  # without the cache the next run probes again
        cache.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(cache, json.dumps(value).encode() + b"\n")
