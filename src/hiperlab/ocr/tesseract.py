"""Reads pictures with Tesseract, as a program of its own: lowest priority, one thread, bounded time and output.

Pillow, which ``pip install 'hiperiso[ocr]'`` brings, prepares the picture: Tesseract was made for paper, so the screen
is made grey, dark on light, and twice or three times as large. Why Tesseract: docs/decisions/0009-ocr.md.
"""

from __future__ import annotations

from io import BytesIO
from typing import Final

from hiperiso.contract.words import OcrChoice
from hiperiso.errors import Unsupported
from hiperiso.observe.screen.reading import MAX_ROWS, PictureReader
from hiperiso.packages import install_hint
from hiperiso.text import masked
from hiperlab.extras import extra_problem
from hiperlab.run import has_tool, try_tool

PROGRAM: Final = "tesseract"
PACKAGE: Final = "tesseract-ocr"
TIMEOUT_S: Final = 20.0
_MIN_CONFIDENCE: Final = 60.0
_MIN_LETTERS: Final = 3
_MAX_OUTPUT_BYTES: Final = 4 << 20
_LARGE_PX: Final = 1300
_MAX_PX: Final = 16_000_000
_DARK: Final = 110
_HINT: Final = "pip install 'hiperiso[ocr]', and {install}; or omit --ocr"


def ocr_problem() -> str:
    """Why pictures cannot be read on this machine; empty if they can."""
    if problem := extra_problem("PIL", "ocr"):
        return problem
    if not has_tool(PROGRAM):
        return f"the program {PROGRAM} is not installed"
    return ""


def picture_reader(choice: OcrChoice) -> PictureReader | None:
    """The picture reader for the setting; None if pictures are not read.

    Raises:
        Unsupported: OCR is required, but not installed.
    """
    if choice is OcrChoice.OFF:
        return None
    problem = ocr_problem()
    if problem and choice is OcrChoice.ON:
        raise Unsupported(
            f"pictures cannot be read: {problem}", hint=_HINT.format(install=install_hint(PACKAGE))
        )
    return None if problem else TesseractReader()


class TesseractReader:
    """Calls Tesseract for each picture.

    Args:
        timeout_s: after this time a picture counts as one without text.
    """

    def __init__(self, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s

    def __call__(self, png: bytes) -> str:
        """The words above the confidence limit, row by row; empty if there are none, or Tesseract fails."""
        try:
            picture = _prepared(png)
        except (OSError, ValueError, SyntaxError):  # what Pillow raises for what it cannot read
            return ""
        argv = ["nice", "-n", "19", PROGRAM, "stdin", "stdout", "--psm", "11", "-l", "eng", "tsv"]
        ended = try_tool(
            argv, stdin=picture, environment={"OMP_THREAD_LIMIT": "1"}, timeout_s=self._timeout_s
        )
        if ended is None or ended.exit_code != 0:
            return ""
        return _rows(ended.output[:_MAX_OUTPUT_BYTES].decode("utf-8", "replace"))


def _prepared(png: bytes) -> bytes:
    from PIL import Image, ImageOps, ImageStat

    with Image.open(BytesIO(png), formats=["PNG"]) as picture:
        grey = picture.convert("L")
    factor = 2 if max(grey.size) >= _LARGE_PX else 3
    if grey.width * grey.height * factor * factor <= _MAX_PX:
        grey = grey.resize((grey.width * factor, grey.height * factor), Image.Resampling.BICUBIC)
    if ImageStat.Stat(grey).mean[0] < _DARK:
        grey = ImageOps.invert(grey)
    packed = BytesIO()
    ImageOps.autocontrast(grey).save(packed, "PNG", compress_level=1)
    return packed.getvalue()


def _rows(tsv: str) -> str:
    """Rows of confident words, top to bottom. Source: the columns are named in the first line of Tesseract's TSV."""
    lines = [line.split("\t") for line in tsv.splitlines()]
    if not lines or lines[0][:1] != ["level"]:
        return ""
    at = {name: number for number, name in enumerate(lines[0])}
    rows: dict[tuple[str, ...], list[str]] = {}
    tops: dict[tuple[str, ...], int] = {}
    for fields in lines[1:]:
        if len(fields) != len(at) or fields[at["level"]] != "5":
            continue
        word = masked(fields[at["text"]].strip(), "")
        try:
            confidence, top = float(fields[at["conf"]]), int(fields[at["top"]])
        except ValueError:
            continue
        if word and confidence >= _MIN_CONFIDENCE:
            key = tuple(fields[at[name]] for name in ("block_num", "par_num", "line_num"))
            rows.setdefault(key, []).append(word)
            tops.setdefault(key, top)
    texts = [" ".join(rows[key]) for key in sorted(rows, key=tops.__getitem__)]
    kept = [text for text in texts if sum(map(str.isalpha, text)) >= _MIN_LETTERS]
    return "\n".join(kept[:MAX_ROWS])
