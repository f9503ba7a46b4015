"""The commands of ``hiperiso stick`` for what is on the data partition: add, remove, prune."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from hiperiso.failures import Failures
from hiperiso.text import harmless
from hiperlab.sessions.remove import Kept, prune_limits
from hiperlab.stick import add as adding
from hiperlab.stick.attach import ATTACHED, Attachments, PlannedSettings, plan_settings, put_settings
from hiperlab.stick.data import DataPartition
from hiperlab.stick.display import Bar, console, print_json, read_errors_reported, write_errors_reported
from hiperlab.stick.image import open_data_of, read_config_of
from hiperlab.stick.imagecheck import image_warning
from hiperlab.stick.layout import size_text
from hiperlab.stick.menuconfig import MenuConfig
from hiperlab.stick.removal import (
    Removed,
    patterns_naming,
    plan_prune,
    plan_remove,
    remove_session_of,
)
from hiperlab.stick.settings_file import DEFAULT_CONFIG, lenient_config, parse_stick_config


@dataclass(frozen=True)
class AddRequest:
    """The options of ``add``."""

    target: Path
    isos: list[Path]
    folder: str
    attachments: Attachments
    as_json: bool = False


def add(request: AddRequest) -> None:
    """Copy ISOs onto a stick, with the files of their settings. One that fails does not stop the others.

    Raises:
        UsageError: a file or a setting cannot be used, or there is not enough space: nothing was copied.
        HarnessFault: the stick cannot be opened, or the settings cannot be written.
        typer.Exit: one could not be copied.
    """
    failures = Failures()
    with (
        write_errors_reported(request.target),
        tempfile.TemporaryDirectory(prefix="hiperiso-add-") as scratch,
        open_data_of(request.target, writable=True) as data,
    ):
        settings = plan_settings(request.attachments, Path(scratch))
        if settings.overrides:
            parse_stick_config(read_config_of(data) or DEFAULT_CONFIG)  # before anything is copied
        planned = adding.plan_add(data, request.isos, request.folder, settings.files)
        warnings = {path: image_warning(iso) for iso, path in planned.items() if iso not in settings.files}
        total = 2 * sum(file.stat().st_size for file in planned)
        added: dict[Path, adding.Added] = {}
        with Bar("copying", total, quiet=request.as_json) as bar:
            for file, path in planned.items():
                bar.describe(file.name)
                with failures.of(path), write_errors_reported(request.target):
                    added[file] = adding.add_iso(data, file, path, progress=bar.advance)
        isos = [planned[file] for file in added if file not in settings.files]
        if not all(file in added for file in settings.files):
            settings = replace(settings, overrides={})  # they would name a file that is not there
        menu = _with_settings(data, isos, settings)
    for path in isos:
        if not menu.shows(path):
            where = f"{menu.search_root} and {menu.depth} levels of directories below"
            _warn(f"the menu will not show {path}: it searches {where}")
    for path, warning in warnings.items():
        if warning and path in isos:
            _warn(f"{path} is {warning}")
    if request.as_json:
        overrides = settings.overrides
        rows = [asdict(item) | {"warning": warnings.get(item.path, "")} for item in added.values()]
        rows = [row | ({"settings": overrides} if row["path"] in isos else {}) for row in rows]
        print_json([*rows, *failures.rows("path")])
    else:
        _print_added(list(added.values()), isos, settings)
    if failures.exit_code:
        raise typer.Exit(failures.exit_code)


def _print_added(added: list[adding.Added], isos: list[str], settings: PlannedSettings) -> None:
    for item in added:
        note = "already on the stick" if item.already else "copied and compared"
        console().print(
            Text(f"{harmless(item.path)}: {size_text(item.size_bytes)}, {note}, sha256 {item.sha256}")
        )
    if settings.overrides and isos:
        console().print(Text(f"settings of {harmless(', '.join(isos))} in hiperiso.json: {_shown(settings)}"))
        console().print(Text("they act at once; hiperiso stick update writes them into the menu, too"))


def remove(target: Path, names: list[str], *, as_json: bool) -> None:
    """Remove ISOs from a stick. One that cannot be removed does not stop the others.

    Raises:
        UsageError: a name is not that of one ISO: nothing was removed.
        typer.Exit: one could not be removed.
    """
    removed: list[Removed] = []
    failures = Failures()
    with write_errors_reported(target), open_data_of(target, writable=True) as data:
        planned = plan_remove(data, names)
        config = lenient_config(read_config_of(data)).overrides
        for file in planned:
            patterns = tuple(patterns_naming(config, file.path))
            with failures.of(file.path), write_errors_reported(target):
                data.remove(file.path)
                removed.append(Removed(file.path, file.size_bytes, patterns))
        free = data.free_bytes
    if as_json:
        print_json([*(asdict(item) for item in removed), *failures.rows("path")])
    else:
        _print_removed(removed, free)
    if failures.exit_code:
        raise typer.Exit(failures.exit_code)


def _print_removed(removed: list[Removed], free: int) -> None:
    for item in removed:
        console().print(Text(f"{harmless(item.path)}: removed, {size_text(item.size_bytes)}"))
        if item.settings:
            named = harmless(", ".join(item.settings))
            console().print(Text(f"  its settings are still in hiperiso.json: {named}"))
    console().print(Text(f"{size_text(free)} free"))


@dataclass(frozen=True)
class PruneRequest:
    """The options of ``prune``."""

    target: Path
    keep: int | None = None
    max_size: str = ""
    older_than: str = ""
    dry_run: bool = False
    as_json: bool = False


def prune(request: PruneRequest) -> None:
    """Remove recordings from a stick. One that cannot be removed does not stop the others.

    Raises:
        UsageError: no limit was given, or it is invalid.
        typer.Exit: one could not be removed.
    """
    failures = Failures()
    gone: list[Kept] = []
    limits = prune_limits(
        request.keep,
        request.max_size,
        request.older_than,
        what="recordings",
        more="; hiperiso stick collect copies them first",
    )
    reported = read_errors_reported if request.dry_run else write_errors_reported
    with reported(request.target), open_data_of(request.target, writable=not request.dry_run) as data:
        planned = plan_prune(data, limits)
        if request.dry_run:
            gone = planned
        else:
            total = sum(session.size_bytes for session in planned)
            with Bar("removing", total, quiet=request.as_json) as bar:
                for session in planned:
                    bar.describe(session.path.name)
                    with failures.of(session.path.name), write_errors_reported(request.target):
                        remove_session_of(data, session.path, bar.advance)
                        gone.append(session)
        free = data.free_bytes
    if request.as_json:
        rows, failed = [_as_json(session) for session in gone], failures.rows("session")
        print_json({"removed": rows, "failed": failed, "dry_run": request.dry_run})
    else:
        _print_pruned(request, gone, free)
    if failures.exit_code:
        raise typer.Exit(failures.exit_code)


def _print_pruned(request: PruneRequest, gone: list[Kept], free: int) -> None:
    word = "would be removed" if request.dry_run else "removed"
    for session in gone:
        name = harmless(session.path.name)
        console().print(Text(f"{name}: {word}, {size_text(session.size_bytes)}"))
    console().print(Text(f"{len(gone)} recordings {word}; {size_text(free)} free"))


def _with_settings(data: DataPartition, isos: list[str], settings: PlannedSettings) -> MenuConfig:
    """Put the settings into hiperiso.json, if there are any; returns the menu of the stick."""
    if not settings.overrides:
        return lenient_config(read_config_of(data)).menu
    return parse_stick_config(put_settings(data, isos, settings.overrides)).menu


def _shown(settings: PlannedSettings) -> str:
    known = {name: value for name, value in settings.overrides.items() if name in ATTACHED}
    words = [f"{name}={value}" for name, value in (known | settings.overrides).items()]
    return harmless(", ".join(words))


def _as_json(session: Kept) -> dict[str, Any]:
    return {"session_id": session.path.name, "path": str(session.path), "size_bytes": session.size_bytes}


def _warn(text: str) -> None:
    typer.echo(f"hiperiso: {harmless(text)}", err=True)
