"""``hiperiso persistence``: images to which live systems write their changes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiperlab.examples import examples
from hiperlab.persistence import KEEP_ALL, MAX_MB, MIN_MB, Label

app = typer.Typer(
    help="Make images to which a live system writes its changes.", no_args_is_help=True, rich_markup_mode=None
)


@app.callback()
def _root() -> None:
    """Without it the only command would take the place of the group."""


@app.command(
    "create",
    epilog=examples(
        "hiperiso persistence create --label persistence --size 2G debian.dat",
        "hiperiso persistence create --label casper-rw --size 4G ubuntu.dat",
        "hiperiso boot debian-live.iso --persistence debian.dat --append persistence",
    ),
)
def create(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new image.")],
    *,
    label: Annotated[
        Label,
        typer.Option(
            "--label", help="What the live system looks for: Debian persistence, Ubuntu the others."
        ),
    ],
    size: Annotated[
        str, typer.Option("--size", metavar="MB", help=f"Its size in MB, or like 4G; at least {MIN_MB}.")
    ],
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            metavar="LINE",
            help=f"A line of persistence.conf, such as '/home union'; default: {KEEP_ALL}.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Create an image with an ext4 file system.

    For `hiperiso boot --persistence`. It is sparse: it grows."""
    from hiperiso.contract.values import Megabytes
    from hiperiso.errors import UsageError
    from hiperlab.persistence import create_persistence

    try:
        size_mb = Megabytes("a size of an image", MIN_MB, MAX_MB).parse(size)
    except ValueError as error:
        raise UsageError(f"--size: {error}") from None
    create_persistence(file, label, size_mb, keep=tuple(keep or ()), force=force)
    if as_json:
        import json

        typer.echo(json.dumps({"file": str(file), "label": label.value, "size_bytes": size_mb << 20}))
        return
    typer.echo(f"{file}: {size_mb} MB, ext4, label {label.value}")
