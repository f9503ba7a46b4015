"""``hiperiso config``: shows effective settings with their origin, and checks a hiperiso.json."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from hiperiso.text import masked
from hiperlab.cli.options import SettingsCommand, given, options_layer
from hiperlab.examples import examples

app = typer.Typer(
    help="Explain settings, and check a hiperiso.json.", no_args_is_help=True, rich_markup_mode=None
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(
    "explain",
    cls=SettingsCommand,
    epilog=examples(
        "hiperiso config explain debian.iso --config hiperiso.json",
        "HIPERISO_GUEST_RAM=4G hiperiso config explain --json | jq .ram",
    ),
)
def explain(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every setting, and its origin, as for `hiperiso boot` with the same options."""
    from hiperiso.config.settings import absolute_path, resolve_settings
    from hiperiso.config.settings import explain as explained
    from hiperiso.contract.row import CONFIG, ISO
    from hiperlab.cli.boot import layers_for

    iso = absolute_path(given(context, ISO) or os.environ.get(ISO.variable) or "any.iso")
    layers = layers_for(iso, given(context, CONFIG), options_layer(context), os.environ)
    settings = explained(*resolve_settings(layers))
    if as_json:
        _print_json(
            {item.name: {"value": item.value, "origin": item.origin or "default"} for item in settings}
        )
        return
    width = max(len(item.name) for item in settings)
    for item in settings:
        value = item.value or f"({item.row.automatic or 'none'})"
        typer.echo(f"{item.name:{width}}  {value}  [{item.origin or 'default'}]")


@app.command("check", epilog=examples("hiperiso config check hiperiso.json"))
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The hiperiso.json of a stick.")],
    as_json: AsJson = False,
) -> None:
    """List everything in a hiperiso.json that a stick cannot use. Exits 0 if there is nothing, else 2."""
    from hiperiso.config.hiperiso_json import read_bytes
    from hiperiso.errors import ExitCode
    from hiperlab.stick.settings_file import parse_stick_config

    problems = parse_stick_config(read_bytes(file), shown_as=str(file)).problems
    if as_json:
        _print_json({"file": str(file), "problems": list(problems)})
    else:
        for problem in problems or ("no problem found",):
            typer.echo(f"{file}: {masked(problem)}")
    raise typer.Exit(int(ExitCode.USAGE if problems else ExitCode.SUCCESS))


@app.command("schema", epilog=examples("hiperiso config schema > hiperiso.schema.json"))
def schema() -> None:
    """Print the JSON Schema of hiperiso.json."""
    from hiperiso.contract.schema import CONFIGURATION, schema_text

    typer.echo(schema_text(CONFIGURATION), nl=False)


def _print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, indent=2))
