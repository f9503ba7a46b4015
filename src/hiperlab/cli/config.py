"""``hiperiso config``: checks a hiperiso.json, explains settings, takes over a Ventoy configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hiperiso.cache import expanded
from hiperiso.text import masked
from hiperlab.cli.options import SettingsCommand, given, options_layer
from hiperlab.examples import examples

if TYPE_CHECKING:
    from hiperiso.config.check import Place
    from hiperiso.config.settings import Explained, Given

app = typer.Typer(
    help="Check a hiperiso.json, explain settings, import Ventoy's.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_PLACES = ("workstation", "stick")
_FIRMWARES = ("uefi", "bios")


def _completed(words: tuple[str, ...]) -> Any:
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


@app.command(
    "explain",
    cls=SettingsCommand,
    epilog=examples(
        "hiperiso config explain debian.iso --config hiperiso.json",
        "HIPERISO_GUEST_RAM=4G hiperiso config explain --json | jq .ram",
        "hiperiso config explain --config hiperiso.json --cmdline 'hiperiso_iso=/ISOs/a.iso hiperiso_guest_ram=1024'",
    ),
)
def explain(
    context: typer.Context,
    as_json: AsJson = False,
    cmdline: Annotated[
        str | None,
        typer.Option(
            metavar="ARGS", help="Explain as on a machine booted from a stick, with this kernel command line."
        ),
    ] = None,
) -> None:
    """Show every setting and where its value comes from.

    As for `hiperiso boot` with the same options.

    The places, later ones win: default, the user's config.toml, hiperiso.json (with the pattern), environment, command
    line. With --cmdline they are those of a stick: default, hiperiso.json, kernel command line.
    """
    settings = _explained(context, cmdline)
    if as_json:
        _print_json({item.row.name: _plain(item) for item in settings})
        return
    width = max(len(item.row.name) for item in settings)
    for item in settings:
        value = item.given.value or f"({item.row.automatic or 'none'})"
        instead = "".join(f", instead of {_shown(other)}" for other in item.instead_of)
        typer.echo(masked(f"{item.row.name:{width}}  {value}  [{item.given.origin or 'default'}]{instead}"))


def _explained(context: typer.Context, cmdline: str | None) -> list[Explained]:
    from hiperiso.config.hiperiso_json import read_config
    from hiperiso.config.settings import absolute_path
    from hiperiso.config.settings import explain as explained
    from hiperiso.contract.row import CONFIG, ISO, Where
    from hiperiso.errors import UsageError
    from hiperlab.cli.boot import layers_for

    options = options_layer(context)
    if cmdline is None:
        iso = absolute_path(given(context, ISO) or os.environ.get(ISO.variable) or "any.iso")
        return explained(layers_for(iso, given(context, CONFIG), options, os.environ))
    from hiperiso.stick.order import layers_of, read_order

    if set_here := [name for name, value in options.values.items() if value is not None]:
        raise UsageError(
            f"--cmdline: a stick has no options: {', '.join(set_here)}",
            hint="write them as kernel parameters, such as hiperiso_guest_ram=4096",
        )
    order = read_order(cmdline)
    named = given(context, CONFIG)
    config = read_config(expanded(named)) if named else None
    return explained(
        layers_of(order, given(context, ISO) or order.iso or "/ISOs/any.iso", config), Where.STICK
    )


def _plain(item: Explained) -> dict[str, Any]:
    return _given(item.given) | {"instead_of": [_given(other) for other in item.instead_of]}


def _given(value: Given) -> dict[str, Any]:
    known = {"value": value.value, "origin": value.origin or "default", "source": value.source.value}
    return known | ({"line": value.line} if value.line else {})


def _shown(value: Given) -> str:
    return f"{value.value or '(none)'} [{value.origin}]"


@app.command(
    "check",
    epilog=examples(
        "hiperiso config check hiperiso.json",
        "hiperiso config check hiperiso.json --where stick",
        "hiperiso config check /media/stick/hiperiso/hiperiso.json --json",
    ),
)
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A hiperiso.json.")],
    where: Annotated[
        str | None,
        typer.Option(
            metavar="workstation|stick",
            help="Where it is to be used: what does not apply there, and a file that is not there, is an error. A"
            " mounted stick's /hiperiso/hiperiso.json is checked for the stick.",
            autocompletion=_completed(_PLACES),
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List everything that is wrong in a hiperiso.json.

    Each with path, line, column, and the key that was probably meant.

    All errors at once. Exits 0 if there are only warnings (what has no effect) or nothing, else 2.
    """
    from hiperiso.config.hiperiso_json import check_file, read_bytes
    from hiperiso.errors import ExitCode

    checked = check_file(read_bytes(file), str(file), _place(file, where))
    if as_json:
        import msgspec

        plain = [msgspec.to_builtins(fault) for fault in checked.faults]
        _print_json(
            {
                "file": str(file),
                "valid": not checked.errors,
                "problems": [str(fault) for fault in checked.errors],
                "faults": plain,
            }
        )
    else:
        lines = [fault.in_file(str(file)) for fault in checked.faults]
        for line in lines or [f"{file}: no problem found"]:
            typer.echo(masked(line))
    raise typer.Exit(int(ExitCode.USAGE if checked.errors else ExitCode.SUCCESS))


