"""Removes identifying data of persons and machines from a session before it is shared.

In files that hold text the user, the home directory, the host's name, hardware addresses and serial numbers are
replaced. Pictures stay: they show the guest alone. Packet captures, traces and other binary files are left out.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from hiperiso.cache import expanded
from hiperiso.contract import files

_TEXT: Final = frozenset(
    {
        ".json",
        ".jsonl",
        ".txt",
        ".log",
        ".html",
        ".meta",
        ".cmdline",
        ".stderr",
        ".dat",
        ".events",
        ".formats",
        "",
    }
)
_PICTURES: Final = frozenset({".png"})
_MAC: Final = re.compile(
    rb"(?<![0-9a-fA-F:])(?!52:54:00:)(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}(?![0-9a-fA-F:])"
)
_SERIAL: Final = re.compile(
    rb"((?:serial|uuid|asset)[_ a-z]{0,20}[:=]\s{0,8}\"?)([\w.-]{4,80})", re.IGNORECASE
)
_URL_SECRET: Final = re.compile(
    rb"(\bhttps?://)(?:[^\s/@\"']{1,200}@)?([^\s?#\"'<>]{1,2000})(?:\?[^\s\"'<>]{1,4000})?"
)
_PATH: Final = re.compile(r"(?<![\w/.-])/[^\s,;:'\"=()]{1,4000}")
_SYSTEM: Final = frozenset(
    {"bin", "boot", "dev", "etc", "lib", "lib64", "opt", "proc", "run", "sbin", "sys", "usr"}
)
"""Directories that every machine has: their names identify no user."""
_MIN_CHARS: Final = 3
"""A user called `a` is in every word."""


@dataclass(frozen=True)
class Redaction:
    """The replacements, longest first."""

    words: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def of_this_user(cls, *places: Path) -> Redaction:
        """The identifying data of this user, this machine, and the directories `places`."""
        pairs = [(os.fsencode(place), b"/PLACE") for place in places]
        pairs.append((os.fsencode(expanded("~")), b"/HOME"))
        with contextlib.suppress(OSError, KeyError):  # a user without a name
            pairs.append((getpass.getuser().encode(), b"USER"))
        pairs.append((os.environ.get("SUDO_USER", "").encode(), b"USER"))
        host = socket.gethostname().encode()
        pairs += [(host, b"HOST"), (host.split(b".")[0], b"HOST")]
        generic = (b"/root", b"root", b"localhost", b"/")
        kept = {pair for pair in pairs if len(pair[0]) >= _MIN_CHARS and pair[0] not in generic}
        return cls(tuple(sorted(kept, key=lambda pair: (-len(pair[0]), pair))))

    def covers(self, name: str) -> bool:
        """Whether a file of that name can be shared redacted."""
        suffix = PurePosixPath(name).suffix
        return suffix in _TEXT or suffix in _PICTURES

    def of(self, name: str, data: bytes) -> bytes:
        """The content of a file without the words, hardware addresses (but those that QEMU gives), and what follows a
        URL's path or precedes its host: tokens and passwords.

        Serial numbers are only removed from facts of the host: guest output is evidence.
        """
        if data.startswith(b"\x89PNG"):
            return data
        for word, instead in self.words:
            data = re.sub(rb"(?<![0-9A-Za-z])" + re.escape(word) + rb"(?![0-9A-Za-z])", instead, data)
        data = _MAC.sub(b"00:00:00:00:00:00", data)
        data = _URL_SECRET.sub(rb"\1\2", data)
        return _SERIAL.sub(rb"\1REDACTED", data) if name.startswith(f"{files.HW_DIR}/") else data


def directories_in(text: str) -> list[Path]:
    """The directories of the files that a text names, without those of the system.

    >>> directories_in("-kernel /srv/erika/vmlinuz,x -bios /usr/share/bios.bin")
    [PosixPath('/srv/erika')]
    """
    found = {Path(path).parent for path in _PATH.findall(text)}
    return sorted(folder for folder in found if len(folder.parts) > 1 and folder.parts[1] not in _SYSTEM)
