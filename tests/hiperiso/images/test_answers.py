"""The kind of answers comes from their content, and decides label and file name."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from hiperiso.errors import UsageError
from hiperiso.images.answers import read_answers


@pytest.mark.parametrize(
    ("text", "label", "name"),
    [
        ("#version=RHEL9\ntext\n%packages\n@core\n%end\n", "OEMDRV", "ks.cfg"),
        ("lang en_US\nclearpart --all\nautopart\n", "OEMDRV", "ks.cfg"),
        ("#cloud-config\nautoinstall:\n  version: 1\n", "CIDATA", "user-data"),
        ("## template: jinja\n#cloud-config\nhostname: x\n", "CIDATA", "user-data"),
        ("#!/bin/sh\necho a script of cloud-init\n", "CIDATA", "user-data"),
        (
            '<?xml version="1.0"?>\n<profile xmlns="http://www.suse.com/1.0/yast2ns">',
            "OEMDRV",
            "autoinst.xml",
        ),
        ("d-i debian-installer/locale string en_US\n", "", "preseed.cfg"),
        ('\ufeff<unattend xmlns="urn:schemas-microsoft-com:unattend">', "UNATTEND", "autounattend.xml"),
    ],
)
def test_the_kind_is_recognised(tmp_path: Path, text: str, label: str, name: str) -> None:
    file = tmp_path / "answers"
    file.write_text(text)
    answers = read_answers(file)
    assert answers.label == label
    assert answers.files[name] == text.encode()
    assert ("meta-data" in answers.files) is (label == "CIDATA")
    assert answers.in_initramfs is (name == "preseed.cfg")


def test_autoinstall_gets_the_first_line_that_cloud_init_wants(tmp_path: Path) -> None:
    file = tmp_path / "answers"
    file.write_text("# my machine\nautoinstall:\n  version: 1\n")
    assert read_answers(file).files["user-data"] == b"#cloud-config\n" + file.read_bytes()


@pytest.mark.parametrize("credentials", [{}, {"!users": []}])
def test_archinstall_is_run_by_cloud_init(tmp_path: Path, credentials: dict[str, object]) -> None:
    file = tmp_path / "answers"
    config = {"archinstall-language": "English", "disk_config": {}, "hostname": "archlinux", **credentials}
    file.write_text(json.dumps(config))
    answers = read_answers(file)
    assert answers.label == "CIDATA" and "archinstall" in answers.kind
    head, _, rest = answers.files["user-data"].partition(b"\n")
    data = json.loads(rest)
    (written,), (command,) = data["write_files"], data["runcmd"]
    assert head == b"#cloud-config" and json.loads(base64.b64decode(written["content"])) == config
    assert command[:3] == ["archinstall", "--config", written["path"]]
    assert ("--creds" in command) is bool(credentials)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"users": "of some other program"}', "no known kind"),
        (b"", "no known kind"),
        (b"\xff\xfe\0\1", "no known kind"),
        (b"x" * (9 << 20), "more than 8 MB"),
    ],
)
def test_what_no_installer_finds_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    file = tmp_path / "answers"
    file.write_bytes(data)
    with pytest.raises(UsageError, match=reason):
        read_answers(file)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UsageError, match="cannot be read"):
            read_answers(path)