def _place(file: Path, where: str | None) -> Place:
    """What can be known about the files that a configuration names."""
    from hiperiso.config.check import Place
    from hiperiso.config.settings import beside
    from hiperiso.contract.row import Where
    from hiperiso.contract.stick import CONFIG_PATH
    from hiperiso.stick.order import ON_STICK, on_data_partition
    from hiperlab.cli.words import one_of

    wanted = Where(one_of(_PLACES, where, option="--where")) if where else None
    path = expanded(file).absolute()
    if path.match(CONFIG_PATH.lstrip("/")) and wanted is not Where.WORKSTATION:
        root = path.parents[CONFIG_PATH.count("/") - 1]
        return Place(
            where=Where.STICK,
            locate=lambda text: on_data_partition(text, root),
            exists=Path.exists,
            root=root,
            strict=True,
        )
    if wanted is Where.STICK:
        return ON_STICK
    return Place(
        where=wanted,
        locate=lambda text: beside(path, text),
        exists=Path.exists,
        strict=wanted is not None,
    )


@app.command("schema", epilog=examples("hiperiso config schema > hiperiso.schema.json"))
def schema() -> None:
    """Print the JSON Schema of hiperiso.json, for editors."""
    from hiperiso.contract.schema import CONFIGURATION, schema_text

    typer.echo(schema_text(CONFIGURATION), nl=False)


@app.command(
    "import",
    epilog=examples(
        "hiperiso config import /media/ventoy/ventoy/ventoy.json -o hiperiso.json",
        "hiperiso config import ventoy.json --firmware bios > hiperiso.json",
    ),
)
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A ventoy.json.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The hiperiso.json to write; else it is printed."
        ),
    ] = None,
    firmware: Annotated[
        str,
        typer.Option(
            metavar="uefi|bios",
            help="Which one is taken of sections for one firmware.",
            autocompletion=_completed(_FIRMWARES),
        ),
    ] = "uefi",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take over a Ventoy configuration.

    What has no counterpart is listed, with line and column.

    The sections by ISO (auto_install, persistence, dud, injection, conf_replace, auto_memdisk) keep Ventoy's form. The
    list goes to the standard error where the result is printed.
    """
    from hiperiso.config.hiperiso_json import read_bytes
    from hiperiso.contract.words import FirmwareKind
    from hiperiso.errors import UsageError
    from hiperlab.cli.words import one_of
    from hiperlab.ventoy import import_ventoy

    kind = FirmwareKind(one_of(_FIRMWARES, firmware, option="--firmware"))
    imported = import_ventoy(read_bytes(file), str(file), kind)
    if output is not None:
        if output.exists() and not force:
            raise UsageError(f"{output} exists already", hint="--force overwrites it")
        _write(output, imported.text)
    if as_json:
        import msgspec

        left = [msgspec.to_builtins(fault) for fault in imported.left]
        _print_json({"config": imported.document, "taken": list(imported.taken), "left": left})
        return
    if output is None:
        typer.echo(imported.text, nl=False)
    for fault in imported.left:
        typer.echo(masked(fault.in_file(str(file))), err=output is None)
    taken = ", ".join(imported.taken) or "nothing"
    typer.echo(
        f"{output or file}: taken over: {taken}; {len(imported.left)} without a counterpart",
        err=output is None,
    )


def _write(path: Path, text: str) -> None:
    from hiperiso.contract.store import atomic_write
    from hiperiso.errors import UsageError

    try:
        atomic_write(path, text.encode("utf-8", "replace"))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def _print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, indent=2))
