"""The manifests of a log root: the readable ones, and what is wrong with the others."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hiperiso.contract.listing import manifests_in

OLD = Path(__file__).parent / "stored_0_1" / "ipxe_20261126T201621Z"


def test_readable_sessions_by_name_and_the_others_with_their_reason(tmp_path: Path) -> None:
    for name in ("b", "a"):
        shutil.copytree(OLD, tmp_path / name)
    for name, content in (("broken", b"{"), ("empty", b""), ("other", b"[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "session.json").write_bytes(content)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "session.json").symlink_to(OLD / "session.json")
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "session.json")  # is not waited for
    (tmp_path / "no-session").mkdir()
    (tmp_path / "index.jsonl").touch()
    manifests, unreadable = manifests_in(tmp_path)
    assert [manifest.session_id for manifest in manifests] == [OLD.name, OLD.name]
    reasons = {path.parent.name: reason for path, reason in unreadable}
    assert set(reasons) == {"broken", "empty", "other", "linked", "pipe"}
    assert reasons["linked"] == "is a symbolic link"
    assert reasons["pipe"] == "is not a regular file"


def test_no_log_root_is_no_session_and_a_file_is_an_error(tmp_path: Path) -> None:
    assert manifests_in(tmp_path / "none") == ([], [])
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        manifests_in(tmp_path / "file")
