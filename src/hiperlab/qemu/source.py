"""The distribution's source package of QEMU, fetched without a change to the system's apt.

A private folder gets the system's own sources with ``deb-src`` in place of ``deb``, and lists and cache of its own.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Final

from hiperiso.errors import HarnessFault

SOURCE_PACKAGE: Final = "qemu"
_BINARY_PACKAGE: Final = "qemu-system-x86"
_SYSTEM: Final = Path("/etc/apt")
_TIMEOUT_S: Final = 1800.0


def source_sources(texts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The system's sources as sources of source packages.

    Args:
        texts: file names below ``/etc/apt`` and what is in them.

    Returns:
        File name -> text, for a folder of apt sources; files that name nothing are left out.
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
    """The source version of the QEMU that is installed, ``""`` when there is none."""
    argv = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev}${source:Version}", _BINARY_PACKAGE]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    except OSError:
        return ""
    return done.stdout[3:].strip() if done.returncode == 0 and done.stdout.startswith("ii") else ""


def missing_packages(names: Iterable[str]) -> list[str]:
    """Those of the packages that are not installed.

    Raises:
        HarnessFault: this system has no dpkg.
    """
    missing = []
    for name in names:
        argv = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev}", name]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        except OSError:
            raise HarnessFault(
                "dpkg-query is not there: QEMU is built on Debian and its relatives only",
                hint="name a QEMU of your own with HIPERISO_QEMU",
            ) from None
        if not done.stdout.startswith("ii"):
            missing.append(name)
    return missing


def install_packages(names: Iterable[str], log: IO[bytes]) -> None:
    """Install packages.

    Raises:
        HarnessFault: apt fails.
    """
    _run(["apt-get", "install", "-y", "--no-install-recommends", *names], Path("/"), log)


def fetch_source(folder: Path, version: str, log: IO[bytes]) -> Path:
    """Fetch and unpack the source package into `folder`; returns the folder of the source.

    Args:
        folder: for everything that comes of it; may be there from an attempt before.
        version: of the source package; ``""`` takes the newest.
        log: where the tools' words go.

    Raises:
        HarnessFault: the system names no sources, or apt fails.
    """
    parts = folder / "parts"
    for place in (parts, folder / "lists" / "partial", folder / "cache", folder / "source"):
        place.mkdir(parents=True, exist_ok=True)
    made = source_sources(system_sources())
    if not made:
        raise HarnessFault("apt has no sources here", hint="see sources.list(5)")
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
        raise HarnessFault(f"the source package {wanted} has no QEMU in it")
    return found[-1]


def _run(argv: list[str], folder: Path, log: IO[bytes]) -> None:
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except OSError as error:
        raise HarnessFault(f"{argv[0]}: {error.strerror}") from None
    if done.returncode != 0:
        what = f"{argv[0]} {argv[-1]}"
        raise HarnessFault(f"{what} failed ({done.returncode})", hint="the log file tells why")
