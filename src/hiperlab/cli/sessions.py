"""The commands that read and keep recorded boots: list, show, open, follow, rm, prune, export, import.

A session is named by its directory, its name, the name's unique beginning, or ``last``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hiperiso.cache import expanded
from hiperlab.cli.limits import DryRun, Keep, MaxSize, OlderThan
from hiperlab.cli.sessionoptions import FORMS, AsJson, Domain, Form, LogRoot, Named, Several, Sort, Stage
from hiperlab.examples import examples

if TYPE_CHECKING:
    from hiperiso.contract.manifest import Manifest
    from hiperlab.sessions.select import Wanted


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for name, command, lines in (
        ("list", list_, ("hiperiso list --failed --since 2d", "hiperiso list --format csv > boots.csv")),
        ("show", show, ("hiperiso show last", "hiperiso show debian_2026 --json | jq .analysis")),
        ("open", open_, ("hiperiso open last",)),
        ("follow", follow, ("hiperiso follow last",)),
        ("rm", remove, ("hiperiso rm debian_20260702T011452Z",)),
        (
            "prune",
            prune,
            (
                "hiperiso prune --older-than 30d",
                "hiperiso prune --max-size 20G --dry-run --json | jq .removed",
            ),
        ),
        ("export", export, ("hiperiso export last", "hiperiso export last --redact -o boot.html")),
        ("import", import_, ("hiperiso import debian_20260702T011452Z.tar.zst",)),
    ):
        app.command(name, epilog=examples(*lines))(command)


def list_(  # noqa: PLR0917 - a parameter for each option
    log_root: LogRoot = None,
    failed: Annotated[bool, typer.Option("--failed", help="Those alone that were no success.")] = False,
    iso: Annotated[str, typer.Option("--iso", metavar="GLOB", help="The ISO's name or path.")] = "",
    since: Annotated[
        str,
        typer.Option(
            "--since", metavar="TIME", help="Started since a day, a moment (UTC) or an age: 2d, 12h."
        ),
    ] = "",
    last: Annotated[
        int | None, typer.Option("--last", metavar="N", min=0, help="The latest N of them.")
    ] = None,
    stage: Stage = "",
    domain: Domain = "",
    sort: Sort = "time",
    form: Form = "table",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array of manifests.")] = False,
) -> None:
    """List the recorded boots, oldest first.

    Each with its result, session, stage, duration and cause.
    """
    from datetime import UTC, datetime

    from hiperiso.contract.words import BootStage, FailureDomain
    from hiperlab.cli.words import one_of
    from hiperlab.sessions.find import named_log_root
    from hiperlab.sessions.select import SortBy, Wanted, since_text

    wanted = Wanted(
        failed=failed,
        iso=iso,
        since=since_text(since, datetime.now(UTC)) if since else "",
        last=last,
        stage=one_of(BootStage, stage, option="--stage") if stage else None,
        domain=one_of(FailureDomain, domain, option="--domain") if domain else None,
        sort=one_of(SortBy, sort, option="--sort"),
    )
    shape = "json" if as_json else one_of(FORMS, form, option="--format")
    _list(named_log_root(log_root), wanted, shape)


def _list(root: Path, wanted: Wanted, shape: str) -> None:
    from hiperiso.session.recovery import recover_orphans
    from hiperiso.text import printable

    orphans = recover_orphans(root)
    for orphan in orphans:
        note = orphan.error or f"finalized {orphan.path.name}: its recorder was killed"
        print(f"hiperiso: {printable(note, 1000)}", file=sys.stderr)
    manifests, unreadable = read_manifests(root)
    for path, reason in unreadable:
        print(f"hiperiso: {printable(f'{path}: {reason}', 1000)}", file=sys.stderr)
    found = wanted.of(manifests)
    if shape == "json":
        import msgspec

        from hiperiso.contract.store import encode_json

        sys.stdout.write(msgspec.json.format(encode_json(found), indent=2).decode() + "\n")
    elif shape == "csv":
        from hiperlab.sessions.table import csv_text

        sys.stdout.write(csv_text(found))
    else:
        lost = frozenset(orphan.path.name for orphan in orphans if orphan.error)
        _print_table(root, found, len(manifests), lost)


def read_manifests(root: Path) -> tuple[list[Manifest], list[tuple[Path, str]]]:
    """All session.json files directly below `root`, and those that cannot be read with the reason.

    Raises:
        UsageError: the log root cannot be read.
    """
    from hiperiso.contract.listing import manifests_in
    from hiperiso.errors import UsageError

    try:
        return manifests_in(root)
    except OSError as error:
        raise UsageError(f"the log root {root} cannot be read: {error.strerror}") from None


def _print_table(root: Path, manifests: list[Manifest], total: int, lost: frozenset[str]) -> None:
    from shutil import get_terminal_size

    from hiperlab.sessions.table import RESULT_STYLE, lines

    if not manifests:
        none = f"none of the {total} sessions in {root} is like that" if total else f"no sessions in {root}"
        print(f"{none}; `hiperiso boot FILE.iso` makes one" if not total else none, file=sys.stderr)
        return
    terminal = sys.stdout.isatty()
    coloured = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    width = get_terminal_size().columns if terminal else None
    for result, rest in lines(manifests, width, lost):
        colour = RESULT_STYLE.get(result.strip(), "").removeprefix("bold ")
        shown = typer.style(result, fg=colour, bold=True) if coloured and colour else result
        sys.stdout.write(f"{shown}{rest}\n")


def show(session: Named = "last", log_root: LogRoot = None, as_json: AsJson = False) -> None:
    """Print the report of a session.

    Verdict, next steps, stages, findings, last lines.
    """
    from hiperiso.contract import files
    from hiperiso.errors import UsageError
    from hiperiso.text import masked
    from hiperlab.sessions.find import find_session, is_running, named_log_root

    found = find_session(session, named_log_root(log_root))
    name = files.REPORT_JSON if as_json else files.REPORT_TXT
    text = found.text(name, 16 << 20) or ("" if as_json else found.text(files.FAILURE_TXT))
    if not text:
        hint = (
            "`hiperiso follow` watches it"
            if is_running(found)
            else f"`hiperiso log analyze {found.path}` writes one"
        )
        raise UsageError(f"{found.path.name} has no {name}", hint=hint)
    sys.stdout.write(masked(text, keep="\n\t").rstrip("\n") + "\n")
    if not as_json:
        print(f"\n{found.path}")


def open_(session: Named = "last", log_root: LogRoot = None) -> None:
    """Open the page of a session in the browser."""
    import webbrowser

    from hiperiso.contract import files
    from hiperiso.errors import HarnessFault, UsageError
    from hiperlab.sessions.find import find_session, named_log_root

    found = find_session(session, named_log_root(log_root))
    page = found.path / files.REPORT_HTML
    if not found.has(files.REPORT_HTML):
        raise UsageError(
            f"{found.path.name} has no {files.REPORT_HTML}",
            hint=f"`hiperiso log analyze {found.path}` writes it",
        )
    print(page)
    if not webbrowser.open(page.absolute().as_uri()):
        raise HarnessFault("no browser could be started", hint=f"open {page} in one; BROWSER names it")


def follow(session: Named = "last", log_root: LogRoot = None) -> None:
    """Watch a boot that another terminal or a CI job records.

    It exits as that boot comes out.
    """
    from hiperiso.contract.outcome import exit_code_for
    from hiperiso.session.recovery import recover_orphans
    from hiperlab.cli.bootview import PlainView
    from hiperlab.cli.verdict import print_verdict
    from hiperlab.sessions.find import find_session, named_log_root
    from hiperlab.sessions.follow import follow_events

    found = find_session(session, named_log_root(log_root))
    view = PlainView()
    if found.manifest:
        view.opened(found.path, found.manifest)
    for event, progress in follow_events(found):
        view.progress(progress)
        view.event(event)
    recover_orphans(found.path.parent)
    ended = find_session(str(found.path.absolute()), found.path.parent)
    if ended.manifest is None or not isinstance(ended.manifest.result, str):
        from hiperiso.errors import HarnessFault

        raise HarnessFault(f"{found.path.name} ended without a verdict", hint="`hiperiso list` finalizes it")
    print_verdict(ended.path, ended.manifest)
    raise typer.Exit(int(exit_code_for(ended.manifest.result, ended.manifest.fault)))


def remove(
    sessions: Several,
    log_root: LogRoot = None,
    as_json: AsJson = False,
) -> None:
    """Remove sessions that have ended, whole. What was removed is noted in removed.jsonl of the log root.

    One that cannot be removed does not stop the others.
    """
    from hiperiso.failures import Failures
    from hiperlab.sessions.find import find_session, named_log_root
    from hiperlab.sessions.remove import remove_leftovers, remove_session

    root = named_log_root(log_root)
    failures = Failures()
    found = {}
    for text in sessions:  # all before the first is removed: `last` is the same one for all
        with failures.of(text):
            session = find_session(text, root)
            found[session.path] = (text, session)
    removed: list[Path] = []
    for path, (text, session) in found.items():
        with failures.of(text):
            remove_session(session)
            removed.append(path)
            if not as_json:
                print(f"removed {path.name}")
    remove_leftovers(root)
    if as_json:
        _print_json({"removed": [_named(path) for path in removed], "failed": failures.rows("session")})
    if failures.exit_code:
        raise typer.Exit(failures.exit_code)


def prune(  # noqa: PLR0917 - a parameter for each option
    keep: Keep = None,
    max_size: MaxSize = "",
    older_than: OlderThan = "",
    dry_run: DryRun = False,
    log_root: LogRoot = None,
    as_json: AsJson = False,
) -> None:
    """Remove old sessions, the oldest first.

    As many as it takes to keep all limits that are given. One that runs is let be.
    """
    from hiperiso.contract.stored import StoredSession, sessions_in
    from hiperiso.failures import Failures
    from hiperlab.sessions.find import named_log_root
    from hiperlab.sessions.remove import prune_limits, remove_leftovers, remove_session, too_many, weigh

    limits = prune_limits(keep, max_size, older_than, what="sessions")
    root = named_log_root(log_root)
    weighed = weigh(sessions_in(root))
    failures = Failures()
    gone = []
    for session in too_many(weighed, limits):
        with failures.of(session.path.name):
            if not dry_run:
                remove_session(StoredSession(session.path))
            gone.append(session)
            if not as_json:
                word = "would remove" if dry_run else "removed"
                print(f"{word} {session.path.name}  {session.size_bytes / 1e6:.1f} MB")
    if not dry_run:
        remove_leftovers(root)
    freed_bytes = sum(session.size_bytes for session in gone)
    if as_json:
        removed = [_named(session.path) | {"size_bytes": session.size_bytes} for session in gone]
        failed = failures.rows("session")
        _print_json({"removed": removed, "failed": failed, "dry_run": dry_run, "sessions": len(weighed)})
    else:
        done = "would remove" if dry_run else "removed"
        print(f"{done} {len(gone)} of {len(weighed)} sessions: {freed_bytes / 1e6:.1f} MB", file=sys.stderr)
    if failures.exit_code:
        raise typer.Exit(failures.exit_code)


def export(
    session: Named = "last",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Ends with .tar.zst, .tar.gz, .tar or .html."),
    ] = None,
    redact: Annotated[
        bool,
        typer.Option(
            "--redact", help="Without what names you and this machine; captures and traces stay out."
        ),
    ] = False,
    log_root: LogRoot = None,
    as_json: AsJson = False,
) -> None:
    """Write a session into one file, to send to a developer.

    An archive with everything, or its page alone, as the ending of --output says.
    """
    from hiperiso.contract import files
    from hiperlab.run import has_tool
    from hiperlab.sessions.archive import export_session
    from hiperlab.sessions.find import find_session, named_log_root
    from hiperlab.sessions.redact import Redaction, directories_in

    found = find_session(session, named_log_root(log_root))
    ending = ".tar.zst" if has_tool("zstd") else ".tar.gz"
    target = expanded(output or f"{found.path.name}{ending}").absolute()
    redaction = None
    if redact:
        iso = found.manifest.iso_path if found.manifest else ""
        places = [found.path.parent, *([Path(iso).parent] if iso.startswith("/") else [])]
        named = directories_in(found.text(files.QEMU_CMDLINE) + found.text(files.ENV_TXT))
        places += [folder for folder in named if not any(map(folder.is_relative_to, places))]
        redaction = Redaction.of_this_user(*places)
    left_out = export_session(found, target, redaction)
    if as_json:
        _print_json({"file": str(target), "size_bytes": target.stat().st_size, "left_out": list(left_out)})
        return
    print(target)
    if left_out:
        print(f"hiperiso: left out, for they cannot be redacted: {', '.join(left_out)}", file=sys.stderr)


def import_(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `hiperiso export` wrote, or a session directory.")
    ],
    log_root: LogRoot = None,
    as_json: AsJson = False,
) -> None:
    """Take a session that was exported into the log root."""
    from hiperlab.places import default_log_root
    from hiperlab.sessions.archive import import_session

    root = expanded(log_root).absolute() if log_root else default_log_root()
    path, problem = import_session(source, root)
    if as_json:
        _print_json(_named(path) | {"problem": problem})
        return
    print(path)
    if problem:
        print(f"hiperiso: {problem}", file=sys.stderr)


def _named(path: Path) -> dict[str, Any]:
    return {"session_id": path.name, "path": str(path)}


def _print_json(value: Any) -> None:
    import json

    sys.stdout.write(json.dumps(value, indent=2) + "\n")
