"""Arguments and options of the commands for recorded boots, and what a shell offers for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from hiperiso.contract.row import LOG_ROOT
from hiperlab.cli.words import completed


def _of(enumeration: str) -> Callable[[str], list[str]]:
    """The words of an enumeration of `hiperiso.contract.words`, which is imported when a shell asks."""

    def offered(incomplete: str) -> list[str]:
        from hiperiso.contract import words

        return completed(*getattr(words, enumeration))(incomplete)

    return offered


def _names(incomplete: str) -> list[str]:
    """The sessions of the log root that is configured."""
    from hiperiso.errors import HiperisoError
    from hiperlab.places import default_log_root
    from hiperlab.sessions.find import LAST, session_names

    try:
        names = session_names(default_log_root())
    except HiperisoError:
        return []
    return [name for name in (LAST, *names) if name.startswith(incomplete)]


LogRoot = Annotated[
    str | None,
    typer.Option(LOG_ROOT.flag, envvar=LOG_ROOT.variable, help="Directory of the sessions.", metavar="DIR"),
]
Named = Annotated[
    str,
    typer.Argument(
        metavar="SESSION", help="A directory, a name, its unique beginning, or `last`.", autocompletion=_names
    ),
]
Several = Annotated[
    list[str],
    typer.Argument(
        metavar="SESSION...", help="Directories, names, beginnings, or `last`.", autocompletion=_names
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Stage = Annotated[
    str,
    typer.Option("--stage", metavar="STAGE", help="Ended at that stage.", autocompletion=_of("BootStage")),
]
Domain = Annotated[
    str,
    typer.Option("--domain", metavar="DOMAIN", help="That is to blame.", autocompletion=_of("FailureDomain")),
]
Sort = Annotated[
    str,
    typer.Option(
        "--sort",
        metavar="KEY",
        help="time, iso, result, stage or duration.",
        autocompletion=completed("time", "iso", "result", "stage", "duration"),
    ),
]
Form = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="FORM",
        help="table, csv or json.",
        autocompletion=completed("table", "csv", "json"),
    ),
]
