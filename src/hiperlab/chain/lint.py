"""Checks of step-scripts: finds errors before the boot. Uses ``shellcheck`` if installed.

==================  ========  =====================================================================================
rule                severity  meaning
==================  ========  =====================================================================================
``no-options``      warning   neither ``#!/bin/sh -efu`` nor ``set -efu``: an error would go unnoticed
``no-api``          warning   functions of the API are called without sourcing a library
``unknown-call``    error     a command is not a function of the API, of the script or of a library
                              that it sources, not a builtin, and not a known program
``not-executable``  error     the file is not executable and does not end in ``.sh`` or ``.py``
``no-interpreter``  error     no ``#!`` line, or its interpreter does not exist
``syntax``          error     the shell (or Python) cannot parse it
``pseudo-name``     error     the file has the name of a pseudo-step: it is never run
``bad-name``        error     it cannot be used in a chain (comma, space, leading dot)
``unknown-step``    warning   ``next_bootchain`` names a step that is neither in the directory nor built in
``exit-2``          warning   code 2 ends the loop in pipeline mode and is a failure in native mode
``shellcheck``      original  findings of shellcheck
==================  ========  =====================================================================================
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bootchain.chain import PSEUDO_STEPS
from bootchain.cmdline import names
from bootchain.daemon.places import BUILTIN_STEPS, FALLBACK_DIR, SHELL_DIR
from hiperiso.errors import UsageError
from hiperlab.run import has_tool, try_tool

LIBRARIES = ("bootchain-sh-functions", "pipeline-sh-functions")
_MAX_BYTES = 1 << 20
_TIMEOUT_S = 30
_FUNCTION = re.compile(
    r"(?:^|\|\||&&|;)[ \t]{0,40}(?:function[ \t]+)?([A-Za-z_][\w-]*)[ \t]*\(\)", re.MULTILINE
)
_SOURCED = re.compile(r"(?:^|\|\||&&|;)[ \t]{0,40}(?:\.|source)[ \t]+\"?([\w./-]+)", re.MULTILINE)
_NEXT = re.compile(r"^[^#\n]{0,200}\bnext_bootchain[ \t]+([^#;&|\n]{1,400})", re.MULTILINE)
_EXIT_2 = re.compile(r"^[^#\n]{0,200}\bexit[ \t]+2\b", re.MULTILINE)
_SET = re.compile(r"^[ \t]{0,40}set[ \t]+-([A-Za-z]+)", re.MULTILINE)
_STEP_NAME = re.compile(r"[\w.@+-]+")
_SHELLS = frozenset(("sh", "bash", "dash", "ash", "busybox"))


@dataclass(frozen=True)
class Problem:
    """One problem of a script. ``line`` counts from 1; 0 is the whole file."""

    path: str
    line: int
    severity: str
    rule: str
    message: str


def check_directory(folder: Path) -> list[Problem]:
    """Check every step-script of a directory.

    Raises:
        UsageError: not a directory, or without step-scripts.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a directory")
    scripts = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    scripts = [path for path in scripts if not path.name.endswith("-sh-functions")]
    if not scripts:
        raise UsageError(f"{folder} does not contain step-scripts")
    known = {step_name(path) for path in scripts} | set(builtin_steps())
    return [problem for path in scripts for problem in check_script(path, known)]


def check_script(path: Path, steps: Iterable[str]) -> Iterator[Problem]:
    """Check one step-script. ``steps`` are the names of all available steps."""
    data = path.read_bytes()[:_MAX_BYTES]
    text = data.decode("utf-8", "replace")
    yield from _check_name(path)
    interpreter = _interpreter(text)
    if path.suffix == ".py":
        yield from _check_python(path, data)
        return
    if not interpreter:
        yield Problem(str(path), 1, "error", "no-interpreter", "no #! line")
        interpreter = ["/bin/sh"] if path.suffix == ".sh" else []
    elif not (Path(interpreter[0]).exists() or shutil.which(Path(interpreter[0]).name)):
        yield Problem(str(path), 1, "error", "no-interpreter", f"{interpreter[0]} does not exist")
    if not os.access(path, os.X_OK) and path.suffix != ".sh":
        yield Problem(str(path), 0, "error", "not-executable", "the file is not executable (chmod +x)")
    if interpreter and Path(interpreter[0]).name in _SHELLS | {"env"}:
        yield from _check_shell(path, text, interpreter, set(steps))


def step_name(path: Path) -> str:
    """The name by which a chain calls a script."""
    return path.stem if path.suffix in (".sh", ".py") else path.name


def builtin_steps() -> dict[str, str]:
    """The built-in steps of bootchain: name -> path."""
    paths = (path for path in sorted(Path(BUILTIN_STEPS).iterdir()) if path.suffix in (".sh", ".py"))
    return {path.stem: str(path) for path in paths if not path.name.startswith("_")}


def _check_name(path: Path) -> Iterator[Problem]:
    name = step_name(path)
    if name in PSEUDO_STEPS:
        yield Problem(
            str(path), 0, "error", "pseudo-name", f"{name} is a pseudo-step: this file is never run"
        )
    elif not _STEP_NAME.fullmatch(name):
        yield Problem(str(path), 0, "error", "bad-name", f"{name!r} cannot be used in a chain")


