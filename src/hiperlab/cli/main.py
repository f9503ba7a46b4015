"""``hiperiso``: one command line for everything.

Commands are imported when they run: ``hiperiso --help`` must not import QEMU modules or rich.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import Annotated

import typer

from hiperiso import __version__
from hiperiso.errors import ExitCode, HarnessFault, HiperisoError
from hiperiso.failures import cut, print_error
from hiperiso.streams import drop_output
from hiperlab.cli import boot as boot_command
from hiperlab.cli.chain import app as chain_app
from hiperlab.cli.config import app as config_app
from hiperlab.cli.options import SettingsCommand
from hiperlab.cli.output import outlive_the_reader
from hiperlab.cli.persistence import app as persistence_app
from hiperlab.cli.sessions import register as register_sessions
from hiperlab.payload.cli import app as payload_app
from hiperlab.qemu.cli import app as qemu_app
from hiperlab.samples.cli import app as samples_app
from hiperlab.stick.cli import app as stick_app

app = typer.Typer(
    name="hiperiso",
    help="Shows exactly what happens when an ISO boots.",
    epilog="Exit codes: 0 success, 1 the guest failed, 2 usage, 3 incomplete, 4 harness fault.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_FORWARDED = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def _print_version(on: bool) -> None:
    if on:
        typer.echo(f"hiperiso {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[
        bool, typer.Option("--debug", envvar="HIPERISO_DEBUG", help="Show the traceback of an error.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - eager: acts in its callback
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    if debug:
        os.environ["HIPERISO_DEBUG"] = "1"


app.command("boot", cls=SettingsCommand, epilog=boot_command.EXAMPLES)(boot_command.boot)
app.add_typer(chain_app, name="chain")
app.add_typer(config_app, name="config")
app.add_typer(payload_app, name="payload")
app.add_typer(persistence_app, name="persistence")
app.add_typer(qemu_app, name="qemu")
app.add_typer(samples_app, name="samples")
app.add_typer(stick_app, name="stick")


@app.command("doctor")
def _doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Check what this machine supports, and what to install.

    Exits 0 if `hiperiso boot` would work.
    """
    from hiperlab.cli.doctor import doctor

    raise typer.Exit(doctor(as_json=as_json))


@app.command("log", context_settings=_FORWARDED, add_help_option=False)
def _log(context: typer.Context) -> None:
    """Evaluate and read recorded boots: the same as hiperiso-log.

    `hiperiso log --help` lists what it does.
    """
    from hiperiso.analysis.cli import main as log_main

    sys.stdout = sys.__stdout__ or sys.stdout  # its output may be endless, and ends when its reader has gone
    raise typer.Exit(log_main(_named_sessions(context.args)))


def _named_sessions(words: list[str]) -> list[str]:
    """`analyze` takes what all commands take for a session: its name, the name's beginning, or `last`."""
    if words[:1] != ["analyze"]:
        return words
    from pathlib import Path

    from hiperlab.places import default_log_root
    from hiperlab.sessions.find import find_session

    def meant(word: str) -> str:
        is_path = word.startswith("-") or "/" in word or Path(word).exists()
        return word if is_path else str(find_session(word, default_log_root()).path)

    return [words[0], *map(meant, words[1:])]


register_sessions(app)


def main() -> None:
    """Run the command line; errors that a user can cause are printed as one line, never as a traceback."""
    outlive_the_reader()
    end_cleanly_on(signal.SIGTERM, signal.SIGHUP)
    try:
        code = app(prog_name="hiperiso", standalone_mode=False)
        sys.stdout.flush()
    except HiperisoError as error:
        code = _show(error)
    except typer.Abort:
        code = ExitCode.INCOMPLETE
    except KeyboardInterrupt:
        print("hiperiso: interrupted", file=sys.stderr)
        code = ExitCode.INCOMPLETE
    except BrokenPipeError:
        drop_output()  # the reader has gone: exit silently
        code = ExitCode.SUCCESS
    except OSError as error:
        fault = _of_the_system(error)
        fault.__cause__ = error
        code = _show(fault)
    except Exception as error:
        code = _show_click_error(error)
    sys.exit(int(code or 0))


def end_cleanly_on(*numbers: signal.Signals) -> None:
    """On these signals end like after an error: temporary files are removed. Ignored ones (nohup) stay ignored."""

    def end(number: int, _frame: object) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)  # a second one must not interrupt the removal
        raise SystemExit(128 + number)

    for number in numbers:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def _of_the_system(error: OSError) -> HiperisoError:
    """A file that could not be used, wherever that was: the user can do something about it."""
    if error.filename is None and error.errno == errno.ENOSPC:
        drop_output()
        return HarnessFault(
            "cannot write the output: no space left", hint="free some space where it is written to"
        )
    if error.filename is None or error.errno not in _HINTS:
        return _bug(error)
    return HarnessFault(f"{cut(os.fsdecode(error.filename))}: {error.strerror}", hint=_HINTS[error.errno])


def _bug(error: Exception) -> HarnessFault:
    return HarnessFault(
        f"internal error: {type(error).__name__}: {error}",
        hint="this is a bug; run again with `hiperiso --debug ...` and report what it prints",
    )


_HINTS = {
    errno.EACCES: "check who may read and write there; XDG_CACHE_HOME and --log-root name other places",
    errno.EPERM: "check who may read and write there; XDG_CACHE_HOME and --log-root name other places",
    errno.EROFS: "it is read-only; XDG_CACHE_HOME and --log-root name other places",
    errno.ENOSPC: "free some space there; XDG_CACHE_HOME and --log-root name other places",
    errno.EDQUOT: "free some of your quota there; XDG_CACHE_HOME and --log-root name other places",
    errno.ENOTDIR: "a part of this path is not a directory",
    errno.EISDIR: "it is a directory, and a file is needed",
    errno.ENAMETOOLONG: "a name may have 255 bytes, a path 4096",
    errno.ENXIO: "it is not a file that can be opened",
    errno.ELOOP: "its symbolic links go round in a circle",
    errno.EIO: "the disk reports an error",
}


def _show(error: HiperisoError) -> int:
    if os.environ.get("HIPERISO_DEBUG"):
        raise error
    print_error(error)
    return error.exit_code


def _show_click_error(error: Exception) -> int:
    """Usage errors of the option parser print themselves; anything else is reported as a bug."""
    show = getattr(error, "show", None)
    if callable(show) and hasattr(error, "exit_code"):
        show()
        return ExitCode.USAGE
    if os.environ.get("HIPERISO_DEBUG"):
        raise error
    return _show(_bug(error))


if __name__ == "__main__":
    main()
