"""Hooks of mkdocs for the site of the documentation: the pages beside docs/ belong to it, and links lead to pages.

README.md is its first page. A link to a file of the repository that is not a page of the site becomes its text.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any, Final

from mkdocs.structure.files import File, Files

ROOT: Final = Path(__file__).resolve().parents[1]
BESIDE: Final = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""Files of the repository beside docs/ -> the pages that they are."""

_LINK: Final = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
_FENCE: Final = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages beside docs/."""
    for source, page in BESIDE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:  # noqa: ARG001 - as mkdocs calls it
    """Correct the links of a page for its place on the site."""
    known = {file.src_uri for file in files}
    origins = {page_: source for source, page_ in BESIDE.items()}
    here = page.file.src_uri
    origin = origins.get(here, f"docs/{here}")

    def link(match: re.Match[str]) -> str:
        target = match["target"]
        if re.match(r"[a-z]+:", target):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
        uri = BESIDE.get(path, path.removeprefix("docs/"))
        if uri not in known:
            return match["text"]
        relative = posixpath.relpath(uri, posixpath.dirname(here) or ".")
        return f"{match['picture']}[{match['text']}]({relative}{match['anchor'] or ''})"

    parts = _FENCE.split(markdown)
    return "".join(part if number % 2 else _LINK.sub(link, part) for number, part in enumerate(parts))
