"""Where things are in the repository, for the tests about the repository itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"


def files() -> list[Path]:
    """Returns every file of the repository that is tracked or about to be, none that is ignored."""
    argv = [
        "git",
        "-c",
        f"safe.directory={ROOT}",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    names = subprocess.run(argv, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return sorted({ROOT / name for name in names if name and (ROOT / name).is_file()})


def modules(package: str) -> list[str]:
    """Returns the dotted names of all modules of a package.

    Left out are ``__main__`` files, which run when they are imported, and what is made for a stick alone.
    """
    names = []
    for path in sorted((SOURCE / package).rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        if parts[-1] != "__main__" and "onstick" not in parts:
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    assert names
    return names
