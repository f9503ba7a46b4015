"""Print what the guest says as it says it; end the boot at a text: python watch.py ISO TEXT [LOG_ROOT]."""

import sys
from typing import Any

import hiperiso

iso, text = sys.argv[1:3]
enough = hiperiso.Interrupt()


def show(event: Any) -> None:
    """Called with each event as it is observed."""
    if event.source in ("serial", "firmware", "screen"):
        print(f"{event.t:8.3f}  {event.source}: {event.text}")
    if text in event.text:
        enough.set()


log_root = sys.argv[3] if len(sys.argv) > 3 else None
session = hiperiso.boot(iso, log_root=log_root, on_event=show, interrupted=enough, ram="256", timeout=60)
print(session.manifest.end_reason)
