"""A boot as a library call: from threads, pools and event loops, and without a trace in the process that asks."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import hiperiso
from hiperiso.contract.events import Event
from hiperiso.contract.words import EndReason, Source
from hiperiso.errors import ExitCode, IsoError, Unsupported, UsageError
from hiperlab.samples.store import build_sample
from integration.contract_reader import read_index, read_session

ROOT = Path(__file__).resolve().parents[2]
QUICK: dict[str, Any] = {"ram": 128, "cpus": 1, "trace": "none", "accel": "tcg", "timeout": 100}


def threads_of_children() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name in ("child", "flush")]


def test_what_is_public_is_loaded_when_it_is_used() -> None:
    code = """
import sys
import hiperiso
loaded = {name for name in sys.modules if name.startswith(("hiperiso.", "asyncio", "msgspec", "qemu"))}
assert loaded == {"hiperiso.version"}, loaded
assert set(hiperiso.__all__) <= set(dir(hiperiso))
assert callable(hiperiso.boot) and callable(hiperiso.boot_async)
from hiperiso import Interrupt, Session, StoredSession
try:
    hiperiso.nothing
except AttributeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "has no attribute 'nothing'" in done.stdout


def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ram=: .*'much'.*; memory=: unknown setting"):
        hiperiso.boot("x.iso", log_root=tmp_path / "logs", ram="much", memory=3)
    with pytest.raises(Unsupported, match="picture_reader"):
        hiperiso.boot("x.iso", log_root=tmp_path / "logs", ocr="on")

    async def within() -> None:
        hiperiso.boot("x.iso", log_root=tmp_path / "logs")

    with pytest.raises(UsageError, match="event loop") as raised:
        asyncio.run(within())
    assert "boot_async" in raised.value.hint
    assert not (tmp_path / "logs").exists()


def test_an_iso_that_is_not_there_is_a_session_with_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    session = hiperiso.boot(tmp_path / "no.iso", log_root=tmp_path / "logs", accel="tcg")
    assert isinstance(session.error, IsoError) and "no.iso" in session.cause
    assert session.exit_code is ExitCode.USAGE
    assert read_session(session.path)["fault"] == "harness"
    again = pickle.loads(pickle.dumps(session))
    assert (again.path, again.manifest, again.cause) == (session.path, session.manifest, session.cause)
    assert capfd.readouterr() == ("", "")


def test_an_interrupt_from_any_thread_ends_every_wait() -> None:
    interrupt = hiperiso.Interrupt()

    async def wait() -> None:
        waits = [asyncio.create_task(interrupt.wait()) for _ in range(3)]
        await asyncio.sleep(0)
        thread = threading.Thread(target=interrupt.set)
        thread.start()
        await asyncio.wait_for(asyncio.gather(*waits), 60)
        thread.join()
        await interrupt.wait()

    asyncio.run(wait())
    assert interrupt.is_set()
    interrupt.set()


def test_other_peoples_orphans_are_left_alone(tmp_path: Path) -> None:
    orphan = tmp_path / "other_20260101T000000Z"
    orphan.mkdir()
    (orphan / "owner.lock").touch()
    hiperiso.boot(tmp_path / "no.iso", log_root=tmp_path, accel="tcg")
    assert [path.name for path in orphan.iterdir()] == ["owner.lock"]


@pytest.mark.boots
def test_four_boots_at_once_from_four_threads(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    iso = build_sample("not-bootable")
    seen: list[list[Event]] = [[] for _ in range(4)]
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    def boot(number: int) -> hiperiso.Session:
        return hiperiso.boot(iso, log_root=tmp_path, on_event=seen[number].append, **QUICK)

    with ThreadPoolExecutor(4) as pool:
        sessions = list(pool.map(boot, range(4)))
    assert len({session.path for session in sessions}) == 4 == len(read_index(tmp_path))
    for session, events in zip(sessions, seen, strict=True):
        assert (session.error, session.result, session.exit_code) == (None, "failure", ExitCode.GUEST_FAILED)
        assert session.manifest.end_reason is EndReason.NO_BOOTABLE_DEVICE
        assert read_session(session.path)["result"] == "failure"
        assert [event.n for event in session.events()] == [event.n for event in events]
        assert {Source.HARNESS, Source.FIRMWARE, Source.QMP} <= {event.source for event in events}
        assert session.stored.problems == ()
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert capfd.readouterr() == ("", "")


@pytest.mark.boots
def test_in_a_loop_boots_end_by_handle_cancellation_and_observer(tmp_path: Path) -> None:
    iso = build_sample("hang")
    running = {name: asyncio.Event() for name in ("interrupted", "cancelled", "fails")}

    async def all_three() -> list[Any]:
        loop = asyncio.get_running_loop()

        def seen(name: str, event: Event) -> None:
            if event.source is Source.FIRMWARE:  # by then the guest runs
                loop.call_soon_threadsafe(running[name].set)
                if name == "fails":
                    raise ValueError("the caller's own bug")

        handle = hiperiso.Interrupt()
        tasks = {
            name: asyncio.create_task(
                hiperiso.boot_async(
                    iso,
                    log_root=tmp_path / name,
                    on_event=partial(seen, name),
                    interrupted=handle if name == "interrupted" else None,
                    **QUICK,
                )
            )
            for name in running
        }
        await asyncio.gather(*(event.wait() for event in running.values()))
        handle.set()
        tasks["cancelled"].cancel()
        return await asyncio.gather(*tasks.values(), return_exceptions=True)

    interrupted, cancelled, fails = asyncio.run(all_three())
    assert interrupted.manifest.end_reason is EndReason.INTERRUPTED and interrupted.error is None
    assert isinstance(cancelled, asyncio.CancelledError)
    assert isinstance(fails, ValueError) and "own bug" in str(fails)
    for name, reason in (
        ("interrupted", "interrupted"),
        ("cancelled", "interrupted"),
        ("fails", "harness_fault"),
    ):
        (path,) = (entry for entry in (tmp_path / name).iterdir() if entry.is_dir())
        assert read_session(path)["end_reason"] == reason
        assert not (path / "owner.lock").exists()
    assert threads_of_children() == []


@pytest.mark.boots
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_of_a_pool_boots_and_returns_the_session(method: str, tmp_path: Path) -> None:
    iso = build_sample("not-bootable")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        session = pool.submit(hiperiso.boot, iso, log_root=tmp_path, **QUICK).result(300)
    assert session.result == "failure" and read_session(session.path)["end_reason"] == "no_bootable_device"


@pytest.mark.boots
def test_the_examples_run(tmp_path: Path) -> None:
    iso = str(build_sample("not-bootable"))

    def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-W", "error", str(ROOT / "examples" / name), *arguments]
        return subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=300, env=dict(os.environ)
        )

    assert {path.name for path in (ROOT / "examples").glob("*.py")} == {
        "boot_one.py",
        "watch.py",
        "boot_many.py",
    }
    one = run("boot_one.py", iso, str(tmp_path / "one"))
    assert one.returncode == 1 and one.stdout.startswith("failure at firmware: "), one.stderr
    watch = run("watch.py", iso, "SeaBIOS", str(tmp_path / "watch"))
    assert watch.returncode == 0 and watch.stdout.endswith("interrupted\n"), watch.stderr
    assert "SeaBIOS" in watch.stdout
    many = run("boot_many.py", str(tmp_path / "many"), iso, str(tmp_path / "gone.iso"))
    assert many.returncode == 0, many.stderr
    assert [line.split()[0] for line in many.stdout.splitlines()] == ["failure", "incomplete"]
