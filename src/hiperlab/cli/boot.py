"""``hiperiso boot``: from options to a recorded boot."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hiperiso.contract.environment import ENVIRONMENT
from hiperiso.contract.words import AccelChoice, BootMode, Display, FirmwareChoice, OcrChoice, TraceLevel, Vga

if TYPE_CHECKING:
    from hiperiso.session.request import BootOutcome, BootRequest


def _option(name: str, help_text: str, *flags: str, metavar: str | None = None) -> Any:
    """An option whose help names its environment variable. The value itself is read by `hiperiso.config`, so that
    an option, its variable and hiperiso.json are judged by the same rules and errors say where a value came from.
    """
    return typer.Option(*flags, help=f"{help_text} [env: {ENVIRONMENT[name]}]", metavar=metavar)


def _words(kind: type[StrEnum]) -> str:
    return "|".join(kind)


def boot(  # noqa: PLR0917 - one parameter an option
    iso: Annotated[
        str | None,
        typer.Argument(
            help=f"The ISO to boot; never modified. [env: {ENVIRONMENT['iso']}]", show_default=False
        ),
    ] = None,
    ram: Annotated[
        str | None, _option("ram", "Guest RAM in MB (2048), or like 4G.", "--ram", metavar="MB")
    ] = None,
    cpus: Annotated[str | None, _option("cpus", "Guest vCPUs (2).", "--cpus", metavar="N")] = None,
    trace: Annotated[
        str | None, _option("trace", "Trace tier (standard).", "--trace", metavar=_words(TraceLevel))
    ] = None,
    display: Annotated[
        str | None,
        _option("display", "Show the guest's screen (none).", "--display", metavar=_words(Display)),
    ] = None,
    vga: Annotated[str | None, _option("vga", "Display adapter (std).", "--vga", metavar=_words(Vga))] = None,
    firmware: Annotated[
        str | None,
        _option(
            "firmware", "Firmware (auto: what the ISO has).", "--firmware", metavar=_words(FirmwareChoice)
        ),
    ] = None,
    net_dump: Annotated[
        bool | None,
        _option("net_dump", "Give the guest a network and record it.", "--net-dump/--no-net-dump"),
    ] = None,
    cpu_features: Annotated[
        str | None,
        _option("cpu_features", "CPU features to add, such as vmx,svm.", "--cpu-features", metavar="LIST"),
    ] = None,
    boot_mode: Annotated[
        str | None,
        _option("boot_mode", "How the ISO is started (normal).", "--boot-mode", metavar=_words(BootMode)),
    ] = None,
    accel: Annotated[
        str | None,
        _option("accel", "Accelerator (auto: KVM if it works).", "--accel", metavar=_words(AccelChoice)),
    ] = None,
    timeout: Annotated[
        str | None,
        _option("timeout", "Give up after this long at native speed (300).", "--timeout", metavar="SECONDS"),
    ] = None,
    timeout_scale: Annotated[
        str | None,
        _option(
            "timeout_scale", "Multiply the timeout (3 when emulated, else 1).", "--timeout-scale", metavar="X"
        ),
    ] = None,
    expect: Annotated[
        str | None,
        _option("expect", "The stage to wait for (login or installer).", "--expect", metavar="STAGE"),
    ] = None,
    expect_text: Annotated[
        str | None,
        _option(
            "expect_text",
            "Text to wait for, on serial, screen, kernel log.",
            "--expect-text",
            metavar="REGEX",
        ),
    ] = None,
    ocr: Annotated[
        str | None,
        _option("ocr", "Read pictures without known fonts by OCR (off).", "--ocr", metavar=_words(OcrChoice)),
    ] = None,
    log_root: Annotated[
        str | None, _option("log_root", "Where sessions are kept.", "--log-root", metavar="DIR")
    ] = None,
    config: Annotated[
        str | None, _option("config", "hiperiso.json with iso_overrides.", "--config", metavar="FILE")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the final manifest alone, as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict alone.")] = False,
) -> None:
    """Boot an ISO under QEMU, record all that happens, and judge it.

    Examples:

      hiperiso boot debian.iso

      hiperiso boot --firmware uefi --ram 4096 --expect installer debian.iso

      hiperiso boot --json --timeout 120 --expect-text 'Welcome to' my.iso > manifest.json
    """
    options = {
        "ram": ram,
        "cpus": cpus,
        "trace": trace,
        "display": display,
        "vga": vga,
        "firmware": firmware,
        "net_dump": net_dump,
        "cpu_features": cpu_features,
        "boot_mode": boot_mode,
        "accel": accel,
        "timeout": timeout,
        "timeout_scale": timeout_scale,
        "expect": expect,
        "expect_text": expect_text,
        "ocr": ocr,
    }
    request = make_request(iso, log_root, config, options, os.environ)
    outcome = _record(request, as_json=as_json, quiet=quiet)
    raise typer.Exit(int(outcome.exit_code))


def make_request(
    iso: str | None, log_root: str | None, config: str | None, options: dict[str, Any], environ: Any
) -> BootRequest:
    """The boot that a command line, an environment and a configuration file ask for.

    Raises:
        UsageError: a value cannot be used, or no ISO is named.
        Unsupported: pictures are to be read, and what is needed for it is not installed.
    """
    from hiperiso.config.hiperiso_json import read_config
    from hiperiso.config.settings import Layer, environment_layer, resolve_settings
    from hiperiso.errors import UsageError
    from hiperiso.session.request import BootRequest
    from hiperlab.ocr import picture_reader
    from hiperlab.paths import default_log_root

    named = iso or environ.get(ENVIRONMENT["iso"])
    if not named:
        raise UsageError(
            "no ISO is named", hint="run `hiperiso boot FILE.iso`; `hiperiso samples list` has some"
        )
    path = Path(named).expanduser().absolute()
    config = config or environ.get(ENVIRONMENT["config"])
    layers = [read_config(Path(config)).layer_for(str(path))] if config else []
    layers += [environment_layer(environ), Layer(options, lambda name: "--" + name.replace("_", "-"))]
    settings, origins = resolve_settings(layers)
    root = Path(log_root).expanduser().absolute() if log_root else default_log_root()
    reader = picture_reader(settings.ocr)
    return BootRequest(iso=path, log_root=root, settings=settings, origins=origins, picture_reader=reader)


def _record(request: BootRequest, *, as_json: bool, quiet: bool) -> BootOutcome:
    import asyncio

    from hiperiso.session.recorder import record_boot
    from hiperlab.cli.bootview import make_view, print_outcome

    view = make_view(quiet=quiet or as_json)
    with view:
        outcome = asyncio.run(record_boot(request, view))
    print_outcome(outcome, as_json=as_json)
    return outcome
