"""``hiperiso qemu``: builds a QEMU with binary traces, and shows which one boots use."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from hiperlab.examples import examples

app = typer.Typer(
    help="Build a QEMU that writes binary traces, and use it.",
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
        int, typer.Option("--jobs", min=0, help="Number of parallel compilers; 0: one per processor.")
    ] = 0,
    install_deps: Annotated[
        bool, typer.Option("--install-deps", help="Install missing packages (as root).")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Build even if a build exists.")] = False,
) -> None:
    """Build QEMU from the distribution's source package, once.

    An interrupted build is continued.
    """
    from hiperlab.payload.progress import pieces_bar
    from hiperlab.qemu.build import BuildRequest, build_qemu

    with pieces_bar("compiling") as show_progress:
        built = build_qemu(
            BuildRequest(jobs=jobs, install_missing=install_deps, again=again),
            on_step=lambda text: print(text, file=sys.stderr),
            progress=show_progress,
        )
    typer.echo(f"QEMU {built.version}: {built.path}")


@app.command("info")
def info(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Show which QEMU boots use, and its trace backend."""
    import msgspec

    from hiperiso.machine.qemu import find_qemu, qemu_version, trace_backend
    from hiperlab.qemu.build import current_build

    qemu = find_qemu()
    version, backend, built = qemu_version(qemu), trace_backend(qemu), current_build()
    if as_json:
        facts = {
            "path": str(qemu),
            "version": version,
            "trace_backend": backend.value if backend else None,
            "own_build": built,
        }
        typer.echo(msgspec.json.encode(facts))
        return
    typer.echo(f"in use     {qemu} ({version}, {backend.value if backend else 'no'} trace backend)")
    typer.echo(f"own build  {f'{built.path} ({built.source_version})' if built else 'none'}")
