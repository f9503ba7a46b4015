"""Verifies an image: by a digest, by a list of digests as distributions publish it, by a signature (gpg)."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hiperiso.errors import HarnessFault, UsageError
from hiperiso.packages import install_hint
from hiperlab.run import try_tool

_LENGTHS: Final = {64: "sha256", 96: "sha384", 128: "sha512"}
_WEAK: Final = frozenset({"md5", "sha1"})
_DIGEST: Final = re.compile(r"(?:(?P<name>[A-Za-z0-9-]{2,10})[:=])?(?P<digits>[0-9A-Fa-f]{32,128})")
_LINE: Final = re.compile(
    r"(?:(?P<bare>[0-9A-Fa-f]{64,128}) [ *](?P<file>.{1,300})"
    r"|(?P<name>SHA\d{3}) ?\((?P<of>.{1,300})\) ?= ?(?P<digits>[0-9A-Fa-f]{64,128}))"
)
_MAX_LIST_BYTES: Final = 4 << 20


class NotTheFile(UsageError):
    """A file is not what its checksum or signature is for: it is damaged, changed, or another one."""


@dataclass(frozen=True)
class Digest:
    """A digest: the algorithm by hashlib's name, and the digits in lower case."""

    algorithm: str
    digits: str


def parse_digest(text: str) -> Digest | None:
    """The digest of ``sha256:HEX``, or of the digits alone; None where the text is none, so the name of a list.

    Raises:
        UsageError: an algorithm that proves nothing, or digits that do not fit it.
    """
    found = _DIGEST.fullmatch(text.strip())
    if not found:
        return None
    digits = found["digits"].lower()
    name = (found["name"] or _LENGTHS.get(len(digits), "md5")).lower().replace("-", "")
    if name in _WEAK:
        raise UsageError(
            f"--checksum: {name} proves nothing, files of the same digest can be made", hint="use sha256:..."
        )
    if _LENGTHS.get(len(digits)) != name:
        raise UsageError(
            f"--checksum: {len(digits)} digits are no {name}", hint="such as sha256: and 64 digits"
        )
    return Digest(name, digits)


def digest_in_list(text: str, name: str, *, where: str) -> Digest:
    """The digest of the file `name` in a list as ``sha256sum`` writes it, or as BSD's ``shasum --tag`` does.

    Raises:
        UsageError: the list does not have it.
    """
    for line in text.splitlines():
        found = _LINE.fullmatch(line.strip())
        if found and (found["file"] or found["of"]).rpartition("/")[2] == name:
            digits = (found["bare"] or found["digits"]).lower()
            if algorithm := _LENGTHS.get(len(digits)):
                return Digest(algorithm, digits)
    raise UsageError(f"{where} has no digest of {name}", hint="name the digest itself: --checksum sha256:...")


def read_list(path: Path) -> str:
    """The text of a list of digests; more than any has is cut.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(_MAX_LIST_BYTES).decode(errors="replace")
    except OSError as error:
        raise UsageError(f"cannot read the checksums {path}: {error.strerror}") from None


def check_digest(path: Path, wanted: Digest) -> None:
    """Compare a file with its digest.

    Raises:
        NotTheFile: it is another file.
        UsageError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, wanted.algorithm).hexdigest()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if found != wanted.digits:
        raise NotTheFile(
            f"{path.name} is not the file that the checksum is for: {wanted.algorithm} {found} is not {wanted.digits}",
            hint="the download is damaged, or the checksum is of another version",
        )


def check_signature(path: Path, signature: Path) -> str:
    """Verify a detached signature with the keys of the user's GnuPG; returns who signed, in words.

    Raises:
        NotTheFile: it is that of another file.
        UsageError: it is not a signature, or its key is unknown.
        HarnessFault: there is no gpg.
    """
    keep = {name: os.environ[name] for name in ("HOME", "GNUPGHOME") if name in os.environ}
    argv = ["gpg", "--batch", "--status-fd", "1", "--verify", str(signature), str(path)]
    ended = try_tool(argv, environment=keep)
    if ended is None:
        raise HarnessFault("gpg is needed to verify a signature", hint=install_hint("gpg"))
    status = [line.split() for line in ended.output.decode(errors="replace").splitlines()]
    facts = {words[1]: words[2:] for words in status if len(words) > 1 and words[0] == "[GNUPG:]"}
    if ended.exit_code == 0 and "VALIDSIG" in facts:
        return f"signed by {' '.join(facts.get('GOODSIG', [])[1:])} ({facts['VALIDSIG'][0]})"
    if missing := facts.get("NO_PUBKEY"):
        raise UsageError(
            f"{signature.name}: the key {missing[0]} is not known to gpg",
            hint=f"get it from the distribution, and gpg --import it; or gpg --recv-keys {missing[0]}",
        )
    if "BADSIG" in facts:
        raise NotTheFile(
            f"{signature.name} is not the signature of {path.name}",
            hint="the file was changed, or is another one",
        )
    said = [line for line in ended.last_output.splitlines() if line.startswith("gpg: ")]
    reason = next((line for line in said if not line.endswith(" created")), "")
    raise UsageError(
        f"{signature.name} is not a valid signature of {path.name}: {reason or ended.last_output}",
        hint="a detached signature is a file .sig, .asc or .gpg beside the image or its list of checksums",
    )
