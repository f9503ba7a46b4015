"""Where the index of a log root is."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiperiso.session.index import index_root


@pytest.mark.parametrize(
    ("log_root", "root"),
    [
        ("/hiperiso/logs", "/hiperiso/logs"),
        ("/mnt/usb/hiperiso/logs/ubuntu", "/mnt/usb/hiperiso/logs"),
        ("/hiperiso/logs/a/b", "/hiperiso/logs"),
        ("/home/me/boots", "/home/me/boots"),
        ("/home/me/hiperiso/logs2/x", "/home/me/hiperiso/logs2/x"),
    ],
)
def test_the_index_stays_at_the_contracts_place(log_root: str, root: str) -> None:
    assert index_root(Path(log_root)) == Path(root)
