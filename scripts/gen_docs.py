"""Generates documentation from the program: docs/commands.md, the manual pages in packaging/man, the marked tables
of other pages, docs/schema.

``--check`` only reports whether all of it is up to date. A marked table is in a page between
``<!-- NAME: written by scripts/gen_docs.py -->`` and ``<!-- end -->``. The text depends only on the definitions, not
on the width of a terminal or on the version of a library.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from hiperiso.contract.events import EVENTS
from hiperiso.contract.row import ISO, Where
from hiperiso.contract.schema import NAMES, schema_text
from hiperiso.contract.sections import documented_keys
from hiperiso.contract.settings import ALL_ROWS
from hiperiso.contract.words import FindingKind, LineForm

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
SOURCE: Final = DOCS.parent / "src"
_MARKED: Final = re.compile(
    r"(<!-- (?P<name>\w+): written by scripts/gen_docs\.py -->\n).*?(<!-- end -->)", re.DOTALL
)

_HEAD = """\
# Commands

Every command and option. Written by `scripts/gen_docs.py` from the program itself: change it there.

An option with an environment variable takes its default from it. Exit codes: 0 success, 1 the guest failed, 2 usage,
3 incomplete, 4 harness fault.
"""


def main() -> int:
    """Writes or checks the documentation; returns 1 when it is not up to date."""
    parser = argparse.ArgumentParser(description="Generate the parts of docs/ that describe the program.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if anything is not up to date"
    )
    arguments = parser.parse_args()
    stale = [
        (path, wanted)
        for path, wanted in generated()
        if not path.is_file() or path.read_text(encoding="utf-8") != wanted
    ]
    for path, wanted in stale:
        if arguments.check:
            name = path.relative_to(DOCS.parent)
            print(f"{name} is not up to date: run .venv/bin/python scripts/gen_docs.py", file=sys.stderr)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted, encoding="utf-8")
    return int(arguments.check and bool(stale))


def generated() -> Iterator[tuple[Path, str]]:
    """Yields each file that is generated, wholly or in part, with the text it should have."""
    yield DOCS / "commands.md", page()
    for program, summary in _PROGRAMS.items():
        yield DOCS.parent / "packaging" / "man" / f"{program}.1", man_page(program, summary)
    yield DOCS.parent / "packaging" / "bootchain" / "bootchain.1", bootchain_man_page()
    for name in NAMES:
        yield DOCS / "schema" / f"{name}.schema.json", schema_text(name)
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if _MARKED.search(text):
            yield (
                path,
                _MARKED.sub(lambda mark: mark[1] + "\n".join(TABLES[mark["name"]]()) + "\n" + mark[3], text),
            )


def _findings() -> Iterator[str]:
    yield "| kind | severity | meaning |"
    yield "|---|---|---|"
    for kind in FindingKind:
        yield f"| `{kind}` | {', '.join(kind.severities)} | {kind.meaning} |"


def _settings() -> Iterator[str]:
    """Every key of every place, and where it works."""
    yield "| key | type | default | workstation | stick | command line | environment | kernel command line | meaning |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in ALL_ROWS:
        notes = [row.help] + [f"such as `{row.example}`"] * bool(row.example) + [row.why] * bool(row.why)
        here, there = (row.applies(where) for where in (Where.WORKSTATION, Where.STICK))
        cells = (
            f"`{row.name}`",
            f"`{row.kind.metavar}`",
            row.default_text,
            *("yes" if works else "no" for works in (here, there)),
            "`ISO`" if row is ISO else f"`{row.flag}`" if here else "",
            f"`{row.variable}`" if here else "",
            f"`{row.parameter}`" if there else "",
            "; ".join(notes),
        )
        yield f"| {' | '.join(map(_cell, cells))} |"


def _sections_table() -> Iterator[str]:
    """The keys of hiperiso.json that are no settings."""
    yield "| key | type | default | workstation | stick | meaning |"
    yield "|---|---|---|---|---|---|"
    for name, section, key in documented_keys():
        also = f"; also {', '.join(f'`{alias}`' for alias in key.aliases)}" if key.aliases else ""
        works = "yes" if section.setting else "no"
        cells = (f"`{name}`", f"`{key.kind.metavar}`", key.default, works, "yes", key.help + also)
        yield f"| {' | '.join(map(_cell, cells))} |"


def _events() -> Iterator[str]:
    yield "| source | kind | meaning |"
    yield "|---|---|---|"
    for event in EVENTS:
        source, kind = event.WORDS
        kinds = [kind] if kind else list(LineForm)
        meaning = " ".join((event.__doc__ or "").split()).replace("``", "`")
        yield f"| `{source}` | {', '.join(f'`{one}`' for one in kinds)} | {meaning} |"


def _rooms(package: str) -> Iterator[str]:
    yield "| module | content |"
    yield "|---|---|"
    for folder in sorted({path.parent for path in (SOURCE / package).rglob("*") if path.suffix in _CODE}):
        name = folder.relative_to(SOURCE).as_posix()
        yield f"| `{name}/` | {_cell(_OTHER_ROOMS.get(name) or _first_sentence(folder / '__init__.py'))} |"


def _first_sentence(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("``", "`").replace(":mod:", "").strip()


_CODE: Final = (".py", ".sh", ".events")
_OTHER_ROOMS: Final = {
    "bootchain/install/hooks": "Hooks of the generators of initramfs images, and scripts in their images.",
    "bootchain/shell/fallback": "Libraries that an initramfs may have itself, which take precedence.",
    "bootchain/shell": "Libraries that shell step-scripts source, and programs of the initramfs.",
    "bootchain/steps": "The built-in steps, one file each: docs/bootchain-steps.md.",
    "hiperiso/trace/events": "The names of QEMU's trace events, one list for each tier.",
    "hiperlab/payload/onstick": "Modules for sticks only: replacements for omitted parts.",
}
"""Directories that are not Python packages."""

TABLES: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "findings": _findings,
    "settings": _settings,
    "sections": _sections_table,
    "events": _events,
    "bootchain": partial(_rooms, "bootchain"),
    "hiperiso": partial(_rooms, "hiperiso"),
    "hiperlab": partial(_rooms, "hiperlab"),
}
"""Name of a marked table -> its lines."""


def page() -> str:
    """Returns the whole page."""
    return "\n".join([_HEAD, *(_section(section) for program in _PROGRAMS for section in _sections(program))])


class Section(NamedTuple):
    """A command: its name with those above it, its help, its arguments and options with theirs, and examples."""

    path: str
    text: str
    rows: list[tuple[str, str]]
    examples: tuple[str, ...] = ()


_PROGRAMS: Final = {
    "hiperiso": "record and judge the boot of an ISO",
    "hiperiso-log": "evaluate and read recorded boots",
}


def _sections(program: str) -> Iterator[Section]:
    import typer

    from hiperiso.analysis.cli import _parser as log_parser
    from hiperlab.cli.main import app

    if program == "hiperiso":
        yield from _typer_sections(typer.main.get_command(app), program)
    else:
        yield from _argparse_sections(log_parser(), program)


def man_page(program: str, summary: str) -> str:
    """The manual page of a program, in the man macros of roff: man(7)."""
    lines = [f'.TH {program.upper()} 1 "" hiperiso "User Commands"', *_ROFF_AS_WRITTEN]
    lines += [".SH NAME", f"{program} \\- {summary}"]
    lines += [".SH SYNOPSIS", f".B {program}", "COMMAND [OPTION]... [ARGUMENT]...", ".SH COMMANDS"]
    for path, text, rows, examples in _sections(program):
        lines += [f'.SS "{_roff(path)}"', *_roff_paragraphs(text)]
        lines += [".PP", ".nf", *(f"    {_roff(line)}" for line in examples), ".fi"] if examples else []
        for label, meaning in rows:
            lines += [".TP", f".B {_roff(label)}", _roff(" ".join(meaning.split()).replace("`", ""))]
    lines += [".SH EXIT STATUS", "0 success, 1 the guest failed, 2 usage, 3 incomplete, 4 harness fault."]
    others = ", ".join(f".BR {other} (1)" for other in _PROGRAMS if other != program)
    lines += [".SH FILES", "~/.config/hiperiso/config.toml, ~/.local/state/hiperiso/logs, ~/.cache/hiperiso"]
    return "\n".join([*lines, ".SH SEE ALSO", others, ""])


_ROFF_AS_WRITTEN: Final = (".nh", ".ad l")
"""No word is broken at the end of a line: some are options, or parts of a command to copy."""


def bootchain_man_page() -> str:
    """The manual page of ``bootchain``: what it prints about itself."""
    from bootchain.__main__ import USAGE

    summary, _, text = USAGE.partition("\n\n")
    body = [_roff(line) for line in text.replace("python3 -m bootchain", "bootchain").splitlines()]
    lines = ['.TH BOOTCHAIN 1 "" bootchain "User Commands"', ".SH NAME"]
    lines += [f"bootchain \\- {_roff(summary.removeprefix('bootchain ').rstrip('.'))}"]
    return "\n".join([*lines, ".SH DESCRIPTION", ".nf", *body, ".fi", ""])


def _roff_paragraphs(text: str) -> Iterator[str]:
    for block in text.strip().split("\n\n"):
        if block.strip():
            yield ".PP"
            yield _roff(" ".join(block.split()).replace("`", ""))


def _roff(text: str) -> str:
    """Text as roff takes it: nothing is a macro or an escape, dashes are those of options."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{escaped}" if escaped[:1] in {".", "'"} else escaped


