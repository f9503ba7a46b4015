"""The site of the documentation: every page, every link, nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from waiting import DEADLINE_S

ROOT = Path(__file__).resolve().parents[2]
# In CI it must be there: setup installs it.
pytestmark = pytest.mark.skipif(
    find_spec("mkdocs") is None and "CI" not in os.environ,
    reason="mkdocs is not installed: pip install -e '.[dev]'",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_on_it_and_every_link_leads_somewhere(site: Path) -> None:
    for path in (ROOT / "docs").rglob("*.md"):
        page = path.relative_to(ROOT / "docs").with_suffix(".html")
        name = page.with_name("index.html") if page.name == "README.html" else page
        assert (site / name).is_file(), name
    for page in site.rglob("*.html"):
        if page.name == "404.html":  # its links are absolute
            continue
        for target in re.findall(r'(?:href|src)="([^"#?:]+)[^"]*"', page.read_text(encoding="utf-8")):
            if re.match(r"[a-z]+$", target):  # a scheme
                continue
            place = page.parent / target
            assert place.is_file() or (place / "index.html").is_file(), f"{page.relative_to(site)}: {target}"
    assert (site / "search" / "search_index.json").stat().st_size > 100_000


def test_every_page_stands_in_the_navigation_and_in_the_readme() -> None:
    navigation, readme = ((ROOT / name).read_text(encoding="utf-8") for name in ("mkdocs.yml", "README.md"))
    for path in (ROOT / "docs").glob("*.md"):
        assert f": {path.name}\n" in navigation, path.name
        assert f"(docs/{path.name})" in readme, path.name


def test_it_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)\b[^>]*\bsrc="(https?:[^"]*)', text)
        loaded += re.findall(r'<link\b[^>]*\brel="stylesheet"[^>]*\bhref="(https?:[^"]*)', text)
        assert not loaded, f"{page.relative_to(site)}: {loaded}"
