"""Where the files of bootchain go in an initramfs.

==================================  ===================================================================
``/usr/lib/bootchain/bootchain/``   the package; ``python3 -I -S`` finds it through the launcher
``/bin/bootchain-sh-functions``     the shell API, found by ``. bootchain-sh-functions`` on PATH
``/bin/pipeline-sh-functions``      that of steps written for ``pipelined``
``/bin/image-sh-functions``         what steps share; ``dialog-sh-functions``: dialogs
``/bin/interactive-sh-functions``   and ``initrd-sh-functions``, ``shell-signal``, ``shell-error``: where the
                                    initramfs has none of its own
``/sbin/bootchained``               the daemon
``/sbin/bootchain-logvt``           shows the log on a terminal
``/etc/rc.d/init.d/bootchain``      sysvinit start script
==================================  ===================================================================
"""

# ruff: noqa: PTH100, PTH120

from __future__ import annotations

import os

LIB = "/usr/lib/bootchain"
_PROGRAMS = {
    "shell/bootchain-sh-functions": ("/bin/bootchain-sh-functions", 0o644),
    "shell/pipeline-sh-functions": ("/bin/pipeline-sh-functions", 0o644),
    "shell/image-sh-functions": ("/bin/image-sh-functions", 0o644),
    "shell/dialog-sh-functions": ("/bin/dialog-sh-functions", 0o644),
    "shell/fallback/interactive-sh-functions": ("/bin/interactive-sh-functions", 0o644),
    "shell/fallback/initrd-sh-functions": ("/bin/initrd-sh-functions", 0o644),
    "shell/fallback/shell-signal": ("/bin/shell-signal", 0o644),
    "shell/fallback/shell-error": ("/bin/shell-error", 0o644),
    "shell/bootchained.sh": ("/sbin/bootchained", 0o755),
    "shell/bootchain-logvt.sh": ("/sbin/bootchain-logvt", 0o755),
    "shell/bootchain-init.sh": ("/etc/rc.d/init.d/bootchain", 0o755),
}
_IGNORED = (".pyc", ".typed")


def files() -> list[tuple[str, str, int]]:
    """All files: (path in the initramfs, path here, mode), sorted. Directories have to be made as needed."""
    package = os.path.dirname(os.path.abspath(__file__))
    found = []
    for directory, _, names in os.walk(package):
        if directory.endswith("__pycache__") or f"{directory}/".startswith(f"{package}/install/"):
            continue  # that is for where images are made
        for name in names:
            if name.endswith(_IGNORED):
                continue
            path = f"{directory}/{name}"
            inside = path.removeprefix(f"{package}/")
            script = not name.endswith(".py") and not inside.startswith("shell/fallback/")
            script = script and not name.endswith("-sh-functions")
            found.append((f"{LIB}/bootchain/{inside}", path, 0o755 if script else 0o644))
            if inside in _PROGRAMS:
                target, mode = _PROGRAMS[inside]
                found.append((target, path, mode))
    return sorted(found)
