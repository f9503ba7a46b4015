"""The recorder and its libraries, compiled ahead of time, with the modules they need from the standard library.

The dependencies are determined under the interpreter that will run on the stick, the system's: see
`hiperlab.systempython`.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import hiperiso
from bootchain.initramfs import LIB
from hiperiso.errors import HarnessFault
from hiperiso.images import cpio
from hiperlab.initramfs.libraries import program_entries
from hiperlab.systempython import INTERPRETER, run_program

PLACE: Final = "/usr/lib/hiperiso"
"""Where the packages are in the initramfs."""

LIBRARIES: Final = ("msgspec", "qemu.qmp")
"""The packages that the recorder may use in addition to the standard library."""

BUNDLE: Final = "bundle"
"""The module that ``/init`` imports first, which halves the time of the others."""

PREPARED: Final = "prepared"
"""The module that a program imports before it defines classes and patterns."""

_PACKAGE = Path(hiperiso.__file__).parent
_ON_STICK = Path(__file__).parent / "onstick"  # not a package: its files only run on a stick
_PROGRAMS = ("machine/kvm_guest.py",)  # started by path: not compiled
_NOT_DATA = (".py", ".pyc", ".typed")
_ENCODINGS = (
    *(
        "ascii",
        "latin_1",
        "utf_8",
        "utf_8_sig",
        "utf_16",
        "utf_16_be",
        "utf_16_le",
        "utf_32",
        "cp437",
        "cp1252",
    ),
    *("idna", "punycode", "unicode_escape", "raw_unicode_escape", "aliases"),
)
"""Found by name when the program runs: no import statement shows them."""

_PID_1 = ("bootchain.init.main", "bootchain.daemon.main", "bootchain.waiting")
_ROOTS = (
    BUNDLE,
    PREPARED,
    *_PID_1,
    "_sha1",
    "site",
    "_sitebuiltins",
    "runpy",
    *(f"encodings.{name}" for name in _ENCODINGS),
)
_NEVER = (
    *("test", "unittest", "pydoc", "doctest", "pdb", "distutils", "lib2to3", "ensurepip", "venv", "idlelib"),
    *("setuptools", "pkg_resources", "pip", "typing_extensions", "tkinter", "turtle", "webbrowser"),
    *("readline", "rlcompleter", "sqlite3", "multiprocessing", "xmlrpc", "xml", "http", "ftplib", "netrc"),
    *("getpass", "_pydecimal", "_pyio", "attr", "attrs", "pydantic", "yaml", "tomli", "tomli_w", "urwid"),
    *(
        "pygments",
        "urwid_readline",
        "sitecustomize",
        "usercustomize",
        "apport_python_hook",
        "_ssl",
        "_hashlib",
    ),
)

_LAZY: Final = ("inspect", "traceback", "ipaddress", "bz2", "lzma")
"""Modules of the standard library that others import, but only use in rare functions."""


def recorder_entries(scratch: Path, *, start: str) -> Iterator[cpio.Entry]:
    """Yield the recorder, its libraries and their Python modules; without bootchain and the interpreter.

    Args:
        scratch: an empty directory for intermediate files.
        start: the module that the step imports, bundled with its dependencies.

    Raises:
        HarnessFault: a library is missing, or the system's Python cannot run them.
    """
    stage, out = scratch / "stage", scratch / "out"
    stage.mkdir()
    for name, folder in package_folders().items():
        _stage(stage, name, folder)
    for path in sorted(_ON_STICK.glob("[!_]*.py")):
        shutil.copyfile(path, stage / path.name)
    order = {
        "stage": str(stage),
        "out": str(out),
        "place": PLACE,
        "bootchain": LIB,
        "never": _NEVER,
        "roots": _ROOTS,
        "lazy": _LAZY,
        "early": [*_PID_1, start],
        "modules": _own_modules(),
    }
    try:
        order["early"] = run_program("list_loaded", order)
        libraries: dict[str, str] = run_program("compile_recorder", order)["libraries"]
    except HarnessFault as fault:
        raise HarnessFault(
            f"the system's Python ({INTERPRETER}) cannot run the recorder: {fault.message}",
            hint="install hiperiso under the system's version of Python: its compiled libraries must fit",
        ) from None
    yield from program_entries([(place.lstrip("/"), Path(path)) for place, path in libraries.items()])
    yield from cpio.tree(out)
    for path in sorted(_PACKAGE.rglob("*")):
        inside = path.relative_to(_PACKAGE).as_posix()
        if path.is_file() and (path.suffix not in _NOT_DATA or inside in _PROGRAMS):
            yield cpio.regular(f"{PLACE}/hiperiso/{inside}".lstrip("/"), path.read_bytes())


def on_stick(name: str) -> str:
    """The text of a file that only runs on a stick. A name with an underscore: a program, which has its own place."""
    return (_ON_STICK / name).read_text()


def package_folders() -> dict[str, Path]:
    """The directory of each included package.

    Raises:
        HarnessFault: one is not installed.
    """
    folders = {}
    for name in ("bootchain", "hiperiso", *LIBRARIES):
        try:
            spec = importlib.util.find_spec(name)
        except ModuleNotFoundError:  # a parent is missing
            spec = None
        places = list(spec.submodule_search_locations or ()) if spec else []
        if not places:
            raise HarnessFault(f"the Python package {name} is not installed", hint="pip install hiperiso")
        folders[name] = Path(places[0])
    return folders


def _stage(stage: Path, name: str, folder: Path) -> None:
    *parents, last = name.split(".")
    for parent in parents:  # modulefinder does not support namespace packages
        stage /= parent
        stage.mkdir(exist_ok=True)
        (stage / "__init__.py").touch()
    (stage / last).symlink_to(folder)


def _own_modules() -> list[str]:
    """Every module of the recorder except programs that run when imported."""
    names = []
    for path in sorted(_PACKAGE.rglob("*.py")):
        parts = list(path.relative_to(_PACKAGE).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        if parts[-1:] != ["__main__"]:
            names.append(".".join(("hiperiso", *parts)))
    return names
