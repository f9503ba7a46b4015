"""The system's Python, reduced to what bootchain imports, compiled ahead of time.

The modules are found by following every import statement (``modulefinder``) of bootchain and its steps, under the
interpreter that will run them. Compiled files are in place of the sources (``os.pyc`` in place of ``os.py``): nothing
is compiled in the guest, where that would take seconds under emulation. Step-scripts stay source files, since they are
programs by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bootchain
from bootchain.initramfs import LIB, files
from bootchain.install.closure import ALWAYS, NEVER
from hiperiso.errors import HarnessFault
from hiperiso.images import cpio
from hiperiso.packages import install_hint
from hiperlab.initramfs.libraries import program_entries
from hiperlab.systempython import INTERPRETER, run_program

PACKAGE = Path(bootchain.__file__).parent


def python_entries(scratch: Path, *, modules: tuple[str, ...] = ()) -> Iterator[cpio.Entry]:
    """Yield the interpreter, its libraries, the trimmed standard library and the whole of bootchain.

    Args:
        scratch: an empty directory for intermediate files.
        modules: more modules of the standard library, for custom step-scripts.

    Raises:
        HarnessFault: the system has no Python, or something cannot be compiled.
    """
    if not INTERPRETER.exists():
        raise HarnessFault(f"{INTERPRETER} is missing", hint=install_hint("python3"))
    out = scratch / "python"
    order = {
        "source": str(PACKAGE.parent),
        "lib": LIB,
        "out": str(out),
        "never": NEVER,
        "modules": [*ALWAYS, *modules, *_own_modules()],
        "scripts": [str(path) for path in sorted((PACKAGE / "steps").glob("*.py"))],
    }
    made = run_program("compile_bootchain", order)
    executable = Path(made["executable"])
    programs = [(str(executable).lstrip("/"), executable)]
    programs += [(path.lstrip("/"), Path(path)) for path in made["libraries"]]
    yield from program_entries(programs)
    yield cpio.symlink("usr/bin/python3", executable.name)
    yield from cpio.tree(out)
    yield from _own_files()


def _own_modules() -> list[str]:
    """The names of all modules of bootchain except the steps, which are scripts, and its installer."""
    left_out = {"steps", "install"}
    paths = (
        path for path in sorted(PACKAGE.rglob("*.py")) if not left_out & {*path.relative_to(PACKAGE).parts}
    )
    return [".".join(("bootchain", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in paths]


def _own_files() -> Iterator[cpio.Entry]:
    """Yield the files that are not just imported: shell libraries, step-scripts, programs."""
    for target, path, mode in files():
        module = path.endswith(".py") and not path.endswith("/__main__.py") and "/steps/" not in path
        if not module:
            yield cpio.regular(target.lstrip("/"), Path(path).read_bytes(), mode)
