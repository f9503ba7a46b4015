"""Compiles the recorder, its libraries, their standard library modules, and code generated at start-up.

Two methods to find dependencies, combined: every module is imported once (imports of compiled modules are only visible
then), and every import statement is followed (for later imports inside functions).

Input: ``stage``, a directory with links to the packages; ``place`` and ``bootchain``, the target directories of
recorder and bootchain; ``out``, a directory for compiled files; ``modules``, what is imported; ``roots``, further
modules to follow; ``never``, what is excluded; ``early`` and ``lazy``, the modules of the bundle. Prints the libraries:
place to path.
"""

# mypy: ignore-errors
# ruff: noqa: PTH103, PTH120, PTH123, S102
# (internals of the library are patched, which have no types; pathlib would be included, too)

import _sre
import dataclasses
import hashlib
import importlib
import importlib.machinery
import importlib.util
import json
import marshal
import modulefinder
import os
import re
import sys
import types
from typing import Any

HEADER = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)  # by hash, unchecked


def main() -> None:
    """Run the program."""
    order = json.loads(sys.argv[1])
    sys.dont_write_bytecode = True
    sys.path.insert(0, order["stage"])
    sys.modules["_hashlib"] = None  # OpenSSL's; Python has its own hashes
    prepared = _import_all(order["modules"])
    libraries, bundle = _compile_all(_follow(order), order)
    for name, value in (("bundle", bundle), ("prepared", prepared)):
        with open(f"{order['out']}{order['place']}/{name}.bin", "wb") as file:
            file.write(marshal.dumps(value))
    print(json.dumps({"libraries": libraries}))


def _import_all(names: list[str]) -> tuple[Any, ...]:
    """Import modules; returns the code compiled by that: methods of dataclasses by hash of text, patterns by text."""
    methods, patterns, asked = {}, {}, []
    plain_compile = re._compiler.compile

    def run(text: str, variables: Any, names: Any) -> None:
        code = compile(text, "<string>", "exec", dont_inherit=True)
        methods[hashlib.sha1(text.encode(), usedforsecurity=False).digest()] = marshal.dumps(code)
        exec(code, variables, names)

    def note_pattern(pattern: Any, flags: int, code: list[int], *groups: Any) -> Any:
        if asked:
            patterns[asked[-1]] = marshal.dumps((int(flags), [int(word) for word in code], *groups))
        return _sre.compile(pattern, flags, code, *groups)

    def compile_pattern(pattern: Any, flags: int = 0) -> Any:
        asked.append((pattern, int(flags)))
        try:
            return plain_compile(pattern, flags)
        finally:
            asked.pop()

    dataclasses.exec = run
    re._compiler.compile = compile_pattern
    re._compiler._sre = types.SimpleNamespace(**{**vars(_sre), "compile": note_pattern})
    for name in names:
        importlib.import_module(name)
    dataclasses.exec = exec
    re._compiler.compile = plain_compile
    return dict(sorted(methods.items())), dict(sorted(patterns.items(), key=repr))


def _follow(order: Any) -> dict[str, Any]:
    """All needed modules, by name."""
    used = sorted(name for name, module in sys.modules.items() if getattr(module, "__file__", None))
    finder = modulefinder.ModuleFinder(
        excludes=[name for name in order["never"] if not sys.modules.get(name)]
    )
    for name in [*used, *order["roots"]]:
        if name != "__main__":
            try:
                finder.import_hook(name)
            except ImportError:
                if name.startswith("hiperiso"):
                    raise
    return finder.modules


def _compile_all(found: dict[str, Any], order: Any) -> tuple[Any, ...]:
    """Compile modules into ``out``; returns the compiled libraries, and the bundle."""
    stage = order["stage"] + "/"
    libraries, bundle = {}, {}
    for name, module in sorted(found.items()):
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
                file.write(HEADER + code)
        if name in order["early"] and importlib.machinery.FrozenImporter.find_spec(name) is None:
            bundle[name] = (place + "c", bool(module.__path__), None if name in order["lazy"] else code)
    return libraries, dict(sorted(bundle.items()))


if __name__ == "__main__":
    main()
