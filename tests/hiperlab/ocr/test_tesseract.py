"""Pictures with proportional text, read by the real Tesseract."""

from __future__ import annotations

import random
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from hiperiso.analysis.reading import PictureWords
from hiperiso.contract.words import OcrChoice
from hiperiso.errors import Unsupported
from hiperiso.observe.screen.glyphs import GlyphReader
from hiperiso.observe.screen.png import encode_png
from hiperiso.observe.screen.ppm import Picture, parse_ppm
from hiperlab.ocr import TesseractReader, ocr_problem, picture_reader

STOP_SCREEN = (
    "Your PC ran into a problem and needs to restart. We're",
    "just collecting some error info, and then we'll restart for you.",
    "20% complete",
)


FIXTURES = Path(__file__).with_name("fixtures")


def draw(lines: tuple[str, ...], *, ink: str, paper: str, size_px: int = 26) -> Picture:
    image = Image.new("RGB", (1024, 768), paper)
    brush = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        brush.text((70, 120 + 3 * size_px * number), line, fill=ink, font=ImageFont.load_default(size_px))
    return to_picture(image)


def to_picture(image: Image.Image) -> Picture:
    packed = BytesIO()
    image.save(packed, "PPM")
    return parse_ppm(packed.getvalue())


@pytest.mark.parametrize(
    ("ink", "paper"), [("white", "#0078d7"), ("#202020", "#f0f0f0"), ("#c0c0c0", "black")]
)
def test_words_that_no_console_font_explains(ink: str, paper: str) -> None:
    picture = draw(STOP_SCREEN, ink=ink, paper=paper)
    assert GlyphReader().read(picture) is None
    text = TesseractReader()(encode_png(picture))
    rows = text.split("\n")
    assert "ran into a problem" in text
    assert [hit.signature.kind for row in rows for hit in PictureWords().hits(row)] == ["stop_screen"]


def test_a_real_graphical_installer() -> None:
    """A screenshot of Debian's graphical installer (debian-installer-12-netboot-amd64), at its first question."""
    shot = FIXTURES / "debian_installer_gtk.png"
    with Image.open(shot) as image:
        assert GlyphReader().read(to_picture(image.convert("RGB"))) is None
    rows = TesseractReader()(shot.read_bytes()).split("\n")
    (hit,) = [hit for row in rows for hit in PictureWords().hits(row)]
    assert hit.software == "Debian installer"


def test_noise_and_plain_pictures_say_nothing() -> None:
    chance = random.Random(3)
    noise = Picture(320, 240, chance.randbytes(320 * 240 * 3))
    blocks = Image.frombytes("RGB", (20, 15), chance.randbytes(900)).resize(
        (320, 240), Image.Resampling.NEAREST
    )
    for picture in (noise, to_picture(blocks), Picture(800, 600, bytes(800 * 600 * 3))):
        text = TesseractReader()(encode_png(picture))
        assert not [hit for row in text.split("\n") for hit in PictureWords().hits(row)]
        assert sum(map(str.isalpha, text)) < 12, text


def test_what_is_not_a_picture_has_no_text() -> None:
    for junk in (b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(100)):
        assert TesseractReader()(junk) == ""


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert ocr_problem() == ""
    assert picture_reader(OcrChoice.OFF) is None
    assert isinstance(picture_reader(OcrChoice.AUTO), TesseractReader)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert picture_reader(OcrChoice.AUTO) is None
    with pytest.raises(Unsupported, match="tesseract is not installed") as refused:
        picture_reader(OcrChoice.ON)
    assert refused.value.hint is not None and "hiperiso[ocr]" in refused.value.hint
    picture = encode_png(draw(("lost",), ink="white", paper="black"))
    assert TesseractReader()(picture) == ""


def test_a_program_that_hangs_or_raves_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    picture = encode_png(draw(("lost",), ink="white", paper="black"))
    fake = tmp_path / "tesseract"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for script in (
        "exec sleep 100000",
        "head -c 20000000 /dev/urandom",
        "echo level; exit 3",
        "echo 'level\ttext'",
    ):
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
        assert TesseractReader(timeout_s=1.5)(picture) == ""
