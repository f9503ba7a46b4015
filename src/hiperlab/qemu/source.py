"""The distribution's source package of QEMU, fetched without a change to the system's apt.

A private directory gets the system's sources with ``deb-src`` instead of ``deb``, and its own lists and cache.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Final

from hiperiso.errors import HarnessFault
from hiperlab.run import run_attached, try_tool

SOURCE_PACKAGE: Final = "qemu"
_BINARY_PACKAGE: Final = "qemu-system-x86"
_SYSTEM: Final = Path("/etc/apt")
_TIMEOUT_S: Final = 1800.0


def source_sources(texts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The system's apt sources, converted to source packages.

    Args:
        texts: file names below ``/etc/apt`` and their content.

    Returns:
        File name -> text, for a directory of apt sources; files without entries are omitted.
    """
    made = {}
    for name, text in texts:
        if name.endswith(".sources"):
            changed = re.sub(r"(?mi)^Types:.*$", "Types: deb-src", text)
            named = re.search(r"(?mi)^URIs:", changed)
        else:
            lines = [line for line in text.splitlines() if re.match(r"\s*deb\s", line)]
            changed = "".join(re.sub(r"^\s*deb\s", "deb-src ", line) + "\n" for line in lines)
            named = re.match("deb-src", changed)
        if named:
            made[name.replace("/", "-")] = changed
    return made


def system_sources(system: Path = _SYSTEM) -> list[tuple[str, str]]:
    """Name and text of every sources file of this system."""
    folder = system / "sources.list.d"
    paths = [system / "sources.list", *sorted(folder.glob("*.list")), *sorted(folder.glob("*.sources"))]
    return [(path.name, path.read_text(errors="replace")) for path in paths if path.is_file()]


def installed_version() -> str:
    """The source version of the installed QEMU, or ``""``."""
    argv = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev}${source:Version}", _BINARY_PACKAGE]
    ended = try_tool(argv, timeout_s=60)
    if ended is None or ended.exit_code != 0 or not ended.output.startswith(b"ii"):
        return ""
    return ended.output[3:].decode().strip()


def missing_packages(names: Iterable[str]) -> list[str]:
    """The packages that are not installed.

    Raises:
        HarnessFault: this system has no dpkg.
    """
    missing = []
    for name in names:
        argv = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev}", name]
        ended = try_tool(argv, timeout_s=60)
        if ended is None:
            raise HarnessFault(
                "dpkg-query is missing: QEMU can only be built on Debian and derivatives",
                hint="set HIPERISO_QEMU to another QEMU",
            )
        if not ended.output.startswith(b"ii"):
            missing.append(name)
    return missing


def install_packages(names: Iterable[str], log: IO[bytes]) -> None:
    """Install packages.

    Raises:
        HarnessFault: apt fails.
    """
    _run(["apt-get", "install", "-y", "--no-install-recommends", *names], Path("/"), log)


def fetch_source(folder: Path, version: str, log: IO[bytes]) -> Path:
    """Fetch and unpack the source package into `folder`; returns the directory of the source.

    Args:
        folder: the working directory; may exist from an earlier attempt.
        version: of the source package; ``""`` takes the newest.
        log: receives the output of the tools.

    Raises:
        HarnessFault: the system has no apt sources, or apt fails.
    """
    parts = folder / "parts"
    for place in (parts, folder / "lists" / "partial", folder / "cache", folder / "source"):
        place.mkdir(parents=True, exist_ok=True)
    made = source_sources(system_sources())
    if not made:
        raise HarnessFault("apt has no sources on this system", hint="see sources.list(5)")
    for name, text in made.items():
        (parts / name).write_text(text)
    options = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": str(parts),
        "Dir::State::lists": str(folder / "lists"),
        "Dir::Cache": str(folder / "cache"),
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
    _run([*apt, "update"], folder, log)
    wanted = f"{SOURCE_PACKAGE}={version}" if version else SOURCE_PACKAGE
    _run([*apt, "-y", "source", wanted], folder / "source", log)
    found = sorted(path for path in (folder / "source").iterdir() if (path / "configure").is_file())
    if not found:
        raise HarnessFault(f"the source package {wanted} does not contain QEMU")
    return found[-1]


def _run(argv: list[str], folder: Path, log: IO[bytes]) -> None:
    code = run_attached(
        argv, package="apt", output=log, errors=log, environment=os.environ, timeout_s=_TIMEOUT_S, cwd=folder
    )  # any variable may be needed by apt to reach its server
    if code != 0:
        raise HarnessFault(f"{argv[0]} {argv[-1]} failed ({code})", hint="see the log file for the reason")
