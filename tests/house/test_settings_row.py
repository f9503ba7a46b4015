"""A setting is one row: added to a copy of the sources it is found in every place, with nothing else changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from .repo import ROOT, SOURCE

ROWS = """\
    colour: Annotated[
        str,
        Row(kind=Name("a colour", "[a-z]+"), help="A throw-away setting", example="red"),
    ] = "blue"
    shelves: Annotated[
        tuple[Path, ...],
        Row(
            kind=Several(File(), separator=":", repeated=True),
            help="Throw-away paths",
            example="a.img",
            where=Where.STICK,
            why="there is no shelf elsewhere",
        ),
    ] = ()
    crate: Annotated[
        str | None,
        Row(kind=Text(), help="A throw-away line", example="x", carried=Carried.FILE),
    ] = None

"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources with two rows more."""
    copy = tmp_path_factory.mktemp("row") / "src"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    table = copy / "hiperiso/contract/settings.py"
    text = table.read_text()
    assert text.count("    def timeout_in_force_s") == 1
    table.write_text(text.replace("    def timeout_in_force_s", ROWS + "    def timeout_in_force_s"))
    return copy


def python(sources: Path, *words: str, exit_code: int = 0, **environ: str) -> str:
    """What a program prints that runs from these sources; with another exit code, what it complains of."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HIPERISO_")}
    environment = inherited | {"PYTHONPATH": str(sources), "COLUMNS": "200"} | environ
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == exit_code, done.stdout + done.stderr
    return done.stderr if exit_code else done.stdout


def hiperiso(sources: Path, *words: str, exit_code: int = 0, **environ: str) -> str:
    return python(sources, "-m", "hiperlab.cli.main", *words, exit_code=exit_code, **environ)


def evaluate(sources: Path, code: str) -> Any:
    """The value that `code` leaves in ``result``."""
    program = f"import json\n{textwrap.dedent(code)}\nprint(json.dumps(result, default=str))"
    return json.loads(python(sources, "-c", program))


def test_option_with_example_default_and_variable(sources: Path) -> None:
    help_text = hiperiso(sources, "boot", "--help")
    assert "--colour NAME" in help_text
    words = " ".join(help_text.split())
    assert "A throw-away setting (such as red; default: blue). [env: HIPERISO_COLOUR]" in words
    assert "--shelves" not in help_text  # means nothing here
    assert "--ram MB" in help_text


def test_option_variable_and_origin(sources: Path) -> None:
    def explained(*words: str, variable: str = "") -> Any:
        words = ("config", "explain", "--json", *words)
        colour = json.loads(hiperiso(sources, *words, HIPERISO_COLOUR=variable))["colour"]
        return colour["value"], colour["origin"], colour["source"], colour["instead_of"]

    green = {"value": "green", "origin": "HIPERISO_COLOUR", "source": "environment"}
    assert explained() == ("blue", "default", "default", [])
    assert explained(variable="green") == (*green.values(), [])
    assert explained("--colour", "RED", variable="green") == ("red", "--colour", "command line", [green])


def test_refusals(sources: Path, tmp_path: Path) -> None:
    iso = str(tmp_path / "a.iso")
    assert "--colour: '7' is not a colour" in hiperiso(sources, "boot", iso, "--colour", "7", exit_code=2)
    assert "HIPERISO_COLOUR: '7'" in hiperiso(sources, "boot", iso, exit_code=2, HIPERISO_COLOUR="7")
    refused = hiperiso(sources, "boot", iso, "--shelves", "x", "--shelves", "y", exit_code=2)
    assert "--shelves: shelves does not apply on a workstation: there is no shelf elsewhere" in refused


def test_kernel_parameter(sources: Path) -> None:
    result = evaluate(
        sources,
        """
        from hiperiso.stick.order import read_order, settings_of
        line = "hiperiso_colour=red hiperiso_shelves=/a:b hiperiso_shelves=/c"
        settings, origins = settings_of(read_order(line), "/ISOs/x.iso", None)
        result = [settings.colour, settings.shelves, origins]
        """,
    )
    origins = {"colour": "hiperiso_colour", "shelves": "hiperiso_shelves"}
    assert result == ["red", ["/mnt/usb/a:b", "/mnt/usb/c"], origins]


def test_schema(sources: Path) -> None:
    schema = json.loads(hiperiso(sources, "config", "schema"))
    settings = schema["properties"]["iso_overrides"]["additionalProperties"]["properties"]
    assert settings["colour"]["default"] == "blue" and "throw-away" in settings["colour"]["description"]
    assert settings["shelves"]["anyOf"][0]["type"] == "array"


def test_table_of_the_docs(sources: Path) -> None:
    code = (
        f"import runpy\nrows = runpy.run_path({str(ROOT / 'scripts/gen_docs.py')!r})['TABLES']['settings']()"
    )
    (line,) = [line for line in evaluate(sources, f"{code}\nresult = list(rows)") if "`colour`" in line]
    assert "| blue | yes | yes | `--colour` | `HIPERISO_COLOUR` | `hiperiso_colour` |" in line


def test_menu_of_a_stick(sources: Path) -> None:
    menu = evaluate(
        sources,
        """
        from hiperlab.stick.menu import MenuFacts, render_menu
        from hiperlab.stick.menuconfig import parse_menu
        settings = {"colour": "red", "crate": "x", "shelves": ["/a:b", "/c"]}
        result = render_menu(MenuFacts("x", parse_menu({"iso_overrides": {"a.iso": settings}})))
        """,
    )
    words = ("hiperiso_colour=red", "hiperiso_shelves=/a:b", "hiperiso_shelves=/c")
    for slot, word in enumerate(words, start=1):
        assert f"set hiperiso_o{slot}='{word}'" in menu and f" $hiperiso_o{slot}" in menu
    assert "hiperiso_o4" not in menu  # the recorder reads it from hiperiso.json


def test_list_of_a_stick(sources: Path, tmp_path: Path) -> None:
    for name in ("ISOs", "hiperiso"):
        (tmp_path / name).mkdir()
    (tmp_path / "ISOs/a.iso").touch()
    document = {"iso_overrides": {"*": {"colour": "red", "shelves": ["/x.img"]}}}
    (tmp_path / "hiperiso/hiperiso.json").write_text(json.dumps(document))
    (iso,) = json.loads(hiperiso(sources, "stick", "list", str(tmp_path), "--json"))["isos"]
    assert iso["settings"] == {"colour": "red", "shelves": ["/x.img"]}
    assert iso["why"]["colour"] == "/hiperiso/hiperiso.json: iso_overrides['*'].colour"
