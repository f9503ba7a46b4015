"""Arguments and options of the commands for recorded boots, and what a shell offers for them."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from hiperiso.contract.row import LOG_ROOT
from hiperlab.cli.words import completed

FORMS: Final = ("table", "csv", "json")
"""How a list is printed."""

_WORDS: Final = "hiperiso.contract.words"


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
    typer.Option(
        "--stage", metavar="STAGE", help="Ended at that stage.", autocompletion=completed(_WORDS, "BootStage")
    ),
]
Domain = Annotated[
    str,
    typer.Option(
        "--domain",
        metavar="DOMAIN",
        help="That is to blame.",
        autocompletion=completed(_WORDS, "FailureDomain"),
    ),
]
Sort = Annotated[
    str,
    typer.Option(
        "--sort",
        metavar="KEY",
        help="time, iso, result, stage or duration.",
        autocompletion=completed("hiperlab.sessions.select", "SortBy"),
    ),
]
Form = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="FORM",
        help="table, csv or json.",
        autocompletion=completed(__name__, "FORMS"),
    ),
]
