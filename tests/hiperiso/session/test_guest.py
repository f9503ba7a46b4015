"""A run to its end, with a program in QEMU's place that answers as QEMU does."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack
from pathlib import Path

from guest_memory.synthetic import Memory, RingKernel
from hiperiso.analysis.judge import Judge
from hiperiso.contract import files
from hiperiso.contract.words import EndReason
from hiperiso.iso.image import IsoImage
from hiperiso.machine.facts import Accel
from hiperiso.machine.machine import Machine
from hiperiso.machine.part import Preparation
from hiperiso.machine.parts.board import Board
from hiperiso.machine.parts.consoles import Consoles
from hiperiso.machine.parts.monitors import Monitors
from hiperiso.session.directory import SessionDirectory
from hiperiso.session.eventlog import EventLog
from hiperiso.session.guest import GuestEnd, GuestRun
from hiperiso.session.interrupt import Interrupt
from hiperiso.session.launch import launch_qemu
from hiperiso.session.process import QemuProcess
from hiperiso.session.runtime import RuntimeFiles
from waiting import DEADLINE_S

MEMTEST = Path("/usr/lib/memtest86+/memtest86+x64.iso")
RAM_BYTES = 32 << 20
NOTE_AT = 0x5000
LAST_WORDS = "Kernel panic - not syncing: the last words"
QEMU = """\
#!{python}
import json, os, re, socket, sys, threading

server = socket.socket(fileno=int(re.search("id=qmp,fd=([0-9]+)", " ".join(sys.argv))[1]))
image = open({image!r}, "rb").read()
ram = os.open({ram!r}, os.O_RDWR)
os.pwrite(ram, image[{note} + 4096:], {note} + 4096)
connection, _ = server.accept()
version = {{"qemu": {{"major": 7, "minor": 2, "micro": 0}}, "package": ""}}
connection.sendall(json.dumps({{"QMP": {{"version": version, "capabilities": []}}}}).encode() + b"\\n")

watched = threading.Event()

def end():
    watched.wait()
    os.pwrite(ram, image[{note}:{note} + 4096], {note})  # now there is a kernel
    os._exit(1)

threading.Thread(target=end).start()
text = ""
while data := connection.recv(65536):
    text += data.decode()
    while text.strip():  # requests come without a mark between them
        try:
            request, length = json.JSONDecoder().raw_decode(text)
        except ValueError:
            break
        text = text[length:].lstrip()
        if request["execute"] == "screendump":  # the recorder is at work
            watched.set()
        reply = {{"return": {{}}}} | ({{"id": request["id"]}} if "id" in request else {{}})
        connection.sendall(json.dumps(reply).encode() + b"\\n")
"""


def guest_memory() -> bytes:
    memory = Memory(RAM_BYTES)
    RingKernel(memory, note_at=NOTE_AT).boot().log(LAST_WORDS)
    content = memory.read(0, RAM_BYTES)
    memory.close()
    return content


def run(folder: Path, runtime: RuntimeFiles) -> tuple[GuestEnd, Path]:
    iso, image, qemu = folder / "x.iso", folder / "image", folder / "qemu"
    iso.write_bytes(MEMTEST.read_bytes())
    image.write_bytes(guest_memory())
    ram = runtime.path("ram")
    with ram.open("wb") as file:
        file.truncate(RAM_BYTES)
    qemu.write_text(
        QEMU.format(
            python=sys.executable,
            image=str(image),
            ram=str(ram),
            note=NOTE_AT,
        )
    )
    qemu.chmod(0o755)
    directory = SessionDirectory.create(folder / "logs", "x.iso", runtime_token=runtime.token)
    parts = (
        Board(accel=Accel.TCG, ram_mb=RAM_BYTES >> 20, cpus=1, ram_path=ram),
        Consoles(
            serial_log=directory.path / files.SERIAL_LOG, firmware_log=directory.path / files.FIRMWARE_LOG
        ),
        Monitors(qmp=runtime.path("qmp"), human=runtime.path("mon")),
    )
    machine = Machine(qemu=qemu, image=iso, parts=parts)
    log = EventLog(directory.path)
    opened = IsoImage(iso)

    async def record() -> GuestEnd:
        with ExitStack() as stack:
            preparation = Preparation(stack)
            machine.prepare(preparation)
            launched = launch_qemu(machine, preparation, directory, log)
        process = QemuProcess(launched.process, log=directory.path / files.QEMU_STDERR, on_line=print)
        try:
            return await GuestRun(
                machine,
                directory,
                runtime,
                log,
                Judge(),
                process=process,
                launched=launched,
                iso=opened,
                timeout_s=DEADLINE_S,
                interrupted=Interrupt(),
            ).run()
        finally:
            process.close()

    try:
        return asyncio.run(record()), directory.path
    finally:
        opened.close()
        log.close()
        directory.release()


def test_the_last_words_before_qemu_is_gone_are_still_in_its_memory(tmp_path: Path) -> None:
    runtime = RuntimeFiles.create()
    try:
        end, directory = run(tmp_path, runtime)
    finally:
        runtime.remove()
    assert (end.reason, end.exit_code) == (EndReason.QEMU_EXITED, 1)
    assert LAST_WORDS in (directory / files.KERNEL_LOG).read_text()
