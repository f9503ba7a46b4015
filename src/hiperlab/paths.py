"""Where the workstation keeps things."""

from __future__ import annotations

import os
from pathlib import Path

from hiperiso.contract.row import LOG_ROOT


def default_log_root() -> Path:
    """``$HIPERISO_LOG_DIR``, else ``$XDG_STATE_HOME/hiperiso/logs``, else ``~/.local/state/hiperiso/logs``."""
    if named := os.environ.get(LOG_ROOT.variable):
        return Path(named).expanduser().absolute()
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local/state") / "hiperiso" / "logs"
