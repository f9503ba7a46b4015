"""Which distribution an ISO is, and of which version, where a file on it says so.

Sources: Debian's debian-cd and Ubuntu's cdimage (``.disk/info``), Fedora's productmd (``.treeinfo``, ``.discinfo``),
os-release(5), SUSE's media (``media.1/products``, ``media.1/media``), mkinitfs of Alpine (``.alpine-release``),
archiso (``arch/version``), live-build (``filesystem.packages``), casper (``filesystem.manifest``).
"""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hiperiso.iso.tree import Tree
from hiperiso.text import printable

_MAX_BYTES: Final = 64 << 10
_MAX_CHARS: Final = 120


@dataclass(frozen=True)
class Identity:
    """A name and a version, cleaned, and the file that says so; all empty where no file does."""

    distribution: str = ""
    version: str = ""
    source: str = ""


def identify(tree: Tree) -> Identity:
    """What the files of a medium say that it is; the first that says something is believed."""
    for path, read in _FILES:
        real = tree.find(path)
        if not real:
            continue
        text = tree.read(real, _MAX_BYTES).decode("utf-8", "replace")
        name, version = (printable(word.strip(), _MAX_CHARS) for word in read(text))
        if name:
            return Identity(name, version, path)
    return Identity()


_DISK_INFO: Final = re.compile(
    r"(?P<name>[A-Za-z][^\d\n\"]{0,60}?)[ -]v?(?P<version>\d[\w.]{0,20}(?: (?:LTS|Beta|RC\d?))?)(?=[\s\"_(-]|$)"
)


def _disk_info(text: str) -> tuple[str, str]:
    line = text.strip().partition("\n")[0][:400]
    match = _DISK_INFO.match(line)
    if match:
        return match["name"], match["version"]
    return line.partition('"')[0].partition(" - ")[0].strip()[:60], ""


def _treeinfo(text: str) -> tuple[str, str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return "", ""
    for section, name in (
        ("release", "name"),
        ("product", "name"),
        ("general", "family"),
        ("general", "name"),
    ):
        if found := parser.get(section, name, fallback=""):
            return found, parser.get(section, "version", fallback="")
    return "", ""


def _discinfo(text: str) -> tuple[str, str]:
    """A time stamp, then the release: ``Fedora 27``, or its number alone, which names nothing."""
    lines = text.splitlines()
    match = (
        re.fullmatch(r"([A-Za-z].{0,60}?)(?: (\d[\w.]{0,20}))?", lines[1].strip()) if len(lines) > 1 else None
    )
    return (match[1], match[2] or "") if match else ("", "")


def _os_release(text: str) -> tuple[str, str]:
    values: dict[str, str] = {}
    for row in text.splitlines():
        key, equals, value = row.partition("=")
        if equals and key.isidentifier():
            try:
                values[key] = " ".join(shlex.split(value))
            except ValueError:
                continue
    return values.get("NAME", ""), values.get("VERSION_ID", "") or values.get("VERSION", "")


def _products(text: str) -> tuple[str, str]:
    """``/ openSUSE-Leap 15.6-1``."""
    match = re.match(r"/ (\S{1,60}) (\d[\w.]{0,20})", text)
    return (match[1].replace("-", " "), match[2]) if match else ("", "")


def _media(text: str) -> tuple[str, str]:
    """In its second line ``openSUSE-Leap-15.6-DVD-x86_64-Build710.3``."""
    lines = text.splitlines()
    match = re.match(r"([A-Za-z][\w-]{0,60}?)-(\d[\w.]{0,20})-", lines[1]) if len(lines) > 1 else None
    return (match[1].replace("-", " "), match[2]) if match else ("", "")


def _packages(text: str) -> tuple[str, str]:
    """A row a package: ``base-files 12.4+deb12u5``; of the version of Debian only the major number is certain."""
    match = re.search(r"^base-files[ \t]+(\d+)(?:\.[\d.]+)?(?:\+deb\d+u\d+)?[ \t\r]*$", text, re.MULTILINE)
    return ("Debian GNU/Linux", match[1]) if match else ("", "")


def _alpine(text: str) -> tuple[str, str]:
    """``alpine-standard-3.20.0 240522``."""
    match = re.match(r"alpine-[\w-]{1,30}?-(\d[\w.]{0,20})", text)
    return ("Alpine Linux", match[1]) if match else ("", "")


def _arch(text: str) -> tuple[str, str]:
    match = re.match(r"\d{4}\.\d\d\.\d\d", text)
    return ("Arch Linux", match[0]) if match else ("", "")


_FILES: Final[tuple[tuple[str, Callable[[str], tuple[str, str]]], ...]] = (
    ("/.disk/info", _disk_info),
    ("/.treeinfo", _treeinfo),
    ("/etc/os-release", _os_release),
    ("/usr/lib/os-release", _os_release),
    ("/os-release", _os_release),
    ("/media.1/products", _products),
    ("/.alpine-release", _alpine),
    ("/arch/version", _arch),
    ("/media.1/media", _media),
    ("/.discinfo", _discinfo),
    ("/live/filesystem.packages", _packages),
    ("/casper/filesystem.manifest", _packages),
)
