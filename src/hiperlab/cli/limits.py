"""The options of commands that remove old recordings."""

from __future__ import annotations

from typing import Annotated

import typer

Keep = Annotated[int | None, typer.Option("--keep", metavar="N", min=0, help="Keep the latest N.")]
MaxSize = Annotated[
    str, typer.Option("--max-size", metavar="SIZE", help="Keep at most this size: 500M, 20G.")
]
OlderThan = Annotated[
    str, typer.Option("--older-than", metavar="AGE", help="Remove what is older: 30d, 12h.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list what would be removed.")]
