"""The commands of ``hiperiso stick``: prompts, progress and messages around the functions of this package."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from hiperiso.cache import cache_root, expanded
from hiperiso.config.hiperiso_json import check_file, config_error, read_bytes
from hiperiso.contract.stick import ESP_BYTES
from hiperiso.errors import ExitCode, UsageError
from hiperiso.stick.order import ON_STICK
from hiperiso.text import harmless
from hiperlab.cli.words import one_of
from hiperlab.debian.packages import Sources
from hiperlab.places import default_log_root, package_cache
from hiperlab.stick import collect as collecting
from hiperlab.stick.create import StickOptions, check_stick, create_stick, update_stick
from hiperlab.stick.devices import held_by_kernel, inspect_device, is_block_device, loops_on, losses, refusals
from hiperlab.stick.display import Bar, console, print_json, read_errors_reported, write_errors_reported
from hiperlab.stick.formats import FILESYSTEMS
from hiperlab.stick.image import open_data_of
from hiperlab.stick.layout import MIN_SIZE_BYTES, parse_size, plan_layout, size_text
from hiperlab.stick.listing import Listing, list_stick
from hiperlab.stick.needs import PAYLOAD, STICK, check_programs, on_filesystem
from hiperlab.stick.payload import Payload, read_payload
from hiperlab.stick.settings_file import DEFAULT_CONFIG, parse_stick_config
from hiperlab.stick.unmet import unmet
from hiperlab.stick.verify import Verification, verify_stick


@dataclass(frozen=True)
class SystemRequest:
    """The options for the system of a stick."""

    payload: Path | None = None
    secure_boot: bool | None = None
    grub_efi: Path | None = None
    kernel_options: str | None = None


@dataclass(frozen=True)
class CreateRequest:
    """The options of ``create``."""

    target: Path
    size: str
    filesystem: str
    config: Path | None
    system: SystemRequest
    seed: str = ""
    yes: bool = False
    force: bool = False


def create(request: CreateRequest) -> None:
    """Create a stick, after all checks and the confirmation.

    Raises:
        UsageError: refused, or not confirmed.
        HarnessFault: a tool is missing or fails.
    """
    one_of(FILESYSTEMS, request.filesystem, option="--filesystem")
    size_bytes, lost = _examine(request)
    plan_layout(size_bytes)
    check_programs(STICK, on_filesystem(request.filesystem), what="stick create")  # before anything is erased
    config = _read_config(request.config)
    payload = _payload(request.system.payload)
    if lost and not request.yes:
        _confirm(request.target, lost)
    payload = payload or _build_payload()
    with write_errors_reported(request.target), Bar("writing", ESP_BYTES) as bar:
        options = _options(
            request.system, payload, bar, config=config, filesystem=request.filesystem, seed=request.seed
        )
        options = replace(options, force=request.force)
        create_stick(request.target, size_bytes, options)
    for line in unmet(parse_stick_config(config).overrides.rules, payload.manifest.versions):
        typer.echo(f"hiperiso: {harmless(line)}", err=True)
    console().print(
        Text(f"{harmless(str(request.target))} is ready: copy ISOs into /ISOs, or hiperiso stick add")
    )


def update(target: Path, system: SystemRequest) -> None:
    """Update a stick's system.

    Raises:
        UsageError: not a stick, or in use.
        HarnessFault: a tool is missing or fails.
    """
    payload = _payload(system.payload)
    if payload is None:
        check_stick(target)  # before minutes of work
        payload = _build_payload()
    with write_errors_reported(target), Bar("writing", ESP_BYTES) as bar:
        repaired = update_stick(target, _options(system, payload, bar))
    for line in repaired:
        console().print(Text(f"repaired: {harmless(line)}"))
    console().print(Text(f"{harmless(str(target))} is up to date"))


def verify(target: Path, *, as_json: bool) -> int:
    """Check a stick; returns the exit code."""
    with read_errors_reported(target), Bar("reading", ESP_BYTES, quiet=as_json) as bar:
        result = verify_stick(target, progress=bar.advance)
    if as_json:
        print_json(_verification_json(target, result))
    else:
        _print_verification(target, result)
    return ExitCode.HARNESS_FAULT if result.broken else ExitCode.SUCCESS


def list_isos(target: Path, *, as_json: bool) -> None:
    """Show the ISOs of a stick."""
    with read_errors_reported(target), open_data_of(target) as data:
        listing = list_stick(data)
    if as_json:
        print_json(asdict(listing))
        return
    _print_listing(target, listing)


def collect(target: Path, log_root: Path | None, *, as_json: bool) -> int:
    """Collect the sessions of a stick; returns the exit code."""
    root = expanded(log_root or default_log_root()).absolute()
    results: list[collecting.Collected] = []
    with read_errors_reported(target), open_data_of(target) as data:
        plan = collecting.plan_collect(data)
        with Bar("collecting", plan.size_bytes, quiet=as_json) as bar:
            for item in collecting.collect(data, plan, root, source=str(target), progress=bar.advance):
                results.append(item)
                bar.describe(item.session_id)
    if as_json:
        print_json({"log_root": str(root), "sessions": [_collected_json(item) for item in results],
                     "passed_over": list(plan.passed_over)})  # fmt: skip
    else:
        _print_collected(root, plan, results)
    return ExitCode.HARNESS_FAULT if any(item.problems for item in results) else ExitCode.SUCCESS


# ── prompts ──


def _examine(request: CreateRequest) -> tuple[int, list[str]]:
    """The size of the new stick, and what would be lost; empty for a new image file."""
    target = request.target
    if is_block_device(target):
        device = inspect_device(target)
        problems = refusals(device, needed_bytes=MIN_SIZE_BYTES, force=request.force)
        if not problems and held_by_kernel(target):
            problems = [f"{target} is in use"]
        if problems:
            raise UsageError(
                "; ".join(problems), hint="lsblk shows the disks of this machine and what uses them"
            )
        return device.size_bytes, [device.title, *losses(device)]
    if target.exists() and not target.is_file():
        raise UsageError(f"{target} is neither a file nor a block device")
    if target.parts[:2] == ("/", "dev"):
        raise UsageError(f"{target} is not a device of this machine", hint="lsblk lists them")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"no such directory: {target.absolute().parent}")
    if loops := (loops_on(target) if target.exists() else []):
        raise UsageError(f"{target} is attached to {', '.join(loops)}", hint="detach it first: losetup -d")
    lost = [f"{target}: a file of {size_text(target.stat().st_size)}"] if target.exists() else []
    return parse_size(request.size), lost


def _confirm(target: Path, lost: list[str]) -> None:
    """Ask for the name of the target: a yes is typed too easily."""
    typer.echo("Everything on it will be erased:", err=True)
    for line in lost:
        typer.echo(f"  {harmless(line)}", err=True)
    if not sys.stdin.isatty():
        raise UsageError("cannot ask for confirmation without a terminal", hint="use --yes to skip it")
    answer = typer.prompt(f"Type {target.name} to continue", default="", show_default=False, err=True)
    if answer.strip() not in (target.name, str(target)):
        raise UsageError("not confirmed: nothing was written")


def _read_config(path: Path | None) -> bytes:
    if path is None:
        return DEFAULT_CONFIG
    raw = read_bytes(path)
    checked = check_file(raw, str(path), ON_STICK)
    if checked.errors:
        raise config_error(str(path), checked.errors)
    for warning in checked.faults:
        typer.echo(f"hiperiso: {harmless(warning.in_file(str(path)))}", err=True)
    return raw


def _payload(folder: Path | None) -> Payload | None:
    """The payload; None if none is named, and none was built yet."""
    path = folder or default_payload()
    return None if folder is None and not path.is_dir() else read_payload(path)


def _build_payload() -> Payload:
    """Build the default payload, as ``hiperiso payload build`` does.

    Raises:
        HarnessFault: something is missing on this machine.
    """
    from hiperlab.payload.build import PayloadSpec, build_payload
    from hiperlab.payload.progress import pieces_bar

    typer.echo(f"hiperiso: no payload was built yet: building it, once, {_BUILD_TAKES}", err=True)
    check_programs(PAYLOAD, what="payload build")
    start_s = time.monotonic()
    with pieces_bar("packing") as show_progress:
        build_payload(
            PayloadSpec(),
            default_payload(),
            sources=Sources(package_cache()),
            progress=show_progress,
            on_step=lambda text: typer.echo(f"hiperiso: {text}", err=True),
        )
    typer.echo(f"hiperiso: the payload was built in {time.monotonic() - start_s:.0f} s", err=True)
    return read_payload(default_payload())


_BUILD_TAKES = "takes one to five minutes"
"""On two cores; most of it is the compression."""


def default_payload() -> Path:
    """The default directory of the payload, for ``payload build`` and for sticks."""
    return cache_root() / "payload"


def _options(
    system: SystemRequest,
    payload: Payload,
    bar: Bar,
    *,
    config: bytes = DEFAULT_CONFIG,
    filesystem: str = "exfat",
    seed: str = "",
) -> StickOptions:
    return StickOptions(
        payload=payload,
        sources=Sources(package_cache()),
        filesystem=filesystem,
        secure_boot=system.secure_boot,
        grub_efi=system.grub_efi,
        config=config,
        kernel_options=system.kernel_options,
        seed=seed,
        on_step=bar.describe,
        progress=bar.advance,
    )


# ── output ──


def _verification_json(target: Path, result: Verification) -> dict[str, Any]:
    manifest = result.manifest
    return {
        "target": str(target),
        "whole": not result.broken,
        "findings": [asdict(finding) for finding in result.findings],
        "files_checked": result.files_checked,
        "filesystem": result.filesystem,
        "grub": manifest.grub if manifest else None,
        "hiperiso_version": manifest.hiperiso_version if manifest else None,
        "versions": manifest.versions if manifest else {},
    }


def _print_verification(target: Path, result: Verification) -> None:
    out = console()
    for finding in result.findings:
        out.print(Text(f"{'broken' if finding.broken else 'note'}: {harmless(finding.text)}"))
    if result.broken:
        out.print(Text(f"{harmless(str(target))} is broken", style="bold red"))
        return
    manifest = result.manifest
    version = f", made by hiperiso {harmless(manifest.hiperiso_version)}" if manifest else ""
    checked = f"{result.files_checked} files checked, data on {result.filesystem}{version}"
    text = f"{harmless(str(target))} is intact: {checked}"
    out.print(Text(text, style="bold green"))


def _print_listing(target: Path, listing: Listing) -> None:
    out = console()
    table = Table(
        title=Text(f"{harmless(str(target))}: {size_text(listing.free_bytes)} free"),
        title_justify="left",
    )
    for heading in ("in the menu", "file", "size", "settings"):
        table.add_column(heading, overflow="fold")
    for iso in listing.isos:
        words = [f"{name}={value} ({iso.why.get(name, '')})" for name, value in iso.settings.items()]
        if iso.problem:
            words.append("cannot be used: " + iso.problem.replace("; ", "\n"))
        if iso.warning:
            words.append(f"warning: {iso.warning}")
        title = harmless(iso.title) + ("  (default)" if iso.default else "")
        table.add_row(
            Text(title),
            Text(harmless(iso.path)),
            size_text(iso.size_bytes),
            Text(harmless("\n".join(words))),
        )
    if listing.isos:
        out.print(table)
    else:
        out.print(
            Text(f"no ISO on {harmless(str(target))}: copy files into /ISOs, or use hiperiso stick add")
        )
    for problem in listing.problems:
        out.print(Text(f"hiperiso.json: {harmless(problem)}"))


def _collected_json(item: collecting.Collected) -> dict[str, Any]:
    return asdict(item) | {"path": str(item.path) if item.path else None}


def _print_collected(root: Path, plan: collecting.CollectPlan, results: list[collecting.Collected]) -> None:
    out = console()
    for item in results:
        words = ["collected before" if item.already else "collected"]
        if item.path is None:
            words = ["NOT collected"]
        elif item.path.name != item.session_id:
            words.append(f"as {item.path.name}: another session has that name")
        if item.recovered:
            words.append("its recorder had been interrupted")
        out.print(Text(f"{harmless(item.session_id)}: {', '.join([*words, *map(harmless, item.problems)])}"))
    for name in plan.passed_over:
        out.print(Text(f"{harmless(name)}: not a session, left on the stick"))
    new = sum(1 for item in results if item.path and not item.already)
    out.print(Text(f"{new} new of {len(results)} in {root}; hiperiso list shows them"))