def _check_python(path: Path, data: bytes) -> Iterator[Problem]:
    try:
        compile(data, str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        yield Problem(
            str(path), getattr(error, "lineno", 0) or 0, "error", "syntax", str(error).split(" (")[0]
        )


def _check_shell(path: Path, text: str, interpreter: list[str], steps: set[str]) -> Iterator[Problem]:
    shell = next((word for word in interpreter if Path(word).name in _SHELLS - {"busybox"}), "sh")
    program = "bash" if Path(shell).name == "bash" else "sh"
    error = _syntax_error(program, path)
    if error:
        yield error
        return
    if not _has_options(text, interpreter):
        yield Problem(str(path), 1, "warning", "no-options", "neither `#!/bin/sh -efu` nor `set -efu`")
    for match in _EXIT_2.finditer(text):
        message = "code 2 ends the chain in pipeline mode and is a failure in native mode: use break_bc_loop"
        yield Problem(str(path), _line(text, match.start()), "warning", "exit-2", message)
    yield from _unknown_steps(path, text, steps)
    yield from _unknown_calls(path, text)
    yield from _shellcheck(path, program)


def _has_options(text: str, interpreter: list[str]) -> bool:
    flags = "".join(word[1:] for word in interpreter[1:] if word.startswith("-"))
    flags += "".join(match[1] for match in _SET.finditer(text))
    return set("efu") <= set(flags)


def _unknown_steps(path: Path, text: str, steps: set[str]) -> Iterator[Problem]:
    for match in _NEXT.finditer(text):
        for word in names(match[1].replace('"', " ").replace("'", " ")):
            if _STEP_NAME.fullmatch(word) and word not in steps | PSEUDO_STEPS:
                message = f"next_bootchain names {word!r}: not a step here, nor a built-in one"
                yield Problem(str(path), _line(text, match.start(1)), "warning", "unknown-step", message)


def _unknown_calls(path: Path, text: str) -> Iterator[Problem]:
    """Words that look like functions of the API (an underscore in them) but are not.

    The initramfs has other programs than this machine, so other commands cannot be checked.
    """
    library, sourced = _library_functions(path, text)
    own = set(_FUNCTION.findall(text))
    api = _functions_of(Path(SHELL_DIR) / LIBRARIES[0])
    for line_number, line in enumerate(text.splitlines(), 1):
        for word in _commands(line):
            if word in own | library:
                continue
            if word in api and not sourced:
                message = f"{word} is a function of {LIBRARIES[0]}, which is not sourced"
                yield Problem(str(path), line_number, "warning", "no-api", message)
            elif "_" in word and word not in api and shutil.which(word) is None:
                message = f"{word} is neither a function of the API nor of this script"
                yield Problem(str(path), line_number, "error", "unknown-call", message)


_COMMAND = re.compile(
    r"(?:^|[;&|({`]|\$\(|\b(?:if|then|else|elif|while|until|do)[ \t])[ \t]*"
    r"(?:(?:if|then|else|elif|while|until|do|!)[ \t]+){0,4}"
    r"((?!(?:if|then|else|elif|while|until|do)[ \t])[A-Za-z][\w-]*)"
    r"(?=[ \t;)|&]|$)(?![ \t]*\(\))"
)


def _commands(line: str) -> Iterator[str]:
    stripped = line.strip()
    if not stripped or stripped.startswith("#"):
        return
    bare = re.sub(r"'[^']*'", "''", stripped)
    bare = re.sub(r'"(?:[^"$`\\]|\\.)*"', '""', bare)
    for match in _COMMAND.finditer(bare):
        yield match[1]


def _library_functions(path: Path, text: str) -> tuple[set[str], bool]:
    """The functions of the libraries that a script sources, and whether the API library is among them."""
    found: set[str] = set()
    api = False
    todo: list[str] = _SOURCED.findall(text)
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        api = api or Path(name).name in LIBRARIES
        for folder in (path.parent, path.parent.parent / "bin", Path(SHELL_DIR), Path(FALLBACK_DIR)):
            candidate = folder / Path(name).name
            if candidate.is_file():
                found |= _functions_of(candidate)
                todo += _SOURCED.findall(candidate.read_text(errors="replace"))
                break
        else:
            # An unknown library in the initramfs may define any function.
            found |= {match for line in text.splitlines() for match in _commands(line)}
    return found, api


def _functions_of(path: Path) -> set[str]:
    text = path.read_text(errors="replace")
    return set(_FUNCTION.findall(text))


def _syntax_error(program: str, path: Path) -> Problem | None:
    done = try_tool([program, "-n", str(path)])
    if done is None or done.exit_code == 0:
        return None
    lines = done.errors.decode(errors="replace").strip().splitlines()
    message = lines[0] if lines else "the shell cannot parse it"
    match = re.search(r"(?:line )?(\d+): (.*)", message.replace(str(path), ""))
    return Problem(
        str(path), int(match[1]) if match else 0, "error", "syntax", match[2] if match else message
    )


def _shellcheck(path: Path, program: str) -> Iterator[Problem]:
    """The findings of shellcheck, except SC1090, SC1091 (missing libraries) and SC2154 (the daemon's variables)."""
    if not has_tool("shellcheck"):
        return
    done = try_tool(
        ["shellcheck", "-s", program, "-f", "json1", "-e", "SC1090,SC1091,SC2154,SC3043", str(path)]
    )
    if done is None or done.exit_code not in (0, 1):
        return
    for comment in json.loads(done.output)["comments"]:
        level = {"error": "error", "warning": "warning"}.get(comment["level"])
        if level and not comment["message"].startswith("PROG appears unused"):  # used by the library
            message = f"SC{comment['code']}: {comment['message']}"
            yield Problem(str(path), comment["line"], level, "shellcheck", message)


def _interpreter(text: str) -> list[str]:
    first = text.partition("\n")[0]
    return first[2:].split() if first.startswith("#!") else []


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
