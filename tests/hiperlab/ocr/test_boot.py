"""A whole boot that shows a picture and says nothing: with OCR it comes to the right verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hiperiso.observe.screen.png import encode_png
from hiperlab.debian.packages import Sources
from hiperlab.places import package_cache
from hiperlab.samples.iso import write_iso
from hiperlab.samples.model import Loader, Recipe
from waiting import DEADLINE_S

from .test_tesseract import STOP_SCREEN, draw

GRUB_CFG = """
insmod all_video
insmod gfxterm
insmod gfxterm_background
insmod png
loadfont unicode
set gfxmode=1024x768
terminal_output gfxterm
background_image /stop.png
clear
sleep 600
"""


@pytest.mark.boots
def test_a_stop_screen_is_read_from_its_picture(tmp_path: Path) -> None:
    picture = encode_png(draw(STOP_SCREEN, ink="white", paper="#0078d7"))
    recipe = Recipe(Loader.GRUB_BIOS, {"boot/grub/grub.cfg": GRUB_CFG.encode(), "stop.png": picture})
    (tmp_path / "scratch").mkdir()
    iso = tmp_path / "stop.iso"
    write_iso(recipe, Sources(cache=package_cache()), tmp_path / "scratch", iso)
    argv = [sys.executable, "-m", "hiperlab.cli.main", "boot", "--ocr", "on", "--timeout", "60", "--json"]
    done = subprocess.run(
        [*argv, "--log-root", str(tmp_path / "logs"), str(iso)],
        capture_output=True,
        timeout=3 * DEADLINE_S,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    manifest = json.loads(done.stdout)
    assert (manifest["result"], manifest["analysis"]["failure_domain"]) == ("failure", "kernel")
    (folder,) = (path for path in (tmp_path / "logs").iterdir() if path.is_dir())
    events = [json.loads(line) for line in (folder / "events.jsonl").read_bytes().splitlines()]
    texts = [event for event in events if event.get("data", {}).get("reader") == "ocr"]
    assert texts and "ran into a problem" in texts[0]["text"]
    assert (folder / texts[0]["path"]).read_text().strip() == texts[0]["text"]
    again = subprocess.run(
        [sys.executable, "-m", "hiperiso.analysis.cli", "analyze", str(folder)],
        capture_output=True,
        check=False,
    )
    # Judged anew without OCR, for the words are in the session; the exit code is the verdict's.
    assert again.returncode == 1, again.stderr
    assert b"failure" in (folder / "report.txt").read_bytes().lower()
