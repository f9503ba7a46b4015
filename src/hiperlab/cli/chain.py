"""``hiperiso chain``: boot chains on the workstation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hiperlab.chain.plan import Plan, PlannedStep

app = typer.Typer(
    help="Explain, run and check boot chains (bootchain).", no_args_is_help=True, rich_markup_mode=None
)

_Steps = Annotated[
    list[Path] | None,
    typer.Option("--steps", help="A directory with step-scripts; can be repeated.", metavar="DIR"),
]
_Config = Annotated[
    Path | None, typer.Option("--config", help="Settings, as in /etc/sysconfig/bootchain.", metavar="FILE")
]


@app.command("explain")
def _explain(
    cmdline: Annotated[str, typer.Argument(help="The kernel command line.", metavar="CMDLINE")],
    steps: _Steps = None,
    config: _Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Explain a command line, step by step, without running anything.

    Shows numbers, parameters, and what each step would read. Exits 1 if any part can never succeed.

    Example:

      hiperiso chain explain 'root=bootchain bootchain=waitdev,mountfs,rootfs waitdev=CDROM: mountfs=DEVNAME'
    """
    import dataclasses
    import json

    from hiperiso.errors import ExitCode
    from hiperlab.chain.plan import explain

    plan = explain(cmdline, _scripts(steps), _settings(config))
    if as_json:
        typer.echo(json.dumps({**dataclasses.asdict(plan), "sound": plan.sound}, indent=2))
    else:
        typer.echo("\n".join(_lines(plan)))
    raise typer.Exit(ExitCode.SUCCESS if plan.sound else ExitCode.GUEST_FAILED)


