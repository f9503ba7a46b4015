"""How the entries of a boot menu are listed."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hiperlab.series.entries import Entry
from hiperlab.series.menu import MenuListed, entry_json

_PIPE_WIDTH = 240


def print_menu(iso: Path, listed: MenuListed) -> None:
    """Print one row for each entry; those of submenus are indented."""
    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
    outcome = listed.ended.outcome
    if not listed.entries:
        console.print(Text(f"{iso}: no boot menu: {outcome.result}: {outcome.cause}"), soft_wrap=True)
        return
    title = f"{iso} ({listed.firmware})" if listed.firmware else str(iso)
    console.print(menu_table(title, listed.entries))
    if not listed.stood:
        note = f"no menu was shown on the screen, so this is only from the configuration: {outcome.cause}"
        console.print(Text(note), soft_wrap=True)
    console.print(Text("choose one with --menu 'TEXT'; --menu all boots each"))


def menu_table(title: str, entries: tuple[Entry, ...]) -> Table:
    """The table itself."""
    table = Table(box=None, pad_edge=False, title=Text(title), title_justify="left")
    table.add_column("entry", no_wrap=True, overflow="ellipsis")
    for name in ("purpose", "seen in", "starts"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for entry in entries:
        indent = "  " * (len(entry.row.path) - 1)
        seen = [("configuration", entry.configured), ("screen", entry.shown)]
        table.add_row(
            Text(indent + entry.choose.rpartition(">")[2]),
            Text("submenu" if entry.row.submenu else str(entry.purpose)),
            Text(", ".join(name for name, is_so in seen if is_so)),
            Text(_starts(entry), style="dim"),
        )
    return table


def print_menu_json(iso: Path, listed: MenuListed) -> None:
    """One JSON object: ``iso``, ``firmware``, ``stood``, ``session``, ``entries``."""
    session = listed.ended.outcome.session
    document = {
        "iso": str(iso),
        "firmware": listed.firmware,
        "stood": listed.stood,
        "session": None if session is None else str(session),
        "cause": listed.ended.outcome.cause,
        "entries": [entry_json(entry) for entry in listed.entries],
    }
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")


def _starts(entry: Entry) -> str:
    linux = entry.row.entry
    return f"{linux.kernel} {linux.arguments}" if linux else entry.row.runs
