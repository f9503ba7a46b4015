"""Another revision of this repository beside the one at hand: for benchmarks that compare the two in one run."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def sources_of(revision: str, folder: Path) -> Path:
    """Unpack ``src`` of `revision` into the new folder `folder`; returns the path that Python imports it from."""
    folder.mkdir()
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", revision, "src"], check=True, capture_output=True
    )
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder / "src"
