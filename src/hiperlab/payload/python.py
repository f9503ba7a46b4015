"""The recorder and its libraries, compiled ahead of time, with what they need of the standard library.

Two ways to find what is needed, together: every module is imported once (what compiled modules import shows only
then), and every import statement is followed (what is imported later, inside functions). Both happen under the
interpreter that will run on the stick: the system's.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import hiperiso
from bootchain.initramfs import LIB
from hiperiso.errors import HarnessFault
from hiperlab.archive import cpio
from hiperlab.initramfs.libraries import program_entries
from hiperlab.initramfs.python import INTERPRETER
from hiperlab.run import run_text

PLACE: Final = "/usr/lib/hiperiso"
"""Where the packages are in the initramfs."""

LIBRARIES: Final = ("msgspec", "qemu.qmp")
"""The packages that the recorder may use beside the standard library."""

BUNDLE: Final = "bundle"
"""The module that PID 1 imports first, so that the others take half the time."""

PREPARED: Final = "prepared"
"""The module that a program imports before it defines classes and patterns."""

_PACKAGE = Path(hiperiso.__file__).parent
_ON_STICK = Path(__file__).parent / "onstick"  # no package: what is in it runs on a stick alone
_PROGRAMS = ("machine/kvm_guest.py",)  # started by their path: source stays source
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
"""Modules of the standard library that other ones import, and use in their rarer functions alone."""

_EARLY = """
import importlib.machinery, importlib.util, json, sys
order = json.loads(sys.argv[1])

class Lazy:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in order["lazy"]:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec

sys.modules["_hashlib"] = None
sys.path.insert(0, order["stage"])
sys.meta_path.insert(0, Lazy)
for name in order["early"]:
    importlib.import_module(name)
print(json.dumps([name for name in sys.modules if name != "__main__"]))
"""
"""Says which modules there are when the programs of the start have been imported, as the bundle imports them."""

_SCRIPT = """
import importlib, importlib.machinery, importlib.util, json, marshal, modulefinder, os, sys
order = json.loads(sys.argv[1])

import _sre, dataclasses, hashlib, re, types
methods, patterns, asked = {}, {}, []
plain_compile = re._compiler.compile

def run(text, variables, names):
    code = compile(text, "<string>", "exec", dont_inherit=True)
    methods[hashlib.sha1(text.encode()).digest()] = marshal.dumps(code)
    exec(code, variables, names)

def note_pattern(pattern, flags, code, *groups):
    if asked:
        patterns[asked[-1]] = marshal.dumps((int(flags), [int(word) for word in code], *groups))
    return _sre.compile(pattern, flags, code, *groups)

def compile_pattern(pattern, flags=0):
    asked.append((pattern, int(flags)))
    try:
        return plain_compile(pattern, flags)
    finally:
        asked.pop()

dataclasses.exec = run
re._compiler.compile = compile_pattern
re._compiler._sre = types.SimpleNamespace(**{**vars(_sre), "compile": note_pattern})
stage = order["stage"] + "/"
sys.dont_write_bytecode = True
sys.path.insert(0, order["stage"])
sys.modules["_hashlib"] = None  # OpenSSL's; Python has its own hashes
for name in order["modules"]:
    importlib.import_module(name)
dataclasses.exec = exec
re._compiler.compile = plain_compile
used = sorted(name for name, module in sys.modules.items() if getattr(module, "__file__", None))
finder = modulefinder.ModuleFinder(excludes=[name for name in order["never"] if not sys.modules.get(name)])
for name in [*used, *order["roots"]]:
    if name != "__main__":
        try:
            finder.import_hook(name)
        except ImportError:
            if name.startswith("hiperiso"):
                raise
header = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)  # by hash, unchecked
libraries, modules = {}, {}
for name, module in sorted(finder.modules.items()):
    path = module.__file__
    if not path or name == "__main__" or not path.startswith(("/usr/lib/", stage)):
        continue
    there = path.startswith(stage + "bootchain/")  # another part of the payload
    folder = order["bootchain"] if there else order["place"]
    place = folder + "/" + path.removeprefix(stage) if path.startswith(stage) else path
    if path.endswith(".so"):
        libraries[place] = os.path.realpath(path)
        continue
    with open(path, "rb") as file:
        code = marshal.dumps(compile(file.read(), place, "exec", dont_inherit=True, optimize=0))
    if not there:
        target = order["out"] + place + "c"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(header + code)
    if name in order["early"] and importlib.machinery.FrozenImporter.find_spec(name) is None:
        modules[name] = (place + "c", bool(module.__path__), None if name in order["lazy"] else code)
prepared = (dict(sorted(methods.items())), dict(sorted(patterns.items(), key=repr)))
for name, value in (("bundle", dict(sorted(modules.items()))), ("prepared", prepared)):
    with open(order["out"] + order["place"] + "/" + name + ".bin", "wb") as file:
        file.write(marshal.dumps(value))
print(json.dumps({"libraries": libraries}))
"""


def recorder_entries(scratch: Path, *, start: str) -> Iterator[cpio.Entry]:
    """Yield the recorder, its libraries and what they need of Python; bootchain and the interpreter are not among it.

    Args:
        scratch: an empty folder for what lies in between.
        start: the module that the step imports: what comes with it lies in one file, too.

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
        order["early"] = _run(_EARLY, order)
        libraries: dict[str, str] = _run(_SCRIPT, order)["libraries"]
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


def _run(script: str, order: dict[str, Any]) -> Any:
    argv = [str(INTERPRETER), "-I", "-S", "-X", "no_debug_ranges", "-c", script, json.dumps(order)]
    return json.loads(run_text(argv, package="python3"))


def package_folders() -> dict[str, Path]:
    """The folder of each package that goes along.

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
    for parent in parents:  # modulefinder knows no namespace packages
        stage /= parent
        stage.mkdir(exist_ok=True)
        (stage / "__init__.py").touch()
    (stage / last).symlink_to(folder)


def _own_modules() -> list[str]:
    """Every module of the recorder but for programs that run when they are imported."""
    names = []
    for path in sorted(_PACKAGE.rglob("*.py")):
        parts = list(path.relative_to(_PACKAGE).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        if parts[-1:] != ["__main__"]:
            names.append(".".join(("hiperiso", *parts)))
    return names
