"""``hiperiso doctor``: what this machine supports, and what to install or change."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hiperiso.errors import ExitCode
from hiperiso.machine.capabilities import Check, CheckState, boot_would_work, check_machine
from hiperlab.places import default_log_root
from hiperlab.stick.needs import stick_checks

_LOOK = {
    CheckState.OK: "[green]ok[/]",
    CheckState.WARN: "[yellow]warn[/]",
    CheckState.MISSING: "[red]missing[/]",
}


def doctor(*, as_json: bool = False, log_root: Path | None = None) -> int:
    """Examine this machine and print the result; returns the exit code: 0 if ``boot`` would work, else 4."""
    checks = [*check_machine(log_root=log_root or default_log_root()), *stick_checks()]
    works = boot_would_work(checks)
    if as_json:
        sys.stdout.write(
            json.dumps({"boot_would_work": works, "checks": msgspec.to_builtins(checks)}, indent=2) + "\n"
        )
    else:
        _print_table(checks, works)
    return ExitCode.SUCCESS if works else ExitCode.HARNESS_FAULT


def _print_table(checks: list[Check], works: bool) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("check", "state", "found"):
        table.add_column(column, overflow="fold")
    for check in checks:
        found = escape(check.detail) + (f"\n[dim]fix:[/] {escape(check.fix)}" if check.fix else "")
        table.add_row(check.name, _LOOK[check.state], found)
    console = Console()
    console.print(table)
    console.print(
        "\n[green]hiperiso boot will work here.[/]" if works else "\n[red]hiperiso boot does not work yet.[/]"
    )
