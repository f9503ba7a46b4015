"""The recorder and its libraries, compiled ahead of time, with what they need of the standard library.

Two ways to find what is needed, together: every module is imported once (what compiled modules import shows only
then), and every import statement is followed (what is imported later, inside functions). Both happen under the
interpreter that will run on the stick: the system's.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import hiperiso
from hiperiso.errors import HarnessFault
from hiperlab.initramfs.libraries import program_entries
from hiperlab.initramfs.python import INTERPRETER
from hiperlab.samples import cpio
from hiperlab.samples.sources import run_tool

PLACE: Final = "/usr/lib/hiperiso"
"""Where the packages are in the initramfs."""

LIBRARIES: Final = ("msgspec", "pycdlib", "qemu.qmp")
"""The packages that the recorder may use beside the standard library."""

PREPARED: Final = "prepared"
"""The module that a program imports first, so that the others take half the time."""

_PACKAGE = Path(hiperiso.__file__).parent
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

_ROOTS = (
    "pycdlib",
    PREPARED,
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

_SSL_STUB = '''\
"""Names only: nothing on a stick speaks TLS, and OpenSSL costs five megabytes and a tenth of a second."""


class SSLError(OSError):
    pass


class SSLWantReadError(SSLError):
    pass


class SSLSyscallError(SSLError):
    pass


class SSLSocket:  # asyncio asks whether a socket is one before it connects
    pass


class SSLContext:
    def __init__(self, *_):
        raise NotImplementedError("there is no TLS here")
'''

_PREPARED = '''\
"""What takes the start of a program long, done beforehand.

Modules: what it imports before it does anything, in one file: looking for it takes longer than loading it.
Methods of dataclasses and patterns: found by their text (methods: by the hash of it), compiled.
What is not found is looked for and compiled as ever.
"""

import marshal
import sys

with open(__file__.rpartition("/")[0] + "/prepared.bin", "rb") as _file:
    _MODULES, _METHODS, _PATTERNS = marshal.load(_file)


class _Modules:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in _MODULES:
            return None
        place, package, _ = _MODULES[name]
        spec = type(__spec__)(name, _Modules, origin=place, is_package=package)
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [place.rpartition("/")[0]]
        return spec

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        exec(marshal.loads(_MODULES.pop(module.__name__)[2]), vars(module))


sys.meta_path.insert(0, _Modules)

import _sha1
import _sre
import dataclasses
import re

_compile = re._compiler.compile


def _run(text, variables, names):
    found = _METHODS.get(_sha1.sha1(text.encode()).digest())
    exec(marshal.loads(found) if found else text, variables, names)


def _pattern(pattern, flags=0):
    try:
        found = _PATTERNS.get((pattern, int(flags)))
    except TypeError:
        found = None
    return _sre.compile(pattern, *marshal.loads(found)) if found else _compile(pattern, flags)


dataclasses.exec = _run
re._compiler.compile = _pattern
'''

_SCRIPT = """
import importlib, importlib.util, json, marshal, modulefinder, os, sys
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
importlib.import_module(order["start"])
early = [name for name, module in sys.modules.items() if name != "__main__" and name not in order["never"]]
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
    if path.startswith(stage + "bootchain/"):
        continue
    place = order["place"] + "/" + path.removeprefix(stage) if path.startswith(stage) else path
    if path.endswith(".so"):
        libraries[place] = os.path.realpath(path)
        continue
    with open(path, "rb") as file:
        code = compile(file.read(), place, "exec", dont_inherit=True, optimize=0)
    target = order["out"] + place + "c"
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(header + marshal.dumps(code))
    if name in early and sys.modules[name].__spec__.origin != "frozen":
        modules[name] = (place + "c", bool(module.__path__), marshal.dumps(code))
prepared = (modules, dict(sorted(methods.items())), dict(sorted(patterns.items(), key=repr)))
with open(order["out"] + order["place"] + "/prepared.bin", "wb") as file:
    file.write(marshal.dumps(prepared))
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
    (stage / "ssl.py").write_text(_SSL_STUB)
    (stage / f"{PREPARED}.py").write_text(_PREPARED)
    order = {
        "stage": str(stage),
        "out": str(out),
        "place": PLACE,
        "never": _NEVER,
        "roots": _ROOTS,
        "start": start,
        "modules": _own_modules(),
    }
    try:
        text = run_tool(
            [str(INTERPRETER), "-I", "-S", "-X", "no_debug_ranges", "-c", _SCRIPT, json.dumps(order)],
            package="python3",
        )
    except HarnessFault as fault:
        raise HarnessFault(
            f"the system's Python ({INTERPRETER}) cannot run the recorder: {fault.message}",
            hint="install hiperiso under the system's version of Python: its compiled libraries must fit",
        ) from None
    libraries = json.loads(text)["libraries"]
    yield from program_entries([(place.lstrip("/"), Path(path)) for place, path in libraries.items()])
    yield from cpio.tree(out)
    for path in sorted(_PACKAGE.rglob("*")):
        inside = path.relative_to(_PACKAGE).as_posix()
        if path.is_file() and (path.suffix not in _NOT_DATA or inside in _PROGRAMS):
            yield cpio.regular(f"{PLACE}/hiperiso/{inside}".lstrip("/"), path.read_bytes())


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
