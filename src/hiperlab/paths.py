"""Where the workstation keeps things."""

from __future__ import annotations

from hiperiso.session.directory import default_log_root

__all__ = ["default_log_root"]
