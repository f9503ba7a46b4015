"""``hiperiso payload``: builds the system of a stick, and lists its content."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hiperlab.examples import examples
from hiperlab.payload.compression import Compression
from hiperlab.stick.cli import PAYLOAD_VARIABLE

app = typer.Typer(
    help="Build the system of a stick: host kernel, initramfs, firmware.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_MB = 1 << 20


@app.command(
    "build",
    epilog=examples(
        "hiperiso payload build",
        "hiperiso payload build --swtpm --secure-boot --out my-payload",
        "hiperiso payload build --kernel bzImage --modules /lib/modules/6.12.0",
    ),
)
def build(
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Output directory; by default the one that stick create reads."
        ),
    ] = None,
    kernel: Annotated[
        Path | None,
        typer.Option("--kernel", metavar="FILE", help="Kernel to use instead of the distribution's."),
    ] = None,
    modules: Annotated[
        Path | None,
        typer.Option("--modules", metavar="DIR", help="Modules of that kernel (/lib/modules/RELEASE)."),
    ] = None,
    compress: Annotated[
        Compression, typer.Option("--compress", help="Compression of the initramfs.")
    ] = Compression.ZSTD,
    level: Annotated[
        int | None,
        typer.Option("--level", min=1, max=19, help="Compression level; by default the maximum."),
    ] = None,
    swtpm: Annotated[
        bool, typer.Option("--swtpm", help="Include the software TPM, for the setting tpm on the stick.")
    ] = False,
    secure_boot: Annotated[
        bool,
        typer.Option(
            "--secure-boot", help="Include UEFI firmware with keys, for the setting secure_boot on the stick."
        ),
    ] = False,
) -> None:
    """Build a payload from this system's programs.

    QEMU, firmware and Python are those of this system, the kernel is the distribution's.
    """
    from hiperlab.debian.packages import Sources
    from hiperlab.payload.build import PayloadSpec, build_payload
    from hiperlab.payload.progress import pieces_bar
    from hiperlab.places import package_cache
    from hiperlab.stick.needs import PAYLOAD, check_programs

    check_programs(PAYLOAD, what="payload build")
    target = out or _default_folder()
    spec = PayloadSpec(
        kernel=kernel,
        modules=modules,
        compression=compress,
        level=level,
        swtpm=swtpm,
        secure_boot=secure_boot,
    )
    with pieces_bar("packing") as show_progress:
        info = build_payload(
            spec,
            target,
            sources=Sources(cache=package_cache()),
            progress=show_progress,
            on_step=lambda text: print(text, file=sys.stderr),
        )
    typer.echo(
        f"{target}: {info.size_bytes / _MB:.1f} MiB; {info.free_bytes / _MB:.1f} MiB of a stick stay free"
    )


@app.command(
    "info",
    epilog=examples(
        "hiperiso payload info",
        "hiperiso payload info my-payload --json | jq .components[].name",
    ),
)
def info(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="The payload; by default the one that stick create uses."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """List the content, with uncompressed sizes and versions."""
    import msgspec

    from hiperlab.payload.components import read_info

    found = read_info(folder or _default_folder())
    if as_json:
        extra = {"size_bytes": found.size_bytes, "free_bytes": found.free_bytes}
        typer.echo(msgspec.json.encode(msgspec.to_builtins(found) | extra).decode())
        return
    for part in found.components:
        size = f"{part.size_bytes / _MB:8.2f} MiB {part.files:5} files"
        typer.echo(f"{part.name:26} {part.version:20} {size}  {part.where}")
    typer.echo("")
    for name, size_bytes in found.files.items():
        typer.echo(f"{name:26} {size_bytes / _MB:8.2f} MiB")
    typer.echo(
        f"{'together':26} {found.size_bytes / _MB:8.2f} MiB; {found.free_bytes / _MB:.1f} MiB of a stick stay free"
    )


def _default_folder() -> Path:
    from hiperlab.stick.commands import default_payload

    named = os.environ.get(PAYLOAD_VARIABLE)
    return Path(named) if named else default_payload()
