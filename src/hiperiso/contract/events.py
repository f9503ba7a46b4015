"""One line of ``events.jsonl``: what one channel saw at one moment.

::

    {"n": 17, "t": 4.218, "source": "serial", "kind": "line", "text": "[    0.000000] Linux version 6.1.0"}

``t`` is seconds since QEMU started, on the host's monotonic clock; harness events before the start have t <= 0.
``n`` is the number of the line, from 0: the verdict names its evidence by it.

Kinds by source:

========  ==============  ==========================================================================================
source    kind            meaning
========  ==============  ==========================================================================================
serial    ``line``        one whole line, cleaned of escape sequences; ``data.offset_bytes`` into serial.log
serial    ``partial``     the text of an unfinished line that has been quiet for a while (a prompt); may come again
firmware  ``line``        one line of the firmware's own log (debug port 0x402), in firmware.log
kernel    ``line``        a line of the guest's kernel log, from its memory; ``data.level/facility/boot/missed``
screen    ``text``        a text screen, rows joined by newlines; ``path`` of the stored text, ``data.cols/rows``,
                          ``data.decoder`` (``vga_text`` exact from VGA memory, ``glyphs`` matched from the picture,
                          ``console`` the kernel's own copy)
                          ``data.reader`` is ``ocr`` where the words are guesses from a picture
screen    ``image``       a new scene; ``path`` of the PNG, ``data.width/height``
process   ``started``     a process, from the guest's memory: ``data.pid/ppid/comm/argv/start_s/state/boot/root``
process   ``became``      it runs another program, or has another root
process   ``ended``       it is gone
process   ``more``        changes that are not told one by one: ``data.left_out``
process   ``unavailable`` why the processes of this kernel cannot be seen
qmp       ``event``       a QMP event: ``text`` is its name, ``data`` its data
qmp       ``cpu``         the guest is quiet: what its vCPUs and its medium do; ``data.cpus/quiet_s/read_bytes_s/...``
harness   ``status``      a lifecycle stage: ``text`` is the word of status.json
harness   ``plan``        how the machine was chosen: ``data.accel/firmware`` with reasons, ``expect*``, ``notes``
harness   ``started``     QEMU runs: t is 0
harness   ``stderr``      one line that QEMU wrote to standard error
harness   ``exited``      QEMU ended: ``data.code`` its exit code (negative: signal), ``data.ended_by_us``
harness   ``fault``       something on our side failed: ``text`` says what
harness   ``handover``    a direct boot: ``text`` says to what the machine goes; ``data.way/files/arguments/notes``
harness   ``end``         why the recording ended: ``text`` is an EndReason word
disk      ``read``        reads of one file of the ISO within a second: ``text`` its path, ``data.bytes/requests/lba``
chain     ``step``        one line of the guest's chain.jsonl; ``data`` is that object
========  ==============  ==========================================================================================
"""

from __future__ import annotations

from typing import Any

import msgspec

from hiperiso.contract.words import Source


class Event(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One observed event. Fields as in the module's description."""

    n: int
    t: float
    source: Source
    kind: str
    text: str = ""
    path: str = ""
    data: dict[str, Any] = {}


def decode_event(line: bytes) -> Event | None:
    """One line of events.jsonl; None where it is not an event of this version."""
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


_DECODER = msgspec.json.Decoder(Event)
