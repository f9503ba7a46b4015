"""Optional libraries of some commands, and the error if the extra with one is not installed."""

from __future__ import annotations

import importlib.util

from hiperiso.errors import Unsupported


def extra_problem(module: str, extra: str) -> str:
    """Why `module` cannot be imported, in one line that names the extra; empty where it is installed."""
    if importlib.util.find_spec(module) is not None:
        return ""
    return f"{module} is not installed: install it with pip install 'hiperiso[{extra}]'"


def require_extra(module: str, extra: str, *, purpose: str) -> None:
    """Check for the library that `purpose` needs, in advance.

    Raises:
        Unsupported: it is not installed; the hint names the extra.
    """
    if extra_problem(module, extra):
        raise Unsupported(
            f"{purpose} needs {module}, which is not installed", hint=f"pip install 'hiperiso[{extra}]'"
        )
