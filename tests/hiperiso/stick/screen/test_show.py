"""Whether a guest is shown, and that a recording goes on where it cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hiperiso.contract.settings import Settings
from hiperiso.contract.words import Display, Vga
from hiperiso.stick.screen.program import main
from hiperiso.stick.shown import shown_guest
from waiting import DEADLINE_S


@pytest.mark.parametrize("display", [Display.NONE, Display.VNC])
def test_what_is_not_asked_for_changes_nothing(tmp_path: Path, display: Display) -> None:
    settings = Settings(display=display)
    with shown_guest(settings, pytest.fail, grace_s=1, framebuffer=tmp_path / "fb") as shown:
        assert shown.settings == settings and shown.spectator is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(display=Display.GTK), "No such file"),
        (Settings(display=Display.GTK, vga=Vga.NONE), "adapter"),
    ],
)
def test_why_nothing_is_shown(tmp_path: Path, settings: Settings, words: str) -> None:
    said: list[str] = []
    with shown_guest(settings, said.append, grace_s=1, framebuffer=tmp_path / "fb") as shown:
        assert shown.settings.display is Display.NONE and shown.spectator is None
    assert len(said) == 1 and words in said[0] and "not shown" in said[0]


def test_the_program_says_why_it_ended(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none"), str(tmp_path / "fb")]) == 1
    assert capfd.readouterr().out == f"fault {tmp_path / 'fb'}: No such file or directory\n"


@pytest.mark.parametrize(("reported", "code", "said"), [("", 0, ""), ("\n", 1, "fault ")])
def test_the_program_waits_for_its_word(tmp_path: Path, reported: str, code: int, said: str) -> None:
    argv = [
        sys.executable,
        "-m",
        "hiperiso.stick.screen.program",
        str(tmp_path / "none"),
        str(tmp_path / "fb"),
    ]
    done = subprocess.run(
        argv, input=reported, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.startswith(said) and bool(done.stdout) == bool(said)
