"""``hiperiso qemu``: builds a QEMU with binary traces, and tells which one boots use."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hiperlab.examples import examples

app = typer.Typer(
    help="Build a QEMU that writes binary traces; tell which QEMU boots use.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(
    "build",
    epilog=examples(
        "sudo -E hiperiso qemu build --install-deps",
        "hiperiso qemu build --jobs 4",
    ),
)
def build(
    *,
    jobs: Annotated[
        int, typer.Option("--jobs", min=0, help="Compilers at a time; 0: one for each processor.")
    ] = 0,
    install_deps: Annotated[
        bool, typer.Option("--install-deps", help="Install the packages that are missing (as root).")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Build even when there is a build.")] = False,
) -> None:
    """Build QEMU from the distribution's source package, once; an interrupted build goes on where it was."""
    from hiperlab.payload.progress import pieces_bar
    from hiperlab.qemu.build import BuildRequest, build_qemu

    with pieces_bar("compiling") as show_progress:
        built = build_qemu(
            BuildRequest(jobs=jobs, install_missing=install_deps, again=again),
            say=lambda text: print(text, file=sys.stderr),
            progress=show_progress,
        )
    typer.echo(f"QEMU {built.version}: {built.path}")


@app.command("info")
def info(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Tell which QEMU boots use, and how it writes traces."""
    import msgspec

    from hiperiso.machine.qemu import find_qemu, qemu_version, trace_backend
    from hiperlab.qemu.build import current_build

    qemu = find_qemu()
    version, backend, built = qemu_version(qemu), trace_backend(qemu), current_build()
    if as_json:
        told = {
            "path": str(qemu),
            "version": version,
            "trace_backend": backend.value if backend else None,
            "own_build": built,
        }
        typer.echo(msgspec.json.encode(told))
        return
    typer.echo(f"in use     {qemu} ({version}, {backend.value if backend else 'no'} trace backend)")
    typer.echo(f"own build  {f'{built.path} ({built.source_version})' if built else 'none'}")
