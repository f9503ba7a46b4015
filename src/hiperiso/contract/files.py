"""The names of everything in a session directory and at the log root, each with who needs it.

Source: the interface contract, "Log Directory Structure"; the names below the comment line are this project's
additions.
"""

from __future__ import annotations

from typing import Final

SESSION_JSON: Final = "session.json"
STATUS_JSON: Final = "status.json"
ENV_TXT: Final = "env.txt"
SERIAL_LOG: Final = "serial.log"
TRACE_BIN: Final = "trace.bin"
QEMU_CMDLINE: Final = "qemu.cmdline"
MONITOR_SOCK: Final = "monitor.sock"
TIMING_DAT: Final = "timing.dat"
TIMING_JSON: Final = "timing.json"
HW_DIR: Final = "hw"
NETWORK_PCAP: Final = "network.pcap"
REPORT_JSON: Final = "report.json"
REPORT_TXT: Final = "report.txt"
REPORT_LOG: Final = "report.log"
ANALYSIS_META: Final = "analysis.meta"
HEARTBEAT: Final = "HEARTBEAT"
SESSION_COMPLETE: Final = "SESSION_COMPLETE"
FAILURE_TXT: Final = "FAILURE.txt"
INDEX_JSONL: Final = "index.jsonl"  # at the log root

# ── additions ──
EVENTS_JSONL: Final = "events.jsonl"
CHAIN_JSONL: Final = "chain.jsonl"
SCREEN_DIR: Final = "screen"
TRACE_LOG: Final = "trace.log"
TRACE_EVENTS: Final = "trace.events"  # names of the events that QEMU was asked to trace
TRACE_TIER: Final = "trace.tier"  # written to change the tier of a running recording
TRACE_FORMATS: Final = "trace.formats"  # beside a trace: how the arguments of its events are declared
KERNEL_LOG: Final = "kernel.log"  # the guest's kernel log, read from its memory
FIRMWARE_LOG: Final = "firmware.log"  # what SeaBIOS (and debug builds of OVMF) wrote to I/O port 0x402
QEMU_STDERR: Final = "qemu.stderr"
MONITOR_PATH: Final = "monitor.path"  # where the file system has no links: the path of the monitor's socket
TASKS_JSON: Final = "tasks.json"  # the guest's processes, in their last state
NETWORK_JSON: Final = "network.json"  # what the guest did on its network, from network.pcap
DISK_JSON: Final = "disk.json"  # which files of the ISO were read, when, how much
REPORT_HTML: Final = "report.html"  # the whole session as one page that opens offline
OWNER_LOCK: Final = "owner.lock"  # flock held by the recorder while it lives
REMOVED_JSONL: Final = "removed.jsonl"  # at the log root: the sessions that were removed from it
INDEX_LOCK: Final = ".index.lock"  # at the log root

GUARANTEED: Final = (SESSION_JSON, STATUS_JSON, ENV_TXT)
"""Written as soon as the directory exists, even when the boot fails before QEMU launches."""
