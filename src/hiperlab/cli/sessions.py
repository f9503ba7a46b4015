"""``hiperiso list``: the recorded boots of a log root."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from hiperiso.contract.manifest import Analysis, Manifest
from hiperiso.contract.stored import sessions_in
from hiperiso.errors import ExitCode, UsageError
from hiperiso.session.recovery import recover_orphans
from hiperlab.places import default_log_root


def list_sessions(log_root: str | None, *, as_json: bool) -> int:
    """Print every session under `log_root`; orphans are finalized first.

    Raises:
        UsageError: the log root is named and is not a directory.
    """
    root = Path(log_root).expanduser().absolute() if log_root else default_log_root()
    if log_root and not root.is_dir():
        raise UsageError(f"no such log root: {root}")
    for orphan in recover_orphans(root):
        note = orphan.error or f"finalized {orphan.path.name}: its recorder was killed"
        print(f"hiperiso: {note}", file=sys.stderr)
    manifests, unreadable = read_manifests(root)
    for path, reason in unreadable:
        print(f"hiperiso: {path}: {reason}", file=sys.stderr)
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(manifests), indent=2).decode() + "\n")
        return ExitCode.SUCCESS
    _print_table(root, manifests)
    return ExitCode.SUCCESS


def read_manifests(root: Path) -> tuple[list[Manifest], list[tuple[Path, str]]]:
    """All session.json files directly below `root`, by start time, and those that cannot be read with the reason."""
    manifests: list[Manifest] = []
    unreadable: list[tuple[Path, str]] = []
    for session in sessions_in(root):
        if session.manifest is not None:
            manifests.append(session.manifest)
        else:
            unreadable += [(session.path / problem.file, problem.text) for problem in session.problems]
    return sorted(manifests, key=lambda manifest: (manifest.start_time_utc, manifest.session_id)), unreadable


def _print_table(root: Path, manifests: list[Manifest]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    console = Console() if terminal else Console(width=_PIPE_WIDTH)
    if not manifests:
        console.print(Text(f"no sessions in {root}; `hiperiso boot FILE.iso` makes one"))
        return
    table = Table(box=None, pad_edge=False, title=Text(str(root)), title_justify="left")
    for heading in ("session", "result", "stage"):
        table.add_column(heading, no_wrap=True, min_width=10)
    table.add_column("cause", no_wrap=True, overflow="ellipsis")
    for manifest in manifests:
        analysis = manifest.analysis if isinstance(manifest.analysis, Analysis) else None
        result = str(manifest.result) if isinstance(manifest.result, str) else str(manifest.status)
        table.add_row(
            Text(manifest.session_id),
            Text(result, style=RESULT_STYLE.get(result, "")),
            Text(analysis.boot_stage_final if analysis else ""),
            Text(analysis.cause if analysis else "the session runs"),
        )
    console.print(table)


_PIPE_WIDTH = 240

RESULT_STYLE = {
    "success": "bold green",
    "failure": "bold red",
    "incomplete": "bold yellow",
    "no_serial": "bold yellow",
}
"""How a result is coloured on a terminal."""
