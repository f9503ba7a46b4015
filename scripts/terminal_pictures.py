"""Regenerate the pictures of terminals in docs/: run commands of the how-to pages, and draw what they print as SVG.

All in one scratch directory, in the order of ``PICTURES``; boots are emulated, and take some minutes together.
``--only NAME`` writes one picture (what it needs is run as well). tests/docs/test_howto_pages.py holds the commands in
the pictures against those of the pages.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT: Final = Path(__file__).resolve().parents[1]
PICTURES_DIR: Final = ROOT / "docs" / "pictures"
COLUMNS: Final = 128
MAX_BYTES: Final = 60_000
COMMAND_S: Final = 1200.0
HOME: Final = "/home/me"
"""What stands in the pictures for the scratch directory."""

TEMPLATE: Final = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px; \
line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own, without its fonts, which are loaded from a public host."""


class Picture(NamedTuple):
    """Commands whose output is drawn; before them others, which are only run.

    Attributes:
        until: words after which the last command gets Ctrl-C.
        max_lines: what is behind them in the output of each command is left out.
    """

    commands: tuple[str, ...]
    before: tuple[str, ...] = ()
    until: str = ""
    max_lines: int = 40


PICTURES: Final = {
    "kernel-arguments": Picture(
        (
            "hiperiso boot login-vga.iso --firmware bios --append 'console=tty0 console=ttyS0' --remove quiet"
            " --expect-text 'Run /init'",
        ),
        before=("hiperiso samples build --out . login-vga",),
    ),
    "secure-boot": Picture(
        ("hiperiso boot uefi-only.iso --secure-boot 1 --timeout 60",),
        before=("hiperiso samples build --out . uefi-only",),
    ),
    "vnc": Picture(
        ("hiperiso boot login-serial.iso --firmware bios --display vnc --keep",),
        before=("hiperiso samples build --out . login-serial",),
        until="Ctrl-C",
    ),
    "json": Picture(("python3 causes.py",)),
    "log-root": Picture(("hiperiso prune --keep 1 --dry-run",)),
    "share": Picture(
        (
            "hiperiso export last --output boot.tar.gz",
            "hiperiso import boot.tar.gz --log-root other",
            "hiperiso list --log-root other",
        )
    ),
    "rescue-stick": Picture(
        ("hiperiso stick list rescue.img", "hiperiso stick verify rescue.img"),
        before=(
            "hiperiso samples build --out . login-serial",
            "hiperiso stick create rescue.img --size 600M --yes",
            "hiperiso stick add rescue.img login-serial.iso",
        ),
    ),
}


def main() -> int:
    """Run the commands and write the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PICTURES, metavar="NAME", help="write one: %(choices)s")
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory(prefix="pictures-") as scratch:
        folder = Path(scratch)
        page = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
        (folder / "causes.py").write_text(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0])
        for name, picture in PICTURES.items():
            drawn = _taken(picture, folder)
            if only in (None, name):
                target = PICTURES_DIR / f"{name}.svg"
                target.write_text(_svg(drawn, name), encoding="utf-8")
                size = target.stat().st_size
                print(f"{target}: {size} bytes" + (" - too large for a page" if size > MAX_BYTES else ""))
    return 0


def _taken(picture: Picture, folder: Path) -> list[str]:
    """The lines of its terminal: each command with what it printed."""
    for command in picture.before:
        _run(command, folder)
    lines = []
    for command in picture.commands:
        printed = _run(command, folder, picture.until).replace(str(folder), HOME).splitlines()
        lines += [f"$ {command}", *printed[: picture.max_lines]]
    return lines


def _run(command: str, folder: Path, until: str = "") -> str:
    """What a command prints on a terminal, with its colours; into a pipe, where it would draw and erase there."""
    words = shlex.split(command)
    ours, theirs = os.pipe() if {"boot", "verify"} & set(words[1:3]) else pty.openpty()
    process = subprocess.Popen(
        words,
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": str(COLUMNS),
            "TERM": "xterm-256color",
            "HIPERISO_LOG_DIR": str(folder / "logs"),
            "HIPERISO_ACCEL": "tcg",
        },
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    printed = b""
    with suppress(OSError):  # a terminal whose last program ends is an error of reading
        while data := os.read(ours, 1 << 16):
            printed += data
            if until and until.encode() in printed:
                process.send_signal(signal.SIGINT)
                until = ""
    os.close(ours)
    process.wait(COMMAND_S)
    return printed.decode("utf-8", "replace").replace("\r\n", "\n")


def _svg(lines: list[str], name: str) -> str:
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(
            record=True, width=COLUMNS, file=nowhere, force_terminal=True, color_system="truecolor"
        )
        for line in lines:
            console.print(Text.from_ansi(line), soft_wrap=False, overflow="fold", highlight=False)
        return console.export_svg(title="", theme=MONOKAI, code_format=TEMPLATE, unique_id=name)


if __name__ == "__main__":
    sys.exit(main())
