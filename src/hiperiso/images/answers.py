"""Answers for an installer: their kind, from the content, and the place in which that installer looks for them.

A volume, or, for a preseed, the initramfs. A configuration of archinstall, which looks for none, becomes cloud-init
user data that runs archinstall with it: the ISO of Arch Linux has cloud-init.

Sources: Anaconda's documentation of ``OEMDRV`` and ``ks.cfg``; the AutoYaST guide on ``OEMDRV`` and ``autoinst.xml``;
cloud-init's documentation of the NoCloud data source (``CIDATA``), ``write_files`` and ``runcmd``; Windows Setup's
implicit answer file search; the installation guide of Debian, appendix B.2 (``/preseed.cfg`` in the initrd);
archinstall(1), ``--config``, ``--creds`` and ``--silent``.
"""

from __future__ import annotations

import base64
import json
import re
import stat
from pathlib import Path
from typing import Final

import msgspec

from hiperiso.errors import UsageError

_MAX_BYTES: Final = 8 << 20
_KICKSTART: Final = re.compile(
    r"^(%packages|%pre|%post|%include|autopart|bootloader|clearpart|rootpw|url|cdrom|text|ignoredisk|zerombr)\b",
    re.MULTILINE,
)
_CLOUD_INIT: Final = ("#cloud-config", "## template: jinja", "Content-Type: multipart/", "#include\n", "#!")
"""First lines by which cloud-init knows user data; what has another one it passes over."""
_AUTOINSTALL: Final = re.compile(r"^autoinstall:", re.MULTILINE)
"""Subiquity's key. Its users also give it in a file of its own, without cloud-init's first line."""
_PRESEED: Final = re.compile(r"^(d-i|debconf|tasksel|popularity-contest)[ \t]+\S+/\S+[ \t]+\S+", re.MULTILINE)


_ARCHINSTALL: Final = frozenset(
    {
        *(
            "archinstall-language",
            "audio_config",
            "bootloader",
            "bootloader_config",
            "disk_config",
            "harddrives",
        ),
        *(
            "kernels",
            "mirror_config",
            "network_config",
            "profile_config",
            "!users",
            "!root-password",
            "users",
        ),
    }
)
_CREDENTIALS: Final = frozenset(
    {"!users", "!root-password", "users", "root_enc_password", "encryption_password"}
)
_ARCHINSTALL_PLACE: Final = "/root/user_configuration.json"


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Files for an installer: the kind in words, the label of their volume (empty: the initramfs), and the files."""

    kind: str
    label: str
    files: dict[str, bytes]

    @property
    def in_initramfs(self) -> bool:
        """Whether the installer looks for them there, and on no volume."""
        return not self.label


def read_answers(path: Path) -> Answers:
    """The files for the answers in the file `path`.

    Raises:
        UsageError: it cannot be read, or is of no known kind.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe without a writer would be waited for
            raise UsageError(f"the answers cannot be read: {path} is not a file", hint="name an answer file")
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
    if text.startswith(_CLOUD_INIT) or _AUTOINSTALL.search(text):
        head = b"" if text.startswith(_CLOUD_INIT) else b"#cloud-config\n"
        files = {"user-data": head + data, "meta-data": b"instance-id: hiperiso\n"}
        return Answers(kind="cloud-init user data", label="CIDATA", files=files)
    if _PRESEED.search(text):
        return Answers(kind="a preseed", label="", files={"preseed.cfg": data})
    if (names := _names(text)) and len(names & _ARCHINSTALL) > 1:
        files = {"user-data": _archinstall(data, names), "meta-data": b"instance-id: hiperiso\n"}
        return Answers(
            kind="a configuration of archinstall, in cloud-init user data", label="CIDATA", files=files
        )
    if _KICKSTART.search(text):
        return Answers(kind="a kickstart", label="OEMDRV", files={"ks.cfg": data})
    raise UsageError(
        f"answers of no known kind: {path}",
        hint="kickstart, preseed, AutoYaST, cloud-init, archinstall and Windows answer files are known, by content",
    )


def _names(text: str) -> set[str]:
    """The names in a JSON object; none in anything else."""
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else None
    except (ValueError, RecursionError):
        return set()
    return set(value) if isinstance(value, dict) else set()


def _archinstall(data: bytes, names: set[str]) -> bytes:
    """User data in JSON, which is YAML, too: write the configuration, then run archinstall with it."""
    content = base64.b64encode(data).decode()
    file = {"path": _ARCHINSTALL_PLACE, "permissions": "0600", "encoding": "b64", "content": content}
    command = ["archinstall", "--config", _ARCHINSTALL_PLACE, "--silent"]
    command += ["--creds", _ARCHINSTALL_PLACE] if names & _CREDENTIALS else []
    return (
        b"#cloud-config\n"
        + json.dumps({"write_files": [file], "runcmd": [command]}, indent=1).encode()
        + b"\n"
    )