def _typer_sections(command: Any, path: str) -> Iterator[Section]:
    import typer

    if command.hidden:
        return
    parameters = command.get_params(typer.Context(command, info_name=path))  # some are made on demand
    rows = [row for parameter in parameters if parameter.name != "help" and (row := _typer_row(parameter))]
    lines = (command.epilog or "").splitlines()
    examples = tuple(line.strip() for line in lines[2:]) if lines[:2] == ["\b", "Examples:"] else ()
    yield Section(path, command.help or "", rows, examples)
    for name, child in getattr(command, "commands", {}).items():
        yield from _typer_sections(child, f"{path} {name}")


_TYPES = {
    "str": "STR",
    "text": "STR",
    "path": "PATH",
    "int": "INT",
    "integer": "INT",
    "int range": "INT",
    "float": "FLOAT",
}
"""The words for the values of options that name none, by typer's names of types."""


def _typer_row(parameter: Any) -> tuple[str, str] | None:
    if getattr(parameter, "hidden", False):
        return None
    if parameter.param_type_name == "argument":
        return parameter.metavar or parameter.name.upper(), parameter.help or ""
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    value = "" if parameter.is_flag else parameter.metavar or _values(parameter.type)
    notes = [parameter.help or ""]
    if parameter.envvar:
        variables = [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar
        notes.append(f"Environment: {', '.join(f'`{variable}`' for variable in variables)}.")
    default = parameter.default
    if (
        not parameter.is_flag
        and not parameter.required
        and isinstance(default, str | int | float)
        and default != ""
    ):
        notes.append(f"Default: `{_word(default)}`.")
    return f"{names} {value}".strip(), " ".join(filter(None, notes))


def _values(kind: Any) -> str:
    return "|".join(map(_word, kind.choices)) if kind.name == "choice" else _TYPES[kind.name]


def _word(value: Any) -> str:
    return str(getattr(value, "value", value))


def _argparse_sections(parser: argparse.ArgumentParser, path: str) -> Iterator[Section]:
    rows, children = [], {}
    helps: dict[str, str] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            children = dict(action.choices)
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
        elif not isinstance(action, argparse._HelpAction):
            value = action.metavar or "|".join(map(str, action.choices or ())) or action.dest.upper()
            label = f"{', '.join(action.option_strings)} {'' if action.nargs == 0 else value}".strip()
            rows.append((label, (action.help or "") % {"default": action.default, "prog": path}))
    lines = (parser.epilog or "").splitlines()
    examples = tuple(line.strip() for line in lines if line.startswith("  ") and "hiperiso-log " in line)
    yield Section(path, parser.description or "", rows, examples)
    for name, child in children.items():
        child.description = child.description or helps.get(name, "")
        yield from _argparse_sections(child, f"{path} {name}")


def _section(section: Section) -> str:
    path, text, rows, examples = section
    lines = [f"## `{path}`", "", *(line.strip() for line in text.strip().splitlines()), ""]
    lines += ["```text", *examples, "```", ""] if examples else []
    if rows:
        lines += ["| argument or option | meaning |", "|---|---|"]
        lines += [f"| `{_cell(label)}` | {_cell(meaning)} |" for label, meaning in rows]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
