"""Answers for an installer: their kind, from the content, and the volume on which that installer looks for them.

Sources: Anaconda's documentation of ``OEMDRV`` and ``ks.cfg``; the AutoYaST guide on ``OEMDRV`` and ``autoinst.xml``;
cloud-init's documentation of the NoCloud data source (``CIDATA``); Windows Setup's implicit answer file search.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec

from hiperiso.errors import UsageError

_MAX_BYTES: Final = 8 << 20
_KICKSTART: Final = re.compile(
    r"^(%packages|%pre|%post|%include|autopart|bootloader|clearpart|rootpw|url|cdrom|text|ignoredisk|zerombr)\b",
    re.MULTILINE,
)
_PRESEED: Final = re.compile(r"^(d-i|debconf|tasksel|popularity-contest)[ \t]+\S+/\S+[ \t]+\S+", re.MULTILINE)


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """A volume for an installer: the kind in words, the volume's label, and its files."""

    kind: str
    label: str
    files: dict[str, bytes]


def read_answers(path: Path) -> Answers:
    """The volume for the answers in the file `path`.

    Raises:
        UsageError: it cannot be read, is of no known kind, or of one that no installer finds on a volume.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the answers cannot be read: {path} ({error.strerror})") from None
    if len(data) > _MAX_BYTES:
        raise UsageError(f"more than {_MAX_BYTES >> 20} MB of answers: {path}", hint="name an answer file")
    text = data.decode(errors="replace").lstrip("\ufeff")
    if "urn:schemas-microsoft-com:unattend" in text:
        return Answers(kind="a Windows answer file", label="UNATTEND", files={"autounattend.xml": data})
    if "<profile" in text and "suse.com" in text:
        return Answers(kind="an AutoYaST profile", label="OEMDRV", files={"autoinst.xml": data})
    if text.startswith("#cloud-config") or re.search(r"^autoinstall:", text, re.MULTILINE):
        files = {"user-data": data, "meta-data": b"instance-id: hiperiso\n"}
        return Answers(kind="cloud-init user data", label="CIDATA", files=files)
    if _PRESEED.search(text):
        raise UsageError(
            f"a preseed, which the Debian installer does not look for on a volume: {path}",
            hint="serve it, and name it with --append 'auto=true priority=critical url=...'",
        )
    if _KICKSTART.search(text):
        return Answers(kind="a kickstart", label="OEMDRV", files={"ks.cfg": data})
    raise UsageError(
        f"answers of no known kind: {path}",
        hint="kickstart, AutoYaST, cloud-init and Windows answer files are known, from their content",
    )
