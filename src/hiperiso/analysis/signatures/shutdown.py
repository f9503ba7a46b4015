"""The stages of a shutdown, as init systems print them.

Sources: systemd (``src/shutdown``, ``src/core``), busybox (``init/init.c``), sysvinit (``src/init.c``), OpenRC.
"""

from __future__ import annotations

from typing import Final

from hiperiso.analysis.signature import Effect, Origin, Signature
from hiperiso.contract.words import BootStage, FindingKind


def _stage(pattern: str, literals: tuple[str, ...], *examples: str, unlike: str, summary: str) -> Signature:
    return Signature(
        pattern=pattern,
        literals=literals,
        examples=examples,
        unlike=unlike,
        at_least=BootStage.KERNEL,
        kind=FindingKind.SHUTDOWN,
        summary=summary,
        effect=Effect.STOPPING,
        origin=Origin.ANY,
    )


SIGNATURES: Final = (
    _stage(
        r"^The system is going down (?:NOW|for)\b|^INIT: Switching to runlevel: [06]\b"
        r"|\bStopped target (?:multi-user\.target|graphical\.target|Multi-User System|Graphical Interface)"
        r"|^systemd\[1\]: (?:Shutting down|Powering off)\.",
        (
            "The system is going down",
            "Switching to runlevel",
            "Stopped target",
            "Shutting down",
            "Powering off",
        ),
        "The system is going down NOW!",
        "INIT: Switching to runlevel: 0",
        "[  OK  ] Stopped target multi-user.target - Multi-User System.",
        "[  OK  ] Stopped target Graphical Interface.",
        "systemd[1]: Shutting down.",
        unlike="[  OK  ] Stopped target initrd.target - Initrd Default Target.",
        summary="the system shuts down: its services are stopped",
    ),
    _stage(
        r"^Sent SIGTERM to all processes|^systemd-shutdown\[1\]: Sending SIGTERM to remaining processes"
        r"|^(?:\* )?Sending (?:all processes )?the TERM signal",
        ("Sent SIGTERM to all", "Sending SIGTERM to remaining", "the TERM signal"),
        "Sent SIGTERM to all processes",
        "systemd-shutdown[1]: Sending SIGTERM to remaining processes...",
        "Sending all processes the TERM signal...",
        unlike="systemd-journald[213]: Received SIGTERM from PID 1 (systemd-shutdow).",
        summary="the system shuts down: its processes are ended",
    ),
    _stage(
        r"^systemd-shutdown\[1\]: (?:Unmounting file systems|All filesystems unmounted)"
        r"|\bReached target (?:umount\.target|Unmount All Filesystems)"
        r"|^(?:\* )?(?:Unmounting|Deactivating) (?:local |remaining )?filesystems",
        ("Unmounting", "All filesystems unmounted", "Reached target", "Deactivating"),
        "systemd-shutdown[1]: Unmounting file systems.",
        "systemd-shutdown[1]: All filesystems unmounted.",
        "[  OK  ] Reached target umount.target - Unmount All Filesystems.",
        "Unmounting local filesystems...",
        "* Unmounting filesystems",
        "Deactivating local filesystems",
        unlike="[  OK  ] Reached target local-fs.target - Local File Systems.",
        summary="the system shuts down: its file systems are unmounted",
    ),
)