@app.command("run")
def _run(  # noqa: PLR0917 - one parameter an option
    cmdline: Annotated[str, typer.Argument(help="The kernel command line.", metavar="CMDLINE")],
    steps: _Steps = None,
    config: _Config = None,
    then: Annotated[
        str,
        typer.Option(
            "--then", help="A shell command to run in the result, such as 'ls -l'.", metavar="COMMAND"
        ),
    ] = "",
    terminal: Annotated[
        str, typer.Option("--terminal", help="The terminal for the step fg.", metavar="TTY")
    ] = "",
    timeout: Annotated[float | None, typer.Option("--timeout", help="Time limit.", metavar="SECONDS")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print exit code, message, records and log as a JSON object.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not print the log.")] = False,
) -> None:
    """Run a chain on this machine, in separate mount and PID namespaces. Needs root.

    Exits 0 if the chain succeeded, 1 if it failed.

    Example:

      hiperiso chain run --then 'ls' 'root=bootchain bootchain=mountfs,overlayfs,rootfs mountfs=/srv/rescue.squashfs'
    """
    import json
    import sys

    from hiperiso.errors import ExitCode, HarnessFault
    from hiperlab.chain.run import run_chain

    ran = run_chain(
        cmdline,
        step_dirs=tuple(steps or ()),
        settings=_settings(config),
        then=then,
        terminal=terminal,
        timeout_s=timeout,
        output=sys.stderr if as_json else None,
    )
    if as_json:
        result = {
            "code": ran.code,
            "message": ran.fault or ran.message,
            "records": ran.records,
            "log": ran.log,
        }
        typer.echo(json.dumps(result, indent=2))
    elif not quiet:
        typer.echo("".join(f"{_plain(line)}\n" for line in ran.log.splitlines()), nl=False)
    if ran.fault:
        raise HarnessFault(
            ran.fault, hint="the log above ends where it stopped; --timeout SECONDS gives it more"
        )
    raise typer.Exit(ExitCode.SUCCESS if ran.code == 0 else ExitCode.GUEST_FAILED)


@app.command("check")
def _check(
    folder: Annotated[Path, typer.Argument(help="A directory with step-scripts.", metavar="DIR")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Check step-scripts for errors; uses shellcheck if installed.

    Exits 1 on errors; 0 if there are only warnings.
    """
    import dataclasses
    import json

    from hiperiso.errors import ExitCode
    from hiperlab.chain.lint import check_directory

    problems = check_directory(folder)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(problem) for problem in problems], indent=2))
    else:
        for problem in problems:
            where = f"{problem.path}:{problem.line}" if problem.line else problem.path
            typer.echo(f"{_plain(where)}: {problem.severity}: {_plain(problem.message)} [{problem.rule}]")
        errors = sum(problem.severity == "error" for problem in problems)
        typer.echo(f"{errors} error(s), {len(problems) - errors} warning(s)")
    failed = any(problem.severity == "error" for problem in problems)
    raise typer.Exit(ExitCode.GUEST_FAILED if failed else ExitCode.SUCCESS)


@app.command("install")
def _install(
    initramfs_tools: Annotated[
        Path | None,
        typer.Option("--initramfs-tools", help="Such as /etc/initramfs-tools.", metavar="DIR"),
    ] = None,
    dracut: Annotated[
        Path | None, typer.Option("--dracut", help="Such as /usr/lib/dracut/modules.d.", metavar="DIR")
    ] = None,
    mkinitcpio: Annotated[
        Path | None, typer.Option("--mkinitcpio", help="Such as /etc/initcpio.", metavar="DIR")
    ] = None,
    tree: Annotated[
        Path | None, typer.Option("--tree", help="The unpacked tree of an initramfs.", metavar="DIR")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove it.")] = False,
) -> None:
    """Install bootchain into a distribution's initramfs generator.

    Its images then boot with root=bootchain.

    Installing again replaces existing files. The same as python3 -m bootchain install.

    Example:

      hiperiso chain install --initramfs-tools /etc/initramfs-tools && update-initramfs -u
    """
    from bootchain.install.command import main
    from hiperiso.errors import UsageError

    wanted = {"initramfs-tools": initramfs_tools, "dracut": dracut, "mkinitcpio": mkinitcpio, "tree": tree}
    arguments = [f"--{name}={path}" for name, path in wanted.items() if path is not None]
    if not arguments:
        raise UsageError(
            "name at least one directory to install into",
            hint="hiperiso chain install --initramfs-tools /etc/initramfs-tools",
        )
    raise typer.Exit(main(["uninstall" if remove else "install", *arguments]))


def _scripts(folders: list[Path] | None) -> dict[str, str]:
    from hiperiso.errors import UsageError
    from hiperlab.chain.lint import builtin_steps, step_name

    found = builtin_steps()
    for folder in reversed(folders or []):
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a directory")
        found |= {step_name(path): str(path) for path in sorted(folder.iterdir()) if path.is_file()}
    return found


def _settings(config: Path | None) -> dict[str, str]:
    from bootchain.config import parse
    from hiperiso.errors import UsageError

    if config is None:
        return {}
    try:
        values, complaints = parse(config.read_text(errors="surrogateescape"))
    except OSError as error:
        raise UsageError(f"cannot read {config}: {error.strerror}") from error
    if complaints:
        raise UsageError(f"{config}: {complaints[0]}")
    return values


def _lines(plan: Plan) -> list[str]:
    lines = [
        f"{plan.mode} mode, {plan.tries} tries a step, results in {plan.mntdir}, log in {plan.log_file}",
        "",
    ]
    for step in plan.steps:
        lines += _step_lines(step)
    lines += [
        "",
        f"end: {plan.end}" + (f"; stage 2 is at {plan.rootmnt}" if "ended the chain" in plan.end else ""),
    ]
    lines += [f"  ! {problem}" for problem in plan.problems]
    return [_plain(line) for line in lines]


def _step_lines(step: PlannedStep) -> list[str]:
    if step.number is None:
        return [f"   -  {step.name}: {step.note}"]
    result = "nothing" if step.previous is None else f"step {step.previous}"
    lines = [f"{step.number:4}  {step.name}, call {step.callnum}, after {result} -> {step.destdir}"]
    lines += [f"        {name}={value}" for name, value in step.parameters]
    for read in step.reads:
        where = f": {read.path}" if read.path else ""
        lines.append(f"      ! {read.problem}" if read.problem else f"        reads {read.what}{where}")
    return lines + [f"      ! {problem}" for problem in step.problems]


def _plain(text: str) -> str:
    from hiperiso.text import plain

    return plain(text, 4000)
