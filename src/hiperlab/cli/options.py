"""Options of the command line, generated from the table of settings: one per row.

They are created when a command is used, not when it is defined, to keep ``hiperiso --help`` fast.
"""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from hiperiso.config.settings import Layer
    from hiperiso.contract.row import Row

_VALUES = "hiperlab.cli.options"


class SettingsCommand(TyperCommand):
    """A command with an argument for the ISO and an option for every setting.

    Its function takes the context, and reads the values with `given` or `options_layer`.
    """

    @cached_property
    def _made(self) -> list[Any]:
        made = _made()
        self.params[:0] = made
        return made

    def get_params(self, ctx: Any) -> Any:  # noqa: D102 - of the base class
        return super().get_params(ctx) if self._made else []

    def invoke(self, ctx: Any) -> Any:  # noqa: D102 - of the base class
        ctx.meta[_VALUES] = {made.name: ctx.params.pop(made.name) for made in self._made}
        return super().invoke(ctx)


def given(context: typer.Context, row: Row) -> Any:
    """The value of a row on the command line; None if not given."""
    return context.meta[_VALUES].get(row.name)


def options_layer(context: typer.Context) -> Layer:
    """The settings that were given on the command line."""
    from hiperiso.config.settings import Layer
    from hiperiso.contract.settings import ROWS

    # A repeated option that is not given is an empty list: it must not hide what a file says.
    values = {
        name: value for name, value in context.meta[_VALUES].items() if name in ROWS and value not in ([], ())
    }
    return Layer(values, lambda name: ROWS[name].flag)


def _made() -> list[Any]:
    """The parameters of the parser, made by typer from a signature with one per row."""
    from hiperiso.contract.row import ISO, Where
    from hiperiso.contract.settings import ALL_ROWS

    def function() -> None: ...

    parameters = [
        inspect.Parameter(
            row.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=_argument(row)
            if row is ISO
            else _option(row, hidden=not row.applies(Where.WORKSTATION)),
            default=None,
        )
        for row in ALL_ROWS
    ]
    vars(function)["__signature__"] = inspect.Signature(parameters)
    app = typer.Typer(add_completion=False)
    app.command()(function)
    return list(typer.main.get_command(app).params)


def _argument(row: Row) -> Any:
    return Annotated[str | None, typer.Argument(help=_help(row), metavar="ISO", show_default=False)]


def _option(row: Row, *, hidden: bool) -> Any:
    """The option of a row. Values are read by `hiperiso.config`, so that an option, its variable and hiperiso.json are
    judged by the same rules and errors say where a value came from. What cannot be used here is hidden, and refused
    there with the reason.
    """
    if row.kind.flag:
        flags = f"{row.flag}/--no-{row.flag.removeprefix('--')}"
        return Annotated[bool | None, typer.Option(flags, help=_help(row), hidden=hidden)]
    kind: Any = list[str] if row.kind.repeated else str
    choices = getattr(row.kind, "choices", ())

    def complete(incomplete: str) -> list[str]:
        return [word for word in choices if word.startswith(incomplete)]

    return Annotated[
        kind | None,
        typer.Option(
            row.flag,
            help=_help(row),
            metavar=row.kind.metavar,
            hidden=hidden,
            autocompletion=complete if choices else None,
        ),
    ]


def _help(row: Row) -> str:
    return f"{row.explained} [env: {row.variable}]"
