"""The verdict of a boot in a few lines, on standard output."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from hiperiso.contract import files
from hiperiso.contract.manifest import Analysis, Manifest
from hiperiso.contract.stored import StoredSession
from hiperiso.session.request import BootOutcome
from hiperiso.text import printable
from hiperlab.sessions.table import RESULT_STYLE

_STEPS_SHOWN = 2


def print_outcome(outcome: BootOutcome, *, as_json: bool) -> None:
    """Only the manifest, or the verdict in a few lines; harness faults go to standard error."""
    if outcome.error is not None:
        print(f"hiperiso: {printable(outcome.error.message, 2000)}", file=sys.stderr)
        if outcome.error.hint:
            print(f"  hint: {printable(outcome.error.hint, 2000)}", file=sys.stderr)
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(outcome.manifest), indent=2).decode() + "\n")
        return
    print_verdict(outcome.path, outcome.manifest)


def print_verdict(path: Path, manifest: Manifest) -> None:
    """The verdict on a session that has ended, what to do next, and the files to read on in."""
    console = Console()
    whole = not console.is_terminal  # lines in a pipe are not broken
    console.print(_verdict(manifest), soft_wrap=whole)
    report = StoredSession(path).report
    for step in report.next_steps[:_STEPS_SHOWN] if report else ():
        console.print(Text.assemble(("  next: ", "bold"), step), soft_wrap=whole)
    for name in (files.REPORT_TXT, files.REPORT_HTML, files.FAILURE_TXT):
        if (path / name).exists():
            console.print(Text(f"  {printable(str(path / name), 4096)}"), soft_wrap=True)


def _verdict(manifest: Manifest) -> Text:
    analysis = manifest.analysis
    assert isinstance(analysis, Analysis)
    result = str(manifest.result)
    text = Text.assemble(
        (result.upper(), RESULT_STYLE.get(result, "")),
        f"  {printable(manifest.iso_basename)}: stage {analysis.boot_stage_final}",
        f" after {analysis.boot_duration_ms / 1000:.1f} s",
    )
    if result == "failure":
        text.append(f", domain {analysis.failure_domain}")
    if analysis.cause:
        text.append(f"\n  {analysis.cause}")
    if analysis.guest:
        text.append(f"\n  seen: {analysis.guest}", style="dim")
    return text
