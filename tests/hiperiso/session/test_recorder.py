"""What a recording leaves behind when something of ours fails after QEMU was started."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest

from hiperiso.contract.eventdata import PlanData
from hiperiso.contract.events import MachinePlanned, QemuStarted
from hiperiso.contract.settings import TCG_TIMEOUT_SCALE, Settings
from hiperiso.contract.words import KvmState
from hiperiso.iso.image import IsoImage
from hiperiso.machine.plan import MachinePlan
from hiperiso.session.bare import BareSession
from hiperiso.session.directory import SessionDirectory
from hiperiso.session.launch import Launched, spawn_qemu
from hiperiso.session.recorder import finish_boot, judge_of
from hiperiso.session.request import BootRequest, SilentObserver
from hiperiso.session.runtime import RuntimeFiles
from hiperiso.session.start import RunningGuest, StartedBoot

MEMTEST = Path("/usr/lib/memtest86+/memtest86+x64.iso")


class Broken(SilentObserver):
    def running(self, timeout_s: float) -> None:
        raise ValueError("the display has a bug")


def test_no_qemu_is_left_by_an_observer_that_fails(tmp_path: Path) -> None:
    request = BootRequest(iso=Path("/x.iso"), log_root=tmp_path, settings=Settings())
    runtime = RuntimeFiles.create()
    directory = SessionDirectory.create(tmp_path, "x.iso", runtime_token=runtime.token)
    session = BareSession(request, directory, Broken(), kvm=KvmState.UNKNOWN, kvm_facts={})
    session.begin()
    process = spawn_qemu(["sleep", "60"], directory=directory.path)
    launched = Launched(process, session.log.emit(QemuStarted()), 0.0)
    guest = RunningGuest(
        IsoImage(MEMTEST), cast("MachinePlan", None), launched, 60, MachinePlanned(n=0, t=0.0)
    )  # it never comes to the plan
    try:
        with pytest.raises(ValueError, match="the display has a bug"):
            started = StartedBoot(request, Broken(), runtime, ExitStack(), directory, session, guest)
            asyncio.run(finish_boot(started))
        assert process.returncode == -9
    finally:
        process.kill()
        process.wait()
    manifest = json.loads((directory.path / "session.json").read_bytes())
    assert (manifest["status"], manifest["fault"]) == ("failed", "harness")


def test_the_judge_of_a_running_boot_waits_as_long_as_the_one_that_reads_the_recording() -> None:
    planned = MachinePlanned(n=0, t=0.0, data=PlanData(accel="tcg"))
    assert judge_of(Settings(), planned).presence.clock.scale == TCG_TIMEOUT_SCALE
