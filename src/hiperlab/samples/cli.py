"""``hiperiso samples``: lists and builds the sample ISOs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from hiperiso.errors import UsageError

app = typer.Typer(
    help="Build small real ISOs to try hiperiso on.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """List the samples: description and expected outcome of each."""
    from hiperlab.samples.store import list_samples, list_twins

    every = (*list_samples(), *list_twins())
    rows = [
        {
            "name": sample.name,
            "description": sample.description,
            "seconds_estimate": sample.seconds_estimate,
            "outcomes": {
                str(firmware): {
                    "boot_stage_final": str(outcome.stage),
                    "boot_result": str(outcome.result),
                    "failure_domain": str(outcome.domain),
                }
                for firmware, outcome in sample.outcomes.items()
            },
        }
        for sample in every
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for sample in every:
        typer.echo(f"{sample.name:32} {sample.description}")


def _names(incomplete: str) -> list[str]:
    from hiperlab.samples.store import list_samples, list_twins

    return [sample.name for sample in (*list_samples(), *list_twins()) if sample.name.startswith(incomplete)]


@app.command("build")
def build_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="The samples to build.", autocompletion=_names),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Copy the ISOs into this directory.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Build every sample.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Build samples and print the path of each ISO, one per line."""
    from hiperiso.failures import Failures
    from hiperlab.samples.store import build_sample, find_sample, list_samples, list_twins

    wanted = [sample.name for sample in (*list_samples(), *list_twins())] if every else list(names or [])
    if not wanted:
        raise UsageError(
            "no sample was named", hint="name some, or use --all; hiperiso samples list shows them"
        )
    for name in wanted:  # a mistyped one ends the command before minutes of work
        find_sample(name)
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot create the directory {out}: {error.strerror}") from error
    failures = Failures()
    built: list[dict[str, Any]] = []
    for name in wanted:
        with failures.of(name):
            path = build_sample(name, out)
            built.append({"name": name, "path": str(path), "size_bytes": path.stat().st_size})
            if not as_json:
                typer.echo(str(path))
    if as_json:
        typer.echo(json.dumps([*built, *failures.rows("name")], indent=2))
    if failures.exit_code:
        raise typer.Exit(failures.exit_code)
