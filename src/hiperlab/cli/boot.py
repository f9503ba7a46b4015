"""``hiperiso boot``: from options to a recorded boot."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hiperiso.cache import expanded
from hiperlab.cli.options import given, options_layer
from hiperlab.examples import examples

if TYPE_CHECKING:
    from hiperiso.config.settings import Layer
    from hiperiso.errors import ExitCode
    from hiperiso.session.request import BootOutcome, BootRequest
    from hiperlab.cli.kept import KeptBoot


EXAMPLES: Final = examples(
    "hiperiso boot debian.iso",
    "hiperiso boot --firmware uefi --ram 4096 --expect installer debian.iso",
    "hiperiso boot --medium usb debian.iso",
    "hiperiso boot disk.qcow2",
    "hiperiso boot --append console=ttyS0 --remove 'quiet splash' debian.iso",
    "hiperiso boot --kernel vmlinuz --initrd initrd.img --append console=ttyS0",
    "hiperiso boot --json --timeout 120 --expect-text 'Welcome to' my.iso > manifest.json",
    "hiperiso boot --keep --display vnc debian.iso",
    "hiperiso boot https://example.org/debian.iso --checksum https://example.org/SHA256SUMS",
    "hiperiso boot my.iso --matrix firmware=bios,uefi --matrix ram=1G,4G --jobs 2 --junit boots.xml",
    "hiperiso boot my.iso --find-min ram",
    "hiperiso boot my.iso --menu list",
    "hiperiso boot my.iso --menu all --jobs 2",
)


def boot(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print only the final manifest, as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the verdict.")] = False,
    interactive: Annotated[
        bool,
        typer.Option(
            "--interactive",
            help="After the verdict connect this terminal with the guest's serial console; Ctrl-] ends the guest.",
        ),
    ] = False,
    checksum: Annotated[
        str | None,
        typer.Option(
            help="What the image must be: sha256:HEX, or a list of checksums that names it (a file or a URL).",
            metavar="sha256:HEX|FILE|URL",
        ),
    ] = None,
    signature: Annotated[
        str | None,
        typer.Option(
            help="A detached signature (gpg) of the image, or of the list that --checksum names.",
            metavar="FILE|URL",
        ),
    ] = None,
    matrix: Annotated[
        list[str] | None,
        typer.Option(
            help="Boot with each of these values of a setting; with several, every combination.",
            metavar="NAME=VALUE,VALUE...",
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option(help="Number of parallel boots of a matrix.", min=1, max=64, metavar="N")
    ] = 1,
    find_min: Annotated[
        str | None,
        typer.Option(help="Search the minimum with which it boots: ram or disk.", metavar="ram|disk"),
    ] = None,
    junit: Annotated[
        Path | None,
        typer.Option(help="Write the results of several boots as JUnit's XML, too.", metavar="FILE"),
    ] = None,
) -> None:
    """Boot an ISO under QEMU, record it, and evaluate it.

    A disk image (raw, qcow2, VHD, VHDX, VMDK), an EFI program, a kernel or a directory is booted as well; .xz, .gz,
    .zst and .bz2 are unpacked first. A URL is fetched once, resumed where it broke off, and kept in the cache.
    """
    from hiperiso.contract.menupolicy import EVERY_ENTRY, MenuMode

    options = options_layer(context)
    request = _request(context, options, checksum, signature, quiet=quiet or as_json)
    check_files(request)  # first: a kernel may be what is booted
    check_iso(request.iso)
    if interactive:
        request = _handed_over(request)
    if "display" in request.origins:
        from hiperiso.machine.capabilities import check_display

        check_display(request.settings.display)
    if request.settings.menu.mode is MenuMode.LIST and not (matrix or find_min is not None or junit):
        from hiperlab.series.commands import Shown, list_menu

        raise typer.Exit(int(list_menu(request, shown=Shown(as_json=as_json, quiet=quiet))))
    if matrix or find_min is not None or junit or request.settings.menu == EVERY_ENTRY:
        from hiperlab.series.commands import Asked, Shown, boot_series

        chosen = frozenset(name for name, value in options.values.items() if value is not None)
        asked = Asked(axes=tuple(matrix or ()), find_min=find_min, at_once=jobs, given=chosen)
        shown = Shown(as_json=as_json, quiet=quiet, junit=junit)
        raise typer.Exit(int(boot_series(request, asked, shown)))
    raise typer.Exit(int(boot_and_print(request, as_json=as_json, quiet=quiet, interactive=interactive)))


def boot_and_print(
    request: BootRequest, *, as_json: bool, quiet: bool, interactive: bool = False
) -> ExitCode:
    """Record one boot, shown as it goes unless `quiet`, and print its outcome; returns the exit code.

    `interactive`: a guest that is kept is handed over to the person at this terminal.
    """
    from hiperiso.session.secondtry import better_of, second_try
    from hiperlab.cli.verdict import print_outcome

    kept = None
    if request.settings.keep:
        from hiperlab.cli.kept import KeptBoot

        kept = KeptBoot(as_json=as_json, interactive=interactive)
    outcome = _record(request, quiet=quiet or as_json, kept=kept)
    if other := second_try(request, outcome):
        print(f"hiperiso: {other.reason}", file=sys.stderr)
        outcome = better_of(outcome, _record(other.request, quiet=quiet or as_json))
    if not (kept and kept.printed):
        print_outcome(outcome, as_json=as_json)
    return outcome.exit_code


def _request(
    context: typer.Context, options: Layer, checksum: str | None, signature: str | None, *, quiet: bool
) -> BootRequest:
    """What is requested; an image that is named by a URL has been fetched, and verified as asked."""
    from dataclasses import replace

    from hiperiso.contract.row import CONFIG, ISO, LOG_ROOT
    from hiperiso.errors import UsageError
    from hiperlab.download.url import check_scheme, is_url

    def requested(iso: str | None) -> BootRequest:
        return make_request(iso, given(context, LOG_ROOT), given(context, CONFIG), options, os.environ)

    named = given(context, ISO) or os.environ.get(ISO.variable)
    check_scheme(named or "")
    request = requested(named)  # what is wrong with the options shows before anything is fetched
    verified = checksum is not None or signature is not None
    if verified and not named:
        raise UsageError(
            "--checksum and --signature verify an image, and none is named",
            hint="name the image, or leave them out",
        )
    if not named or not (verified or is_url(named)):
        return request
    from hiperlab.cli.image import obtain_image

    image = obtain_image(named, checksum, signature, quiet=quiet)
    return replace(requested(str(image.path)), notes=image.notes)


def _handed_over(request: BootRequest) -> BootRequest:
    """The request with a guest that is left running for the person at this terminal."""
    from dataclasses import replace

    from msgspec.structs import replace as with_settings

    from hiperlab.cli.kept import check_terminal

    check_terminal()
    return replace(request, settings=with_settings(request.settings, keep=True))


def make_request(
    iso: str | None, log_root: str | None, config: str | None, options: Layer, environ: Mapping[str, str]
) -> BootRequest:
    """The boot requested by command line, environment and configuration file.

    Raises:
        UsageError: a value is invalid, or no ISO is named.
        Unsupported: OCR is required, but not installed.
    """
    from hiperiso.config.settings import absolute_path, resolve_settings
    from hiperiso.contract.row import ISO
    from hiperiso.contract.settings import BY_ATTRIBUTE
    from hiperiso.errors import UsageError
    from hiperiso.session.request import BootRequest
    from hiperlab.ocr import picture_reader
    from hiperlab.places import default_log_root

    kernel = options.values.get("kernel") or environ.get(BY_ATTRIBUTE["kernel"].variable)
    named = iso or environ.get(ISO.variable) or kernel
    if not named:
        raise UsageError(
            "no ISO is named", hint="run `hiperiso boot FILE.iso`; `hiperiso samples list` has some"
        )
    path = absolute_path(named)
    settings, origins = resolve_settings(layers_for(path, config, options, environ))
    root = absolute_path(log_root) if log_root else default_log_root()
    reader = picture_reader(settings.ocr)
    return BootRequest(iso=path, log_root=root, settings=settings, origins=origins, picture_reader=reader)


def check_iso(path: Path) -> None:
    """Refuse a path that does not exist, before anything is created: mostly a typo.

    Raises:
        IsoError: no such file; the hint has files with similar names.
    """
    from hiperiso.errors import IsoError

    if os.path.lexists(path) and path.exists():
        return
    if path.is_symlink():
        raise IsoError(f"no such ISO: {path} is a dangling link", hint="check what it links to", missing=True)
    raise IsoError(f"no such ISO: {path}", hint=_meant_instead(path), missing=True)


def check_files(request: BootRequest) -> None:
    """Refuse a file of a setting that does not exist, as `check_iso` does for the ISO.

    Raises:
        UsageError: no such file; it names the setting.
    """
    from hiperiso.contract.settings import BY_ATTRIBUTE
    from hiperiso.errors import UsageError

    for attribute in request.origins:
        for path in _files_of(getattr(request.settings, attribute)):
            try:
                if path.exists():
                    continue
                hint = _meant_instead(path)
            except OSError as error:
                hint = f"it cannot be looked up: {error.strerror}"
            raise UsageError(f"{BY_ATTRIBUTE[attribute].flag}: no such file: {path}", hint=hint)


def _files_of(value: object) -> Iterator[Path]:
    """The files that the value of a setting names."""
    for item in value if isinstance(value, tuple) else (value,):
        path = item if isinstance(item, Path) else getattr(item, "file", None) or getattr(item, "new", None)
        if isinstance(path, Path):
            yield path


def _meant_instead(path: Path) -> str:
    from difflib import get_close_matches

    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    if folder != path.parent:
        return f"there is no {path.parent}; {folder} is there"
    try:
        names = sorted(entry.name for entry in os.scandir(folder))[:_MAX_NAMES]
    except OSError:
        return "check the path"
    if near := get_close_matches(path.name, names, n=1, cutoff=0.7):
        return f"did you mean {near[0]}?"
    images = [name for name in names if name.lower().endswith((".iso", ".img"))]
    return f"{folder} holds {', '.join(images[:5])}" if images else f"{folder} holds no .iso"


_MAX_NAMES = 5000


def layers_for(iso: Path, config: str | None, options: Layer, environ: Mapping[str, str]) -> list[Layer]:
    """What a workstation goes by: the user's defaults, hiperiso.json where one is named, environment, options.

    Raises:
        UsageError: the configuration file is invalid.
    """
    from hiperiso.config.hiperiso_json import read_config
    from hiperiso.config.settings import environment_layer
    from hiperiso.config.user import user_layer
    from hiperiso.contract.row import CONFIG

    config = config or environ.get(CONFIG.variable)
    overrides = [read_config(expanded(config)).layer_for(str(iso))] if config else []
    defaults = user_layer(environ)
    return [*([defaults] if defaults else []), *overrides, environment_layer(environ), options]


def _record(request: BootRequest, *, quiet: bool, kept: KeptBoot | None = None) -> BootOutcome:
    import asyncio

    from hiperiso.session.interrupt import interrupted_by_signals
    from hiperiso.session.recorder import record_boot
    from hiperiso.session.recovery import recover_orphans
    from hiperlab.cli.bootview import make_view

    view = make_view(quiet=quiet)
    view.on_kept = kept

    async def record() -> BootOutcome:
        with interrupted_by_signals() as interrupted:
            if kept is None:
                return await record_boot(request, view, interrupted=interrupted)
            kept.interrupted = interrupted
            try:
                return await record_boot(request, view, interrupted=interrupted)
            finally:
                await kept.settled()

    recover_orphans(request.log_root)
    with view:
        return asyncio.run(record())
